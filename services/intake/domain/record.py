"""One line of the 支援経過記録: written once, corrected with a reason, read by who was asked to."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    ContactCorrected,
    ContactRecorded,
    NextActionDone,
    PersonNoted,
    RecordCirculated,
    RecordRead,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Record:
    written: bool = False
    next_action: Literal["none", "open", "done"] = "none"
    noted: frozenset[UUID] = frozenset()
    asked: frozenset[str] = frozenset()
    """Who was asked to read it; `read`: who of them has."""
    read: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Write:
    """The line, with what it tells of single persons; a correction says all of it anew."""

    contact: ContactRecorded | ContactCorrected
    notes: tuple[PersonNoted, ...] = ()


Command = Write | RecordCirculated | RecordRead | NextActionDone
ALLOWED = ("correction", "circulation", "reading", "next-action")


def decide(state: Record, command: Command) -> list[Event]:
    match command:
        case Write(ContactRecorded() as contact, notes) if not state.written:
            return [contact, *notes]
        case Write(ContactRecorded()):
            raise Refused("record-is-written", "written", ALLOWED)
        case _ if not state.written:
            raise Refused("record-is-not-written", "none")
        case Write(contact, notes):
            gone = sorted(state.noted - {note.person for note in notes})
            no_more = (
                PersonNoted(record=contact.record, case=contact.case, person=p) for p in gone
            )
            return [contact, *notes, *no_more]
        case RecordCirculated(to=to):
            new = tuple(reader for reader in dict.fromkeys(to) if reader not in state.asked)
            return [command.model_copy(update={"to": new})] if new else []
        case RecordRead(reader=reader):
            if reader not in state.asked:
                raise Refused("not-circulated-to-you", "written", ALLOWED)
            return [command] if reader not in state.read else []
        case NextActionDone():
            if state.next_action != "open":
                raise Refused("no-open-next-action", "written", ALLOWED)
            return [command]


def evolve(state: Record, event: Event) -> Record:
    match event:
        case ContactRecorded(next_action=text) | ContactCorrected(next_action=text):
            now: Literal["none", "open"] = "none" if text is None else "open"
            kept = state.next_action if text is not None and state.next_action == "done" else now
            return replace(state, written=True, next_action=kept)
        case PersonNoted(person=person, text=text):
            noted = state.noted | {person} if text is not None else state.noted - {person}
            return replace(state, noted=noted)
        case RecordCirculated(to=to):
            return replace(state, asked=state.asked | {*to})
        case RecordRead(reader=reader):
            return replace(state, read=state.read | {reader})
        case NextActionDone():
            return replace(state, next_action="done")
        case _:
            return state


DECIDER = Decider(Record(), decide, evolve)
