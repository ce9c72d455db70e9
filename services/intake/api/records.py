"""The 支援経過記録 of a case: lines, corrections, 供覧, next actions, the printed 経過一覧."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, model_validator

from shared.audit import content_free
from shared.calendar import TOKYO
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    Contact,
    ContactCorrected,
    ContactRecorded,
    NextActionDone,
    PersonNoted,
    RecordCirculated,
    RecordRead,
)
from shared.http import Body, Call, Line, PathId, Receipt, Route, Text
from shared.ids import uuid7
from shared.journal import NEW, Past
from shared.problems import Problem

from .. import worklist
from ..domain import record
from .common import OnCase, OnCaseDep, Staff, all_known, names, still_own, worker
from .joint import files, within
from .line import RecordFile, RecordLine, Version, contacts, folded
from .page import page

router = APIRouter(route_class=Route)


class Note(BaseModel):
    """What the line tells of one person only."""

    person: UUID
    text: Text


class NextAction(BaseModel):
    text: Text
    on: date | None = None


class NewRecord(Body):
    subjects: list[UUID] = Field([], max_length=20)
    method: Annotated[str, *OneOf("contact_method")]
    kind: Annotated[str, *OneOf("record_kind")] = "support"
    counterpart: Annotated[str, *OneOf("counterpart")] | None = None
    counterpart_name: Line | None = None
    staff: list[Staff] = Field([], max_length=20)
    minutes: Annotated[int, Field(ge=0, le=1440)] | None = None
    text: Text | None = None
    notes: list[Note] = Field([], max_length=20)
    next_action: NextAction | None = None

    @model_validator(mode="after")
    def _one_note_a_person(self) -> "NewRecord":
        people = [note.person for note in self.notes]
        if len(people) != len(set(people)):
            raise ValueError("one note a person / 一人につき一つにまとめてください")
        return self

    def fields(self) -> dict[str, Any]:
        """As a Contact has them."""
        next_ = self.next_action
        return {
            "subjects": tuple(self.subjects),
            "staff": tuple(self.staff),
            "method": self.method,
            "kind": self.kind,
            "counterpart": self.counterpart,
            "counterpart_name": self.counterpart_name,
            "minutes": self.minutes,
            "text": self.text,
            "next_action": next_ and next_.text,
            "next_on": next_ and next_.on,
        }


class Correction(NewRecord):
    """The whole line as it should have been. `occurred_at`: of the contact, if that was wrong too."""

    reason: Text


class Circulation(Body):
    to: list[Staff] = Field(min_length=1, max_length=50)


class Reading(Body):
    pass


class Done(Body):
    note: Text | None = None


class OpenAction(BaseModel):
    """A next action that nobody has done yet; `on` None: without a day."""

    case: UUID
    record: UUID
    on: date | None
    text: str | None


class ToRead(BaseModel):
    case: UUID
    record: UUID
    since: datetime


class OnRecord:
    """A line that the caller sees of a case, or of one that goes on with it (404 otherwise)."""

    def __init__(self, on: OnCase, id: UUID, past: Past) -> None:
        self.on, self.id, self.past = on, id, past
        self.own = past.events[0].envelope.agency == on.call.who.agency

    async def write(self, command: record.Command, body: Body, **more: Any) -> Receipt:
        stream, key = f"record/{self.id}", str(self.on.case)
        return await self.on.call.handle(
            record.DECIDER, stream, key, command, body, past=self.past, **more
        )


async def on_record(on: OnCaseDep, record: PathId) -> OnRecord:
    return OnRecord(*await within(on, "record", record))


OnRecordDep = Annotated[OnRecord, Depends(on_record)]


@router.post("/v1/cases/{id}/records", status_code=201)
async def add_record(on: OnCaseDep, body: NewRecord) -> Receipt:
    id = uuid7()
    line = ContactRecorded(record=id, case=on.case, **body.fields())

    async def check() -> None:
        _known(on, body)

    return await on.call.handle(
        record.DECIDER,
        f"record/{id}",
        str(on.case),
        record.Write(line, _notes(line, body)),
        body,
        check=check,
        location=f"/v1/cases/{on.case}/records/{{id}}",
        past=NEW,
    )


@router.get("/v1/cases/{id}/records")
async def list_records(
    on: OnCaseDep,
    since: Annotated[date | None, Query()] = None,
    until: Annotated[date | None, Query()] = None,
) -> list[RecordLine]:
    """Oldest first: all lines for the lead agency, for others their own; those too of the cases that go on
    with this one. Days are those of Tokyo.
    """
    return await _lines(on, since, until)


@router.get("/v1/cases/{id}/records/print", response_class=HTMLResponse)
async def print_records(
    on: OnCaseDep,
    since: Annotated[date | None, Query()] = None,
    until: Annotated[date | None, Query()] = None,
) -> HTMLResponse:
    """The 経過一覧 as a page for A4 paper, of the same lines as the list."""
    return page(
        "records.html",
        case=on.case,
        names={who: name for file in await files(on) for who, name in names(file).items()},
        lines=await _lines(on, since, until),
        printed=on.call.now(),
        by=on.call.who.agency,
    )


@router.get("/v1/cases/{id}/records/{record}")
async def get_record(at: OnRecordDep) -> RecordFile:
    at.on.call.shows(at.past.version)
    versions = [
        Version(
            version=e.version,
            at=e.at,
            actor=e.actor,
            occurred_at=e.occurred_at,
            text=readable(line.text),
            reason=readable(getattr(line, "reason", None)),
        )
        for e, line in contacts(at.past)
    ]
    return RecordFile(**folded(at.past).model_dump(), versions=versions)


@router.post("/v1/cases/{id}/records/{record}/correction")
async def correct(at: OnRecordDep, body: Correction) -> Receipt:
    """By the agency that recorded the line; the earlier words stay in `versions`."""
    if not at.own:
        raise Problem("wrong-role")
    line = ContactCorrected(record=at.id, case=at.on.case, reason=body.reason, **body.fields())
    so_far = contacts(at.past)[-1][0].occurred_at
    when = body.model_copy(update={"occurred_at": body.occurred_at or so_far})

    async def check() -> None:
        _known(at.on, body)

    return await at.write(record.Write(line, _notes(line, body)), when, check=check)


@router.post("/v1/cases/{id}/records/{record}/circulation")
async def circulate(at: OnRecordDep, body: Circulation) -> Receipt:
    """供覧: colleagues of the caller's agency are asked to read the line."""
    event = RecordCirculated(record=at.id, case=at.on.case, to=tuple(body.to))
    return await at.write(event, body)


@router.post("/v1/cases/{id}/records/{record}/reading")
async def read(at: OnRecordDep, body: Reading) -> Receipt:
    event = RecordRead(record=at.id, case=at.on.case, reader=at.on.call.who.subject)
    return await at.write(event, body)


@router.post("/v1/cases/{id}/records/{record}/next-action")
async def finish(at: OnRecordDep, body: Done) -> Receipt:
    """The next action is done; what came of it is a line of its own."""
    return await at.write(NextActionDone(record=at.id, case=at.on.case, note=body.note), body)


@router.get("/v1/next-actions")
async def next_actions(
    call: Annotated[Call, Depends(worker)], mine: bool = False
) -> list[OpenAction]:
    """What the caller's agency has written down to do and not done yet: by day, undated last. `mine`:
    in the cases that the caller works, or whose worker he stands in for today.
    """
    rows = await worklist.next_actions(call.rt, call.who.agency, call.who.subject, mine)
    pasts = await call.loads(*(f"record/{row['record']}" for row in rows))
    own = await still_own(call, pasts)
    there = [pair for pair, its in zip(zip(rows, pasts, strict=True), own, strict=True) if its]
    for row, past in there:
        call.reads(f"case/{row['case_id']}", "own_record", past.events, row["case_id"])
    return [
        OpenAction(
            case=row["case_id"],
            record=row["record"],
            on=row["due"],
            text=readable(contacts(past)[-1][1].next_action),
        )
        for row, past in there
    ]


@router.get("/v1/circulations")
@content_free
async def circulations(call: Annotated[Call, Depends(worker)]) -> list[ToRead]:
    """Lines that wait for the caller to read them, the oldest first."""
    rows = await worklist.circulations(call.rt, call.who.agency, call.who.subject)
    return [ToRead(case=r["case_id"], record=r["record"], since=r["since"]) for r in rows]


def _known(on: OnCase, body: NewRecord) -> None:
    all_known(on, body.subjects, "body.subjects")
    all_known(on, [note.person for note in body.notes], "body.notes")


def _notes(line: Contact, body: NewRecord) -> tuple[PersonNoted, ...]:
    return tuple(
        PersonNoted(record=line.record, case=line.case, person=note.person, text=note.text)
        for note in body.notes
    )


async def _lines(on: OnCase, since: date | None, until: date | None) -> list[RecordLine]:
    lines = [line for file in await files(on) for line in await _of(file)]
    asked = [
        line
        for line in lines
        if (since or date.min) <= line.occurred_at.astimezone(TOKYO).date() <= (until or date.max)
    ]
    return sorted(asked, key=lambda line: (line.occurred_at, line.id))


async def _of(on: OnCase) -> list[RecordLine]:
    seen = [past for past in await on.streams("record") if on.sees(past.events[0])]
    on.reads(e for past in seen for e in past.events)
    return [folded(past) for past in seen]
