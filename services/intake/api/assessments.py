"""Assessments of a case's people (アセスメント), and who coordinates the case (いこまる主任推進員)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from shared.contracts.codes import OneOf
from shared.contracts.intake import CaseAssessed, CoordinatorNamed, CoordinatorRelieved
from shared.http import Body, Receipt, Route, Text
from shared.problems import Problem, bad_input

from .. import view
from ..domain import case as cases
from .common import Agency, Fact, OnCase, OnCaseDep, Staff, all_known, fact
from .sheet import NotTo

router = APIRouter(route_class=Route)


class Assessment(Body):
    """`facts` and `wishes` as they were told; `needs` and `challenges` are the worker's judgement."""

    person: UUID
    facts: Text | None = None
    wishes: Text | None = None
    needs: Text | None = None
    challenges: list[Annotated[str, *OneOf("challenge")]] | None = Field(None, max_length=30)
    not_to: NotTo = Field([])


class Coordinator(Body):
    """`agency`: where the coordinator works; empty: at the caller's."""

    coordinator: Staff
    agency: Agency | None = None


class Relief(Body):
    pass


@router.post("/v1/cases/{id}/assessments")
async def assess(on: OnCaseDep, body: Assessment) -> Receipt:
    """Partial is fine: what is left out stands as it was assessed before."""
    event = CaseAssessed(case=on.case, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        all_known(on, [body.person], "body.person")
        if all(v is None for v in (body.facts, body.wishes, body.needs, body.challenges)):
            raise bad_input("body", "nothing is assessed / 内容がありません")

    return await on.write(cases.Assess(event), body, check=check)


@router.get("/v1/cases/{id}/assessments")
async def list_assessments(on: OnCaseDep) -> list[Fact]:
    """Oldest first: all for the lead agency, for others their own (L20)."""
    return [fact(on, e) for e in on.shown() if isinstance(e.event, CaseAssessed)]


@router.post("/v1/cases/{id}/coordinator")
async def name_coordinator(on: OnCaseDep, body: Coordinator) -> Receipt:
    """By the lead agency. The coordinator learns of the case what a basis gives, and no more (L9)."""
    agency = body.agency or on.call.who.agency
    _led(on)
    event = CoordinatorNamed(case=on.case, coordinator=body.coordinator, agency=agency)

    async def check() -> None:
        if agency != on.call.who.agency:
            if agency not in (await view.the_world(on.call.rt)).agencies:
                raise bad_input("body.agency", "not in the directory / 機関一覧にありません")
        elif body.coordinator in on.staff.blocked:
            raise bad_input("body.coordinator", "blocked from this case / 担当から外されています")

    return await on.write(cases.NameCoordinator(event), body, check=check)


@router.post("/v1/cases/{id}/coordinator/relief")
async def relieve_coordinator(on: OnCaseDep, body: Relief) -> Receipt:
    _led(on)
    who = on.state.coordinator[0] if on.state.coordinator else on.call.who.subject
    event = CoordinatorRelieved(case=on.case, coordinator=who)
    return await on.write(cases.RelieveCoordinator(event), body)


def _led(on: OnCase) -> None:
    if on.call.who.agency != on.lead:
        raise Problem("wrong-role")
    on.call.need("coordinator", "supervisor")
