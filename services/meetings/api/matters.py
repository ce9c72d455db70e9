"""Matters: a case before a statutory body, its members, its reviews and its end."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from shared.calendar import fiscal_year
from shared.contracts.codes import bodies
from shared.contracts.meetings import (
    MaterialSubmitted,
    MatterDecided,
    MatterEnded,
    MatterReviewed,
    MatterSubmitted,
)
from shared.http import Body, Call, Caller, Limit, Page, Receipt, Route
from shared.ids import uuid7
from shared.problems import not_found

from .. import view
from ..domain import matter as matters
from ..domain.deadlines import review_due
from ..domain.member import Member
from .common import (
    CASEWORKERS,
    NO_ID,
    Nothing,
    People,
    StaffDep,
    Subject,
    all_of_case,
    body_of,
    named_case,
    of_the_day,
    once,
    pool_of,
)
from .on_matter import OnManagedDep, OnMatter, OnMatterDep

router = APIRouter(route_class=Route)


class NewMatter(Body):
    case: UUID
    body: Annotated[str, *body_of("statutory")]
    subjects: People


class Calling(Body):
    members: list[Subject] = Field(min_length=1, max_length=50)


class CalledShown(BaseModel):
    """`pledged`: for the present fiscal year. No agency: no longer in the pool."""

    subject: str
    agency: str | None
    pledged: bool


class MaterialShown(BaseModel):
    """That something was put before the body, never what (views opens it to named members)."""

    id: UUID
    version: int
    person: UUID
    recorded_by: str
    occurred_at: datetime
    promoted: bool


class DecisionShown(BaseModel):
    version: int
    recorded_by: str
    occurred_at: datetime


class MatterLine(BaseModel):
    id: UUID
    case: UUID
    body: str
    submitter: str
    submitted_at: datetime
    status: Literal["live", "ended"]
    overdue: bool


class MatterShown(MatterLine):
    subjects: list[UUID]
    members: list[CalledShown]
    materials: list[MaterialShown]
    decisions: list[DecisionShown]
    reviewed_at: datetime | None
    review_due: datetime | None
    ended_at: datetime | None
    version: int


async def submitter(call: Caller) -> Call:
    """Standing in the case that the body names comes before whatever else is wrong with it."""
    case = await named_case(call)
    if case and not await view.is_party(call.rt, call.who, case):
        raise not_found()
    call.need(*CASEWORKERS)
    return call


@router.post("/v1/matters", status_code=201)
async def submit_matter(call: Annotated[Call, Depends(submitter)], body: NewMatter) -> Receipt:
    """Puts a case before a statutory body, where facts are shared without consent (L5)."""
    matter = uuid7()
    submitted = MatterSubmitted(
        matter=matter, case=body.case, body=body.body, subjects=once(body.subjects)
    )

    async def check() -> None:
        of_the_day(call, body.body, "statutory")
        await all_of_case(call, body.case, body.subjects)

    return await call.handle(
        matters.DECIDER,
        f"matter/{matter}",
        str(body.case),
        matters.Submit(submitted),
        body,
        check=check,
        location="/v1/matters/{id}",
    )


@router.get("/v1/matters")
async def list_matters(
    call: StaffDep, after: Annotated[UUID, Query()] = NO_ID, limit: Limit = 50
) -> Page[MatterLine]:
    """Those that the caller's agency submitted, that he is called for, or whose office he is in."""
    mine: dict[str, Member] = {}
    for code in bodies(call.now()):
        me = (await pool_of(call, code)).now.get(call.who.subject)
        if me and me.agency == call.who.agency:
            mine[code] = me
    offices = [code for code, me in mine.items() if me.secretariat]
    who = call.who
    rows = await view.matters_of(
        call.rt, who.agency, who.subject, offices, list(mine), after, limit
    )
    items = [MatterLine.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].id) if len(items) == limit else None)


@router.get("/v1/matters/{id}")
async def get_matter(on: OnMatterDep) -> MatterShown:
    """Structure only: what was put before the body is opened by views, to named members."""
    on.call.shows(on.past.version)
    return _matter(on)


@router.post("/v1/matters/{id}/members")
async def call_members(on: OnManagedDep, body: Calling) -> Receipt:
    return await on.write(matters.Call(tuple(body.members)), body, on.in_pool(body.members))


@router.post("/v1/matters/{id}/enquiries")
async def ask_members(on: OnManagedDep, body: Calling) -> Receipt:
    """Those asked see the configured minimum that identifies the person, once pledged (L5b)."""
    return await on.write(matters.Ask(tuple(body.members)), body, on.in_pool(body.members))


@router.post("/v1/matters/{id}/reviews")
async def review(on: OnManagedDep, body: Nothing) -> Receipt:
    """A person looked whether the matter is still needed; the next review is due anew."""
    return await on.write(matters.Review(), body)


@router.post("/v1/matters/{id}/ending")
async def end_matter(on: OnManagedDep, body: Nothing) -> Receipt:
    return await on.write(matters.End(), body)


def _matter(on: OnMatter) -> MatterShown:
    year, now, live = fiscal_year(on.call.now()), on.pool.now, on.state.status == "live"
    times: dict[str, datetime | None] = {"reviewed_at": None, "review_due": None, "ended_at": None}
    materials: list[MaterialShown] = []
    decisions: list[DecisionShown] = []
    for recorded in on.past.events:
        e = recorded.envelope
        common: dict[str, Any] = {
            "version": e.version,
            "recorded_by": e.agency,
            "occurred_at": e.occurred_at,
        }
        times["review_due"] = review_due(recorded.event, e.occurred_at) or times["review_due"]
        match recorded.event:
            case MaterialSubmitted(person=person):
                promoted = e.id in on.state.promoted
                materials.append(MaterialShown(id=e.id, person=person, promoted=promoted, **common))
            case MatterDecided():
                decisions.append(DecisionShown(**common))
            case MatterReviewed():
                times["reviewed_at"] = e.occurred_at
            case MatterEnded():
                times |= {"ended_at": e.occurred_at, "review_due": None}
    return MatterShown(
        id=on.submitted.matter,
        case=on.submitted.case,
        body=on.submitted.body,
        submitter=on.submitter,
        submitted_at=on.past.events[0].envelope.occurred_at,
        status="live" if live else "ended",
        overdue=live and on.state.overdue,
        subjects=list(on.submitted.subjects),
        members=[
            CalledShown(
                subject=subject,
                agency=now[subject].agency if subject in now else None,
                pledged=subject in now and year in now[subject].years,
            )
            for subject in sorted(on.state.called)
        ],
        materials=materials,
        decisions=decisions,
        version=on.past.version,
        **times,
    )
