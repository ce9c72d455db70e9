"""The lead agency (主担当) of a case: there is always exactly one; it is handed over by consent of both."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.audit import content_free
from shared.basis import World
from shared.contracts import Event, sealed_fields
from shared.contracts.codes import lead_minimum
from shared.contracts.intake import LeadAccepted, LeadDeclined, LeadOffered
from shared.http import Body, Call, Receipt, Route, Text
from shared.problems import bad_input

from .. import succession, view
from ..domain import case as cases
from .common import Agency, OnCase, OnCaseDep, worker
from .given import given, no_live_basis

router = APIRouter(route_class=Route)


class Offer(Body):
    to: Agency
    note: Text | None = None


class Acceptance(Body):
    pass


class Decline(Body):
    note: Text | None = None


class Lead(BaseModel):
    """`offered`: the agency that has been asked to take the case over, and has not answered."""

    lead: str
    offered: str | None


class Takeover(BaseModel):
    """`since` when, and for how many whole days, nobody leads it; `former`: who led it till then."""

    case: UUID
    programme: str
    former: str
    since: datetime
    days: int


@router.get("/v1/takeovers")
@content_free
async def list_takeovers(call: Annotated[Call, Depends(worker)]) -> list[Takeover]:
    """Open cases that the caller's agency is to take over with a programme that it runs now, the longest
    without a lead first; each until somebody accepts it (`POST /v1/cases/{id}/lead-agency/acceptance`).
    """
    return [
        Takeover(**one._asdict(), days=(call.now() - one.since).days)
        for one in await succession.waiting(call.rt, call.who)
    ]


@router.get("/v1/cases/{id}/lead-agency")
async def get_lead(on: OnCaseDep) -> Lead:
    """`lead` is empty, and `offered` who runs the programme now, when who led the case under it does no
    more: until he accepts.
    """
    offered = on.state.offered or (on.successor if not on.lead else None)
    return Lead(lead=on.lead, offered=offered or None)


@router.post("/v1/cases/{id}/lead-agency")
async def offer(on: OnCaseDep, body: Offer) -> Receipt:
    """By the lead agency. The other keeps nothing of it but that it was asked, until it accepts."""
    on.need_lead()

    async def check() -> None:
        world = await view.the_world(on.call.rt)
        if body.to not in world.agencies:
            raise bad_input("body.to", "not in the directory / 機関一覧にありません")
        await _has_basis(on, body.to, world)

    event = LeadOffered(case=on.case, to=body.to, note=body.note)
    return await on.write(cases.OfferLead(event), body, check=check)


@router.post("/v1/cases/{id}/lead-agency/acceptance")
async def accept(on: OnCaseDep, body: Acceptance) -> Receipt:
    """By the agency that was asked, or that runs the programme now under which the case was led; while a
    basis lives that gives it the minimum (L9).
    """
    mine = on.call.who.agency
    takes_over = mine == on.successor != on.state.lead

    async def check() -> None:
        if mine == on.state.offered or takes_over:
            await _has_basis(on, mine, await view.the_world(on.call.rt))

    accepted = LeadAccepted(case=on.case, lead=mine)
    return await on.write(cases.AcceptLead(accepted, takes_over), body, check=check)


@router.post("/v1/cases/{id}/lead-agency/decline")
async def decline(on: OnCaseDep, body: Decline) -> Receipt:
    event = LeadDeclined(case=on.case, to=on.call.who.agency, note=body.note)
    return await on.write(cases.DeclineLead(event), body)


async def _has_basis(on: OnCase, agency: str, world: World) -> None:
    """L9: for one person of the case at least, live bases together give the minimum; own records, also
    those that came with a programme (L2), are a basis.
    """
    told = await given(on, agency, on.state.lead, world)
    for recorded in on.events:
        if on.keeper(recorded) == agency:
            _add_own(recorded.event, told)
    if not _enough(told.values()):
        raise no_live_basis(on)


def _add_own(event: Event, told: dict[UUID, set[str]]) -> None:
    """Classes of what an event holds: of a person, else of the household (L4)."""
    fields = sealed_fields(type(event)).items()
    held = {mark.data_class for name, mark in fields if getattr(event, name) not in (None, ())}
    person = getattr(event, "person", None)
    for one in told if person is None else told.keys() & {person}:
        told[one] |= held


def _enough(given: Iterable[set[str]]) -> bool:
    return any(lead_minimum() <= classes for classes in given)
