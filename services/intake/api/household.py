"""The household of a case: its persons, who is whose, and one's own other cases of it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shared.blocks import blocked
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    HouseholdEvent,
    HouseholdJoined,
    HouseholdLeft,
    KeyPersonNamed,
    PersonsRelated,
)
from shared.http import Body, Receipt, Route
from shared.problems import bad_input

from .. import view
from ..domain import household
from .common import OnCase, OnCaseDep, all_known
from .sheet import Part, PartialDate, not_to_come

router = APIRouter(route_class=Route)


class Joined(Part):
    person: UUID
    since: PartialDate | None = None


class Left(Part):
    person: UUID
    on: PartialDate | None = None
    reason: Annotated[str, *OneOf("household_leaving")]


class Related(Part):
    """`person` is the `relation` of `to`: 親 means the parent of `to`. None takes it back."""

    person: UUID
    to: UUID
    relation: Annotated[str, *OneOf("kinship")] | None = None


class Members(Body):
    """As much as is known; who joins is a person of the case."""

    joined: list[Joined] = Field([], max_length=20)
    left: list[Left] = Field([], max_length=20)
    relations: list[Related] = Field([], max_length=100)
    key_person: UUID | None = None


class Relative(BaseModel):
    """What the other is to the person: each relation is told from both sides."""

    person: UUID
    relation: str


class Member(BaseModel):
    person: UUID
    lives_in: bool
    since: str | None = None
    left_on: str | None = None
    left_reason: str | None = None
    relatives: list[Relative] = []


class HouseholdCase(BaseModel):
    id: UUID
    lead: str
    status: str
    opened_at: datetime


class HouseholdFile(BaseModel):
    """What the caller's agency may read of it (L20), and its own cases of this household."""

    id: UUID
    version: int
    key_person: UUID | None
    members: list[Member]
    cases: list[HouseholdCase]


@router.get("/v1/cases/{id}/household")
async def get_household(on: OnCaseDep) -> HouseholdFile:
    id = _id(on)
    past = await on.call.load(f"household/{id}")
    heard = [e for e in past.events if on.hears(e)]
    on.call.reads(f"household/{id}", on.basis, heard, on.case)
    shown = [e.event for e in heard if isinstance(e.event, HouseholdEvent)]
    gone = await blocked(on.call.rt.reads, on.call.who, [e.told_in for e in shown])
    shown = [e for e in shown if e.told_in not in gone]
    cases = await view.cases_of_household(on.call.rt, on.call.who, id)
    on.call.shows(past.version)
    return HouseholdFile(
        id=id,
        version=past.version,
        key_person=household.DECIDER.fold(shown).key_person,
        members=_members(shown),
        cases=[HouseholdCase.model_validate(row) for row in cases],
    )


@router.post("/v1/cases/{id}/household")
async def save_household(on: OnCaseDep, body: Members) -> Receipt:
    """All of it or nothing; If-Match guards the household."""
    id = _id(on)
    at: dict[str, Any] = {"household": id, "told_in": on.case}
    parts: list[HouseholdEvent] = [
        *(HouseholdJoined(**at, person=one.person, since=one.since) for one in body.joined),
        *(HouseholdLeft(**at, **one.model_dump()) for one in body.left),
        *(PersonsRelated(**at, **one.model_dump()) for one in body.relations),
        *([KeyPersonNamed(**at, person=body.key_person)] if body.key_person else []),
    ]
    if not parts:
        raise bad_input("body", "nothing to save / 記録する内容がありません")
    for name, days in (
        ("joined", [j.since for j in body.joined]),
        ("left", [p.on for p in body.left]),
    ):
        not_to_come(on.call, days, f"body.{name}")

    async def check() -> None:
        all_known(on, [one.person for one in body.joined], "body.joined")

    return await on.call.handle(
        household.DECIDER,
        f"household/{id}",
        str(id),
        household.Save(tuple(parts)),
        body,
        check=check,
    )


def _id(on: OnCase) -> UUID:
    assert on.state.household  # every case begins with one
    return on.state.household


def _members(events: list[HouseholdEvent]) -> list[Member]:
    """Folded from the events that are shown."""
    state = household.DECIDER.fold(events)
    found = {
        person: Member(person=person, lives_in=lives_in)
        for person, lives_in in state.lives_in.items()
    }
    for event in events:
        match event:
            case HouseholdJoined(person=person, since=since):
                found[person].since = readable(since)
                found[person].left_on = found[person].left_reason = None
            case HouseholdLeft(person=person) if person in found:
                found[person].left_on = readable(event.on)
                found[person].left_reason = readable(event.reason)
    for person, member in found.items():
        relations = {other: state.relative(other, person) for other in found}
        member.relatives = [Relative(person=p, relation=r) for p, r in relations.items() if r]
    return list(found.values())
