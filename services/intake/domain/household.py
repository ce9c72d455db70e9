"""A household: its persons, who is whose, who is meant first. Nobody is an ancestor of himself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    HouseholdEvent,
    HouseholdJoined,
    HouseholdLeft,
    KeyPersonNamed,
    PersonsRelated,
)
from shared.decider import Decider, Refused

INVERSE = {
    "spouse": "spouse",
    "child": "parent",
    "parent": "child",
    "sibling": "sibling",
    "grandparent": "grandchild",
    "grandchild": "grandparent",
    "other": "other",
}
ELDER = ("parent", "grandparent")
Pair = frozenset[UUID]


@dataclass(frozen=True)
class Household:
    """`lives_in`: each person ever named, and whether he lives there. `relations`: of two persons,
    the one named first, and what he is to the other.
    """

    lives_in: Mapping[UUID, bool] = field(default_factory=dict)
    relations: Mapping[Pair, tuple[UUID, str]] = field(default_factory=dict)
    key_person: UUID | None = None

    def relative(self, person: UUID, to: UUID) -> str | None:
        """What `person` is to the other, whoever of them was named first."""
        first, relation = self.relations.get(frozenset((person, to)), (person, None))
        return relation if first == person or relation is None else INVERSE[relation]

    def descendants(self, person: UUID) -> set[UUID]:
        found: set[UUID] = set()
        ahead = [person]
        while ahead:
            elder = ahead.pop()
            younger = {p for p in self.lives_in if self.relative(elder, p) in ELDER} - found
            found |= younger
            ahead += younger
        return found


@dataclass(frozen=True)
class Save:
    """As much as is known now, in this order; all of it or nothing."""

    parts: tuple[HouseholdEvent, ...]


def decide(state: Household, command: Save) -> list[Event]:
    for part in command.parts:
        if wrong := _wrong(state, part):
            raise Refused(wrong, "open", ("household",))
        state = evolve(state, part)
        if isinstance(part, PersonsRelated) and part.person in state.descendants(part.person):
            raise Refused("ancestor-of-oneself", "open", ("household",))
    return list(command.parts)


def _wrong(state: Household, part: HouseholdEvent) -> str | None:
    match part:
        case HouseholdJoined(person=person) if state.lives_in.get(person):
            return "person-in-household"
        case HouseholdLeft(person=person) | KeyPersonNamed(person=person):
            return None if state.lives_in.get(person) else "person-not-in-household"
        case PersonsRelated(person=person, to=to):
            if person == to:
                return "related-to-oneself"
            return None if {person, to} <= state.lives_in.keys() else "person-not-in-household"
        case _:
            return None


def evolve(state: Household, event: Event) -> Household:
    match event:
        case HouseholdJoined(person=person):
            return replace(state, lives_in={**state.lives_in, person: True})
        case HouseholdLeft(person=person):
            key = None if state.key_person == person else state.key_person
            return replace(state, lives_in={**state.lives_in, person: False}, key_person=key)
        case PersonsRelated(person=person, to=to, relation=relation):
            others = {p: r for p, r in state.relations.items() if p != {person, to}}
            if isinstance(relation, str):
                others[frozenset((person, to))] = person, relation
            return replace(state, relations=others)
        case KeyPersonNamed(person=person):
            return replace(state, key_person=person)
        case _:
            return state


DECIDER = Decider(Household(), decide, evolve)
