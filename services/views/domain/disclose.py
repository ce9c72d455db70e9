"""What an agency may hold of a case at a moment, and what a named member may open. Pure.

Rules by number: lawful-sharing.md L1–L6, L12, L13, L19. No lawyer has confirmed them (要確認).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.basis import Consent, Member, World, reaches
from shared.calendar import fiscal_year
from shared.contracts import CONSENTABLE, Recorded
from shared.contracts.codes import bodies
from shared.contracts.event import Consentable
from shared.contracts.intake import PersonDescribed
from shared.contracts.meetings import MatterEnded, MatterSubmitted, MembersAsked, MembersCalled

from .facts import Fact

Coverage = Literal["covered", "not_covered"]


@dataclass(frozen=True)
class Basis:
    """Why an item is shown. `id` is the consent or matter; for an own record the agency."""

    kind: Literal["own_record", "consent", "matter"]
    id: str


@dataclass(frozen=True)
class Item:
    fact: Fact
    bases: tuple[Basis, ...]


@dataclass(frozen=True)
class Shown:
    """Items in a stable order; for every person shown, each consentable class (L13)."""

    items: tuple[Item, ...]
    persons: Mapping[UUID, Mapping[Consentable, Coverage]]


@dataclass(frozen=True)
class Grant:
    """What one basis gives to one agency now: classes of persons. `before`: nothing recorded since."""

    basis: Basis
    persons: frozenset[UUID]
    classes: frozenset[str]
    before: datetime | None = None

    def gives(self, fact: Fact, person: UUID) -> bool:
        known = self.before is None or fact.at < self.before
        return known and person in self.persons and fact.data_class in self.classes


def disclose(
    facts: Iterable[Fact],
    consents: Mapping[UUID, Consent],
    world: World,
    agency: str,
    at: datetime,
) -> Shown:
    """Document(agency, case, at): what a live basis covers and no mark *not to* it forbids (L1)."""
    granted = grants(consents, world, agency, at)
    items = [
        Item(fact, bases)
        for fact in facts
        if agency not in fact.not_to and (bases := (*_own(fact, agency), *_granted(fact, granted)))
    ]
    newest = _newest(items)
    shown = {person for item in newest for person in item.fact.subjects}
    persons = {
        person: {name: _coverage(granted, person, name) for name in CONSENTABLE}
        for person in sorted(shown)
    }
    return Shown(tuple(newest), persons)


def grants(
    consents: Mapping[UUID, Consent], world: World, agency: str, at: datetime
) -> list[Grant]:
    """L3, L4a: what the live consents give the agency, in the order of their ids."""
    return [
        Grant(
            Basis("consent", str(id)),
            frozenset((consent.recorded.person,)),
            consent.classes(at) & set(CONSENTABLE),
            consent.stopped(at),
        )
        for id, consent in sorted(consents.items(), key=lambda one: str(one[0]))
        if reaches(consent, agency, world, at)
    ]


def _own(fact: Fact, agency: str) -> tuple[Basis, ...]:
    """L2: what its staff recorded, except what is sealed to a body."""
    if fact.recorded_by == agency and fact.data_class != "sealed":
        return (Basis("own_record", agency),)
    return ()


def _granted(fact: Fact, granted: Sequence[Grant]) -> tuple[Basis, ...]:
    """L4: for every subject a basis gives this class."""
    bases: list[Basis] = []
    for person in sorted(fact.subjects):
        mine = [grant.basis for grant in granted if grant.gives(fact, person)]
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
    return sorted(
        slots.values(), key=lambda i: (str(i.fact.person), i.fact.type, i.fact.field, i.fact.age)
    )


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
    world: World,
    member: str,
    agency: str,
    at: datetime,
) -> tuple[Item, ...]:
    """Reading(member, case, at): sealed facts of live matters, for members called and pledged
    for the fiscal year, and for the body's secretariat (L5, L5a, L12); for members who are asked,
    the minimum that identifies its subjects (L5b).
    """
    facts = list(facts)
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
    body = bodies().get(matter.body)
    return (
        body is not None
        and fact.type == PersonDescribed.TYPE
        and fact.field in body.enquiry_minimum
        and fact.person in matter.subjects
    )


def may_open(matter: Matter, world: World, member: str, agency: str, at: datetime) -> bool:
    named = pledged(matter, world, member, agency, at)
    return named is not None and (named.secretariat or member in matter.called)


def pledged(matter: Matter, world: World, member: str, agency: str, at: datetime) -> Member | None:
    """The member, if he belongs to the body for that agency, pledged secrecy for this fiscal
    year, and the matter lives.
    """
    named = world.pools.get(matter.body, {}).get(member)
    if named is None or named.agency != agency or not named.belongs(at) or not matter.live(at):
        return None
    return named if fiscal_year(at) in named.years else None
