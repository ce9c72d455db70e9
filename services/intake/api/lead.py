"""The lead agency (主担当) of a case: there is always exactly one; it is handed over by consent of both."""

from collections.abc import Iterable

from fastapi import APIRouter
from pydantic import BaseModel

from shared.basis import World
from shared.contracts.codes import lead_minimum
from shared.contracts.intake import LeadAccepted, LeadDeclined, LeadOffered
from shared.http import Body, Receipt, Route, Text
from shared.problems import Problem, bad_input

from .. import view
from ..domain import case as cases
from .common import Agency, OnCase, OnCaseDep
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


@router.get("/v1/cases/{id}/lead-agency")
async def get_lead(on: OnCaseDep) -> Lead:
    return Lead(lead=on.state.lead, offered=on.state.offered or None)


@router.post("/v1/cases/{id}/lead-agency")
async def offer(on: OnCaseDep, body: Offer) -> Receipt:
    """By the lead agency. The other keeps nothing of it but that it was asked, until it accepts."""
    if on.call.who.agency != on.state.lead:
        raise Problem("wrong-role")

    async def check() -> None:
        world = await view.the_world(on.call.rt)
        if body.to not in world.agencies:
            raise bad_input("body.to", "not in the directory / 機関一覧にありません")
        await _has_basis(on, body.to, world)

    event = LeadOffered(case=on.case, to=body.to, note=body.note)
    return await on.write(cases.OfferLead(event), body, check=check)


@router.post("/v1/cases/{id}/lead-agency/acceptance")
async def accept(on: OnCaseDep, body: Acceptance) -> Receipt:
    """By the agency that was asked, while a basis lives that gives it the minimum (L9)."""
    mine = on.call.who.agency

    async def check() -> None:
        if mine == on.state.offered:
            await _has_basis(on, mine, await view.the_world(on.call.rt))

    return await on.write(
        cases.AcceptLead(LeadAccepted(case=on.case, lead=mine)), body, check=check
    )


@router.post("/v1/cases/{id}/lead-agency/decline")
async def decline(on: OnCaseDep, body: Decline) -> Receipt:
    event = LeadDeclined(case=on.case, to=on.call.who.agency, note=body.note)
    return await on.write(cases.DeclineLead(event), body)


async def _has_basis(on: OnCase, agency: str, world: World) -> None:
    """L9: for one person of the case at least, live bases together give the minimum."""
    if not _enough((await given(on, agency, on.state.lead, world)).values()):
        raise no_live_basis(on)


def _enough(given: Iterable[set[str]]) -> bool:
    return any(lead_minimum() <= classes for classes in given)
