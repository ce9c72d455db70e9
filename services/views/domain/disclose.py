"""What an agency may hold of a case at a moment, and what a named member may open. Pure.

Rules by number: lawful-sharing.md L1–L8, L11–L13, L19, L22. No lawyer has confirmed them (要確認).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from shared.basis import Member, World
from shared.calendar import fiscal_year
from shared.contracts import CONSENTABLE, Recorded
from shared.contracts.codes import bodies
from shared.contracts.event import Consentable
from shared.contracts.intake import PersonDescribed
from shared.contracts.meetings import MatterEnded, MatterSubmitted, MembersAsked, MembersCalled

from .facts import Fact
from .grant import Bases, Basis, Grant, grants

ItemKey = tuple[UUID, str, bool]
"""Event, field, and whether in the place of the value only a word of it is shown: a warning, an error."""
Told = Literal["corrected", "recorded_in_error"]
Coverage = Literal["covered", "not_covered"]
Refusal = Literal["newer", "no_basis", "not_to", "protected"]
"""`newer`: another value of its slot shows (L17)."""


class Item(NamedTuple):
    """`warned`: not the value, but that it is protected (L11). `corrects`: what the agency held (L17)."""

    fact: Fact
    bases: tuple[Basis, ...]
    warned: bool = False
    corrects: bool = False

    @property
    def key(self) -> ItemKey:
        return self.fact.event, self.fact.field, self.warned or self.fact.error_at is not None

    @property
    def told(self) -> Told | None:
        if self.fact.error_at:
            return "recorded_in_error"
        return "corrected" if self.corrects else None


@dataclass(frozen=True)
class Shown:
    """Items in a stable order; for every person shown, each consentable class (L13)."""

    items: tuple[Item, ...]
    persons: Mapping[UUID, Mapping[Consentable, Coverage]]


def disclose(facts: Iterable[Fact], bases: Bases, world: World, agency: str, at: datetime) -> Shown:
    """Document(agency, case, at): what a live basis covers and no mark *not to* it forbids (L1); in the
    place of a protected item a warning, for those who recorded or held it (L11).
    """
    granted = grants(bases, world, agency, at)
    items = judged(facts, bases, world, agency, at, granted)
    items.sort(key=_place)
    shown = {person for item in items for person in item.fact.subjects}
    return Shown(tuple(items), covered(granted, shown))


def covered(
    granted: Sequence[Grant], persons: Iterable[UUID]
) -> dict[UUID, Mapping[Consentable, Coverage]]:
    """L13: of each, whether a basis gives each consentable class, whatever there is of it."""
    return {
        person: {name: _coverage(granted, person, name) for name in CONSENTABLE}
        for person in sorted(persons)
    }


def judged(
    facts: Iterable[Fact],
    bases: Bases,
    world: World,
    agency: str,
    at: datetime,
    granted: Sequence[Grant],
    refused: list[tuple[Fact, Refusal]] | None = None,
) -> list[Item]:
    """How each fact is shown, the newest first. Into `refused` go the others, if somebody asks why."""
    items: list[Item] = []
    filled: set[tuple[str, str, str]] = set()
    for fact in sorted(facts, key=_age, reverse=True):
        found = "newer" if fact.slot in filled else _item(fact, bases, world, agency, at, granted)
        if isinstance(found, Item):
            items.append(found)
            if fact.slot:
                filled.add(fact.slot)
        elif refused is not None:
            refused.append((fact, found))
    return items


def _item(
    fact: Fact, bases: Bases, world: World, agency: str, at: datetime, granted: Sequence[Grant]
) -> Item | Refusal:
    keeper = keeper_of(fact, world, at)
    covered = (*_own(fact, keeper, world, agency), *_granted(fact, keeper, granted))
    if not covered:
        return "no_basis"
    if agency in fact.not_to:
        return "not_to"
    hidden = bases.hidden_since(fact, agency, at)
    if hidden is None:
        return Item(fact, covered)
    if not fact.error_at and (
        fact.recorded_by == agency or _held(fact, bases, world, agency, hidden)
    ):
        return Item(fact, covered, warned=True)
    return "protected"


def _age(fact: Fact) -> tuple[datetime, datetime, UUID]:
    return fact.age


def _place(item: Item) -> tuple[object, ...]:
    return str(item.fact.person), item.fact.type, item.fact.field, item.fact.age


def _held(fact: Fact, bases: Bases, world: World, agency: str, at: datetime) -> bool:
    """Was it already shown to the agency by then, or its own as a successor?"""
    if fact.at >= at:
        return False
    known, keeper = grants(bases.recorded_before(at), world, agency, at), keeper_of(fact, world, at)
    return bool(_own(fact, keeper, world, agency) or _granted(fact, keeper, known))


def _own(fact: Fact, keeper: str | None, world: World, agency: str) -> tuple[Basis, ...]:
    """L2: what its staff recorded in its own right, and what anybody's recorded under a programme that it
    runs now; except what is sealed to a body.
    """
    if fact.data_class == "sealed" or keeper != agency:
        return ()
    programme = world.offices.programme_of(fact.recorded_by, fact.actor, fact.at)
    return (Basis("own_record", agency, programme),)


def keeper_of(fact: Fact, world: World, at: datetime) -> str | None:
    """Whose own record it is then (L2)."""
    return world.offices.keeper(fact.recorded_by, fact.actor, fact.at, at)


def _granted(fact: Fact, keeper: str | None, granted: Sequence[Grant]) -> tuple[Basis, ...]:
    """L4: for every subject a basis gives this class."""
    if not granted:
        return ()
    bases: list[Basis] = []
    for person in sorted(fact.subjects):
        mine = [grant.basis for grant in granted if grant.lack(fact, person, keeper) is None]
        if not mine:
            return ()
        bases += mine
    return tuple(bases)


def _coverage(granted: Sequence[Grant], person: UUID, name: Consentable) -> Coverage:
    given = any(person in grant.persons and name in grant.classes for grant in granted)
    return "covered" if given else "not_covered"


def _newest(items: Iterable[Item]) -> list[Item]:
    slots: dict[tuple[object, ...], Item] = {}
    for item in items:
        slot = item.fact.slot or (item.fact.event, item.fact.field)
        if slot not in slots or slots[slot].fact.age < item.fact.age:
            slots[slot] = item
    return sorted(slots.values(), key=_place)


@dataclass(frozen=True)
class Matter:
    """A case before a statutory body, open from submission to the body's end of it (L5)."""

    id: UUID
    body: str
    submitted_by: str
    submitted_at: datetime
    subjects: frozenset[UUID] = frozenset()
    called: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    ended_at: datetime | None = None

    def live(self, at: datetime) -> bool:
        return self.submitted_at <= at and (self.ended_at is None or at < self.ended_at)


def matters(events: Iterable[Recorded]) -> dict[UUID, Matter]:
    """Fold the matters of one case from a set of events, in any order."""
    events = list(events)
    found: dict[UUID, Matter] = {}
    for e in events:
        if isinstance(e.event, MatterSubmitted):
            id = e.event.matter
            ends = [
                other.envelope.occurred_at
                for other in events
                if isinstance(other.event, MatterEnded) and other.event.matter == id
            ]
            found[id] = Matter(
                id,
                e.event.body,
                e.envelope.agency,
                e.envelope.occurred_at,
                frozenset(e.event.subjects),
                _members(events, MembersCalled, id),
                _members(events, MembersAsked, id),
                min(ends, default=None),
            )
    return found


def _members(
    events: Iterable[Recorded], kind: type[MembersCalled] | type[MembersAsked], matter: UUID
) -> frozenset[str]:
    return frozenset(
        member
        for e in events
        if isinstance(e.event, kind) and e.event.matter == matter
        for member in e.event.members
    )


def reading(
    facts: Iterable[Fact],
    matters: Mapping[UUID, Matter],
    bases: Bases,
    world: World,
    member: str,
    agency: str,
    at: datetime,
) -> tuple[Item, ...]:
    """Reading(member, case, at): sealed facts of live matters, for members called and pledged
    for the fiscal year, and for the body's secretariat (L5, L5a, L12); for members who are asked,
    the minimum that identifies its subjects (L5b); nothing that is protected from the agency (L11).
    """
    facts = [fact for fact in facts if not bases.hidden_since(fact, agency, at)]
    items: list[Item] = []
    for matter in matters.values():
        basis = (Basis("matter", str(matter.id)),)
        if may_open(matter, world, member, agency, at):
            items += [Item(fact, basis) for fact in facts if fact.matter == matter.id]
        elif member in matter.asked and pledged(matter, world, member, agency, at):
            minimum = (fact for fact in facts if _identifies(fact, matter))
            items += _newest(Item(fact, basis) for fact in minimum)
    return tuple(sorted(items, key=lambda item: item.fact.age))


def _identifies(fact: Fact, matter: Matter) -> bool:
    body = bodies(matter.submitted_at).get(matter.body)
    return (
        body is not None
        and fact.type == PersonDescribed.TYPE
        and fact.field in body.enquiry_minimum
        and fact.person in matter.subjects
    )


def may_open(matter: Matter, world: World, member: str, agency: str, at: datetime) -> bool:
    named = pledged(matter, world, member, agency, at)
    return named is not None and (named.secretariat or member in matter.called)


def offices(world: World, member: str, agency: str) -> list[str]:
    """Bodies in whose secretariat the member was named for that agency (L5a); whether he is pledged, or
    has left, is another question.
    """
    return [
        body
        for body, pool in world.pools.items()
        if (named := pool.get(member)) and named.secretariat and named.agency == agency
    ]


def pledged(matter: Matter, world: World, member: str, agency: str, at: datetime) -> Member | None:
    """The member, if he belongs to the body for that agency, pledged secrecy for this fiscal
    year, and the matter lives.
    """
    named = world.pools.get(matter.body, {}).get(member)
    if named is None or named.agency != agency or not named.belongs(at) or not matter.live(at):
        return None
    return named if fiscal_year(at) in named.years else None
