"""What held when: each person's bases at a moment, in words for who leads the case."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.basis import Consent, World, consents, flags
from shared.calendar import TOKYO
from shared.contracts.codes import bodies, labels
from shared.http import Moment, Route
from shared.problems import Problem

from .. import view
from .common import OnCase, OnCaseDep

router = APIRouter(route_class=Route)


class BasisShown(BaseModel):
    """`live`: begun ≤ at < end. `stopped_at`: since then nothing new flows by it. `words`: the same
    for people to read.
    """

    kind: Literal["consent"]
    id: UUID
    status: str
    live: bool
    stopped_at: datetime | None
    classes: list[str]
    purposes: list[str]
    holders: list[str]
    group: str | None
    excluded: list[str]
    begins: datetime
    ends: datetime | None
    words: str


class PersonBases(BaseModel):
    """`mark`: 【本人同意あり】 while a consent lives, else 【本人同意なし】."""

    person: UUID
    mark: Literal["【本人同意あり】", "【本人同意なし】"]
    flags: list[str]
    bases: list[BasisShown]


@router.get("/v1/cases/{id}/bases")
async def list_bases(
    on: OnCaseDep, at: Annotated[Moment | None, Query()] = None
) -> list[PersonBases]:
    """All bases of each person, live at that moment (now if not given) or not. For who leads the case."""
    if on.call.who.agency != on.state.lead:
        raise Problem("wrong-role")
    moment = at or on.call.now()
    events = list(on.events)
    for stream in await view.streams_of(on.call.rt, on.case, "consent"):
        events += (await on.call.load(stream)).events
    on.reads(events)
    known = await view.the_world(on.call.rt)
    given = sorted(consents(events).values(), key=lambda one: (one.recorded.begins, one.id))
    return [_person(on, one, given, known, moment) for one in sorted(on.state.people)]


def _person(
    on: OnCase, person: UUID, given: list[Consent], known: World, at: datetime
) -> PersonBases:
    mine = [consent for consent in given if consent.recorded.person == person]
    standing = [now for since, now in flags(on.events, person) if since <= at]
    return PersonBases(
        person=person,
        mark="【本人同意あり】" if any(one.live(at) for one in mine) else "【本人同意なし】",
        flags=sorted(standing[-1] if standing else ()),
        bases=[_consent(one, known, at) for one in mine],
    )


def _consent(found: Consent, known: World, at: datetime) -> BasisShown:
    said = found.recorded
    classes = found.classes(at)
    return BasisShown(
        kind="consent",
        id=found.id,
        status=said.status,
        live=found.live(at),
        stopped_at=found.stopped(at),
        classes=[name for name in said.classes if name in classes],
        purposes=list(said.purposes),
        holders=[holder for holder in said.holders if holder not in found.excluded(at)],
        group=said.group,
        excluded=sorted(found.excluded(at)),
        begins=said.begins,
        ends=found.end,
        words=_words(found, known, at),
    )


def _words(found: Consent, known: World, at: datetime) -> str:
    """「同意(書面): 2026-04-01 から、地域包括支援センターに、氏名…を。」"""
    said = found.recorded
    to = [_name(code, known) for code in said.holders if code not in found.excluded(at)]
    if said.group:
        body = bodies().get(said.group)
        to.append(f"{body.name if body else said.group}の構成機関")
    what = "、".join(labels("data_class").get(name, name) for name in sorted(found.classes(at)))
    how = labels("consent_medium").get(said.medium, said.medium)
    proxy = f"、代理人: {labels('proxy').get(said.proxy, said.proxy)}" if said.proxy else ""
    state = "" if found.live(at) else " (この時点では効力なし)"
    if found.live(at) and (since := found.stopped(at)):
        state = f" ({_day(since)} から新たな提供は停止)"
    return (
        f"{labels('consent_status').get(said.status, said.status)}({how}{proxy}): "
        f"{_day(said.begins)} から{_until(found.end)}、{'、'.join(to)}に、{what}{state}"
    )


def _name(code: str, known: World) -> str:
    agency = known.agencies.get(code)
    return agency.name if agency else code


def _day(at: datetime) -> str:
    return at.astimezone(TOKYO).date().isoformat()


def _until(end: datetime | None) -> str:
    return f" {_day(end)} まで" if end else ""
