"""Sharing without consent: urgent protection (L7) and the grounds of the table (L8)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StringConstraints

from shared.audit import content_free
from shared.calendar import TOKYO
from shared.contracts.codes import OneOf
from shared.contracts.grounds import Ground, allows, grounds
from shared.contracts.intake import GroundRecorded, UrgentAsserted
from shared.http import Body, Call, Caller, Moment, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW
from shared.problems import bad_input, not_found

from .. import view, worklist
from ..domain import basis
from .common import Agency, OnCase, OnCaseDep, Staff, all_known, may_be_named, standing, worker

router = APIRouter(route_class=Route)
Check = Callable[[], Awaitable[None]]
REVIEWERS = ("supervisor", "coordinator", "privacy_officer")


class Without(Body):
    """Who may hold which classes of whom though nobody was asked, and why."""

    persons: list[UUID] = Field(min_length=1, max_length=20)
    holders: list[Agency] = Field(min_length=1, max_length=70)
    classes: list[Annotated[str, *OneOf("basis_class")]] = Field(min_length=1, max_length=7)
    reason: Text


class NewUrgent(Without):
    """`informed`: the second person who was told at once."""

    danger: Annotated[str, *OneOf("danger")]
    informed: Staff


class NewGround(Without):
    """`no_harm`: why nobody's rights and interests are unjustly harmed (本人・第三者の権利利益)."""

    ground: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    no_harm: Text
    until: Moment | None = None


class ReviewDue(BaseModel):
    """`overdue`: nothing new flows by it until somebody has looked at it."""

    basis: UUID
    case: UUID
    review_by: datetime
    overdue: bool


class Word(Body):
    note: Text | None = None


async def on_basis(id: PathId, call: Caller) -> tuple[OnCase, UUID, basis.Basis]:
    found = to_uuid(id)
    state = (await call.load(f"basis/{found}")).fold(basis.DECIDER)
    if state.case is None:
        raise not_found()
    return await standing(call, state.case), found, state


OnBasisDep = Annotated[tuple[OnCase, UUID, basis.Basis], Depends(on_basis)]


@router.post("/v1/cases/{id}/urgent-bases", status_code=201)
async def assert_urgent(on: OnCaseDep, body: NewUrgent) -> Receipt:
    """Ends after 14 days at the latest; reviewed by the end of the first working day after 72 hours."""
    on.need_lead()
    id, begins = uuid7(), body.occurred_at or on.call.now()
    event = UrgentAsserted(
        basis=id,
        case=on.case,
        begins=begins,
        review_by=basis.review_by(begins),
        until=basis.urgent_until(begins),
        **body.model_dump(exclude={"occurred_at"}),
    )

    async def check() -> None:
        await _named(on, body)
        if body.informed == on.call.who.subject:
            raise bad_input("body.informed", "somebody else / 本人以外の職員を指定してください")
        if event.review_by <= on.call.now():
            raise bad_input("body.occurred_at", "too long ago / 日時が古すぎます")

    return await _begin(on, event, body, check)


@router.post("/v1/cases/{id}/grounds", status_code=201)
async def record_ground(on: OnCaseDep, body: NewGround) -> Receipt:
    """What the caller's agency recorded may be held by others, if a row of the table allows it."""
    on.need_lead()
    id, begins = uuid7(), body.occurred_at or on.call.now()
    ground = grounds(begins.astimezone(TOKYO).date()).get(body.ground)
    longest = begins + timedelta(days=ground.longest_days if ground else 1)
    event = GroundRecorded(
        basis=id,
        case=on.case,
        citation=ground.citation if ground else "",
        provider=on.call.who.agency,
        approver=on.call.who.subject,
        begins=begins,
        until=body.until or longest,
        **body.model_dump(exclude={"occurred_at", "until"}),
    )
    if ground:
        on.call.need(ground.approver)

    async def check() -> None:
        await _named(on, body)
        if ground is None:
            raise bad_input("body.ground", "not in force on that day / その日には適用できません")
        if not begins < event.until <= longest:
            raise bad_input("body.until", f"at most {ground.longest_days} days / 期間が範囲外です")
        await _allowed(on, body.holders, ground)

    return await _begin(on, event, body, check)


@router.get("/v1/reviews")
@content_free
async def reviews(call: Annotated[Call, Depends(worker)]) -> list[ReviewDue]:
    """Urgent bases of the cases that the caller's agency leads which nobody has reviewed, the oldest
    first: supervisors begin here (L7).
    """
    rows = await worklist.reviews(call.rt, call.who.agency, call.who.subject)
    return [
        ReviewDue(
            basis=row["basis"],
            case=row["case_id"],
            review_by=row["review_by"],
            overdue=row["review_by"] <= call.now(),
        )
        for row in rows
    ]


@router.post("/v1/bases/{id}/review")
async def review(on: OnBasisDep, body: Word) -> Receipt:
    """Of an urgent one: a supervisor, coordinator or privacy officer lets it go on. After a late review
    what was held up flows again.
    """
    on[0].call.need(*REVIEWERS)
    return await _write(on, basis.Review(body.note), body)


@router.post("/v1/bases/{id}/ending")
async def end(on: OnBasisDep, body: Word) -> Receipt:
    return await _write(on, basis.End(body.note), body)


async def _begin(
    on: OnCase, event: UrgentAsserted | GroundRecorded, body: Without, check: Check
) -> Receipt:
    return await on.call.handle(
        basis.DECIDER,
        f"basis/{event.basis}",
        str(on.case),
        event,
        body,
        check=check,
        location="/v1/bases/{id}",
        past=NEW,
    )


async def _write(
    on: tuple[OnCase, UUID, basis.Basis], command: basis.Command, body: Body
) -> Receipt:
    case, id, _ = on
    return await case.call.handle(basis.DECIDER, f"basis/{id}", str(case.case), command, body)


async def _named(on: OnCase, body: Without) -> None:
    all_known(on, body.persons, "body.persons")
    await may_be_named(on, set(body.holders), "body.holders")


async def _allowed(on: OnCase, holders: list[str], ground: Ground) -> None:
    """The table decides by the controller types of who gives and who receives."""
    known = await view.the_world(on.call.rt)
    own = known.agencies.get(on.call.who.agency)
    for code in holders:
        to = known.agencies.get(known.meant(code, on.call.now()) or "")
        if own is None or to is None or not allows(ground, own.controller, to.controller):
            raise bad_input("body.ground", f"not for {code} / {ground.citation}では提供できません")
