"""One line of the 支援経過記録, folded from its events."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from shared.contracts import Envelope, readable
from shared.contracts.intake import Contact, PersonNoted, RecordCirculated, RecordRead
from shared.journal import Past

from ..domain import record


class Reader(BaseModel):
    reader: str
    read_at: datetime | None


class RecordLine(BaseModel):
    """One line as it stands now. `case`: in which it was written; `corrected`: how often; `next_done`:
    None without a next action.
    """

    id: UUID
    case: UUID
    version: int
    occurred_at: datetime
    recorded_by: str
    actor: str
    corrected: int
    subjects: list[UUID]
    method: str | None
    kind: str | None
    counterpart: str | None
    counterpart_name: str | None
    staff: list[str]
    minutes: int | None
    text: str | None
    notes: dict[UUID, str]
    next_action: str | None
    next_on: date | None
    next_done: bool | None
    circulated: list[Reader]


class Version(BaseModel):
    """A line as it was written or corrected once; `reason` is that of the correction (L17)."""

    version: int
    at: datetime
    actor: str
    occurred_at: datetime
    text: str | None
    reason: str | None


class RecordFile(RecordLine):
    versions: list[Version]


def contacts(past: Past) -> list[tuple[Envelope, Contact]]:
    """The line as it was written, and each correction after it."""
    return [(e.envelope, e.event) for e in past.events if isinstance(e.event, Contact)]


def folded(past: Past) -> RecordLine:
    """Folded from the events of one line."""
    state: record.Record = past.fold(record.DECIDER)
    written, line = contacts(past)[-1]
    notes: dict[UUID, str] = {}
    read_at: dict[str, datetime | None] = {}
    for e in past.events:
        match e.event:
            case PersonNoted(person=person, text=str(text)):
                notes[person] = text
            case PersonNoted(person=person):
                notes.pop(person, None)
            case RecordCirculated(to=to):
                read_at |= dict.fromkeys(to)
            case RecordRead(reader=reader):
                read_at[reader] = e.envelope.occurred_at
    values = line.model_dump(exclude={"record", "reason"}, warnings=False)
    return RecordLine(
        id=line.record,
        version=past.version,
        occurred_at=written.occurred_at,
        recorded_by=past.events[0].envelope.agency,
        actor=written.actor,
        corrected=len(contacts(past)) - 1,
        notes=notes,
        next_done=None if state.next_action == "none" else state.next_action == "done",
        circulated=[Reader(reader=who, read_at=at) for who, at in read_at.items()],
        **{name: readable(value) for name, value in values.items()},
    )
