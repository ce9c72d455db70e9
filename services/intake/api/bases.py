"""What held when: each person's bases at a moment, in words for who leads the case."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.basis import Consent, World, flags
from shared.contracts import Recorded
from shared.grounds import Ground
from shared.http import Moment, Route

from .. import view
from ..domain import in_words
from .common import OnCaseDep
from .given import recorded_in, told_of_bases

router = APIRouter(route_class=Route)


class BasisShown(BaseModel):
    """`live`: begun ≤ at < end. `stopped_at`: since then nothing new flows by it. `words`: the same
    for people to read.
    """

    kind: Literal["consent", "urgent", "ground"]
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
    on.need_lead()
    moment = at or on.call.now()
    events = await told_of_bases(on)
    on.reads(events)
    known = await view.the_world(on.call.rt)
    given = await recorded_in(on, events)
    given.sort(key=lambda one: (one.recorded.begins, one.id))
    return [of_person(on.events, one, given, known, moment) for one in sorted(on.state.people)]


def of_person(
    events: list[Recorded], person: UUID, given: list[Consent | Ground], known: World, at: datetime
) -> PersonBases:
    """`events`: of the case."""
    mine = [one for one in given if isinstance(one, Consent) and one.recorded.person == person]
    others = [one for one in given if isinstance(one, Ground) and person in one.recorded.persons]
    standing = [now for since, now in flags(events, person) if since <= at]
    return PersonBases(
        person=person,
        mark="【本人同意あり】" if any(one.live(at) for one in mine) else "【本人同意なし】",
        flags=sorted(standing[-1] if standing else ()),
        bases=[
            *(_consent(one, known, at) for one in mine),
            *(_ground(one, known, at) for one in others),
        ],
    )


def _ground(found: Ground, known: World, at: datetime) -> BasisShown:
    said = found.recorded
    return BasisShown(
        kind=found.kind,
        id=found.id,
        status="granted",
        live=found.live(at),
        stopped_at=found.stopped(at) if found.live(at) else None,
        classes=list(said.classes),
        purposes=[],
        holders=list(said.holders),
        group=None,
        excluded=[],
        begins=said.begins,
        ends=found.end,
        words=in_words.ground(found, known, at),
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
        words=in_words.consent(found, known, at),
    )
