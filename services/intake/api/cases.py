"""The case and its つなぐシート: opened, filled in by parts, screened, closed, reopened."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from shared.contracts import Event
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    CaseClosed,
    CaseOpened,
    CaseReopened,
    CaseScreened,
)
from shared.http import (
    After,
    Body,
    Call,
    Limit,
    Line,
    Page,
    Receipt,
    Route,
    Text,
    to_uuid,
)
from shared.ids import uuid7
from shared.journal import NEW

from .. import view
from ..domain import case as cases
from .common import (
    NO_ID,
    Fact,
    OnCaseDep,
    fact,
    still_there,
    taken_on,
    worker,
)
from .joint import files
from .sheet import Person, Situation, Worries, check

router = APIRouter(route_class=Route)


class NewCase(Body):
    """つなぐシート: partial is fine."""

    route: Annotated[str, *OneOf("route")]
    reporter: Line | None = None
    household: UUID | None = None
    people: list[Person] = Field([], max_length=20)
    situations: list[Situation] = Field([], max_length=20)
    worries: Worries | None = None


class Screening(Body):
    outcome: Annotated[str, *OneOf("screening")]
    note: Text | None = None


class Closing(Body):
    reason: Annotated[str, *OneOf("closing")]
    note: Text | None = None


class Reopening(Body):
    note: Text | None = None


class CaseLine(BaseModel):
    id: UUID
    lead: str
    status: str
    opened_at: datetime


class CaseFile(BaseModel):
    """The whole file for the lead agency; for others what they recorded themselves (L20).

    `id` is another than was asked for where that case was merged into this one: what is written next
    goes by it. `merged`: cases that go on in this one.
    """

    id: UUID
    merged: list[UUID]
    status: str
    lead: str
    version: int
    coordinator: str | None
    people: list[UUID]
    facts: list[Fact]


@router.post("/v1/cases", status_code=201)
async def open_case(call: Annotated[Call, Depends(worker)], body: NewCase) -> Receipt:
    """Who opens a case works it, until he is relieved."""
    case = uuid7()
    sheet: list[Event] = []
    for part in (*body.people, *body.situations, *([body.worries] if body.worries else ())):
        check(call, part)
        sheet += part.events(case)
    opened = CaseOpened(
        case=case,
        household=body.household or uuid7(),
        lead=call.who.agency,
        route=body.route,
        reporter=body.reporter,
    )
    return await call.handle(
        cases.DECIDER,
        f"case/{case}",
        str(case),
        cases.OpenCase(opened, tuple(sheet)),
        body,
        born=[taken_on(call, case)],
        location="/v1/cases/{id}",
        past=NEW,
    )


@router.get("/v1/cases")
async def list_cases(
    call: Annotated[Call, Depends(worker)],
    after: After = None,
    limit: Limit = 50,
    status: Annotated[Literal["open", "closed", "disposed"] | None, Query()] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    mine: bool = False,
) -> Page[CaseLine]:
    """The caller agency's own cases. `mine`: those that the caller works, or whose worker he stands in
    for today. `q`: by name or kana however typed, address part, telephone, birth
    date (西暦・和暦), among what the agency recorded or led (L24).
    """
    start = to_uuid(after) if after else NO_ID
    rows = await view.cases_of(call.rt, call.who, start, limit, status, q, mine)
    lines = [CaseLine.model_validate(row) for row in rows]
    there = await still_there(call, [line.id for line in lines])
    items = [line for line in lines if line.id in there]
    for hit in items if q else ():
        basis = "lead" if hit.lead == call.who.agency else "own_record"
        call.reads(f"case/{hit.id}", basis, case=hit.id)
    return Page(items=items, next=str(lines[-1].id) if len(lines) == limit else None)


@router.get("/v1/cases/{id}")
async def get_case(on: OnCaseDep) -> CaseFile:
    """A merged case answers with the file in which it goes on, to who has standing there too."""
    there = await files(on)
    first = there[0]
    on.call.shows(first.version)
    return CaseFile(
        id=first.case,
        merged=[file.case for file in there[1:]],
        status=first.state.status,
        lead=first.lead,
        version=first.version,
        coordinator=first.state.coordinator and first.state.coordinator[0],
        people=sorted({person for file in there for person in file.state.people}),
        facts=[fact(file, e) for file in there for e in file.shown()],
    )


@router.post("/v1/cases/{id}/screenings")
async def screen(on: OnCaseDep, body: Screening) -> Receipt:
    event = CaseScreened(case=on.case, outcome=body.outcome, note=body.note)
    return await on.write(cases.Screen(event), body)


@router.post("/v1/cases/{id}/closing")
async def close(on: OnCaseDep, body: Closing) -> Receipt:
    event = CaseClosed(case=on.case, reason=body.reason, note=body.note)
    return await on.write(cases.Close(event), body)


@router.post("/v1/cases/{id}/reopening")
async def reopen(on: OnCaseDep, body: Reopening) -> Receipt:
    return await on.write(cases.Reopen(CaseReopened(case=on.case, note=body.note)), body)
