"""Cases that were merged, judged as one: their facts together, each consent as far as it reaches (L18). Pure.

The document of a case holds what was told in it and in those that go on in it. That of a merged case
stays what it was: undoing a merge takes nothing from it. But what is protected of a person (L11), or
stops what he gave (L4a, L22), in any of the cases that stand together does so in all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shared.basis import Consent, stopped_by
from shared.contracts import Recorded
from shared.contracts.intake import PersonFlagged
from shared.grounds import Ground
from shared.protection import Protections, protections

from .facts import Fact, Outline, errors, facts, outlines
from .grant import Bases

Pairs = Sequence[tuple[UUID, UUID]]
"""Who of one case is who of another."""


@dataclass(frozen=True)
class Merge:
    """One that holds: `merged` goes on in `into`; `same`: who of the one is who of the other."""

    id: UUID
    merged: UUID
    into: UUID
    same: tuple[tuple[UUID, UUID], ...] = ()
    confirmed: frozenset[UUID] = frozenset()


def below(case: UUID, merges: Iterable[Merge]) -> list[UUID]:
    """The case, and all that go on in it, directly or through others."""
    found = [case]
    for one in found:
        found += [m.merged for m in merges if m.into == one and m.merged not in found]
    return found


def near(case: UUID, merges: Iterable[Merge]) -> list[UUID]:
    """The case, and all that merges put together with it, whichever goes on in which."""
    ways = [(m.merged, m.into) for m in merges]
    found = [case]
    for one in found:
        ends = [end for way in ways if one in way for end in way]
        found += [end for end in dict.fromkeys(ends) if end not in found]
    return found


def joined(
    case: UUID, events: Mapping[UUID, Sequence[Recorded]], merges: Sequence[Merge]
) -> tuple[list[Fact], Bases]:
    """What is told of a case and on which bases it is judged; `events` by case."""
    together = near(case, merges)
    if len(together) == 1:
        return facts(events[case]), Bases.of(events[case])
    family = below(case, merges)
    held = [m for m in merges if m.into in family]
    pairs = [pair for m in merges if m.into in together for pair in m.same]
    same = dict(pair for merge in held for pair in merge.same)
    found = [_as_one(fact, same) for one in family for fact in facts(events[one])]
    of = {one: Bases.of(events[one]) for one in family}
    flagged = [e for one in together for e in events[one] if isinstance(e.event, PersonFlagged)]
    named = {person for fact in found for person in fact.subjects}
    told_in = {id: one for one, its in of.items() for id in (*its.consents, *its.grounds)}
    return found, Bases(
        {
            id: _given(c, same, pairs, flagged)
            for its in of.values()
            for id, c in its.consents.items()
        },
        {id: _ground(g, same) for its in of.values() for id, g in its.grounds.items()},
        of[case].protected,
        told_in,
        {id: _reached(home, id, held) for id, home in told_in.items()},
        tuple(
            _protected(protections(events[one]), named, pairs) for one in together if one != case
        ),
    )


def outlined(
    case: UUID, events: Mapping[UUID, Sequence[Recorded]], merges: Sequence[Merge]
) -> dict[tuple[UUID, str], Outline]:
    """By event and field, of a case and of those that go on in it, about whom the document knows."""
    family = below(case, merges)
    same = dict(pair for merge in merges if merge.into in family for pair in merge.same)
    return {
        ref: it._replace(subjects=frozenset(_who(person, same) for person in it.subjects))
        for one in family
        for ref, it in outlines(events[one]).items()
    }


def mistaken(
    case: UUID, events: Mapping[UUID, Sequence[Recorded]], merges: Sequence[Merge]
) -> list[Fact]:
    """What was recorded in error of a case and of those that go on in it (L17)."""
    family = below(case, merges)
    same = dict(pair for merge in merges if merge.into in family for pair in merge.same)
    return [_as_one(fact, same) for one in family for fact in errors(events[one])]


def _as_one(fact: Fact, same: Mapping[UUID, UUID]) -> Fact:
    slot = fact.slot
    if slot and slot[1]:
        slot = slot[0], str(_who(UUID(slot[1]), same)), slot[2]
    return fact._replace(subjects=frozenset(_who(p, same) for p in fact.subjects), slot=slot)


def _given(
    consent: Consent, same: Mapping[UUID, UUID], pairs: Pairs, flagged: Sequence[Recorded]
) -> Consent:
    """As given by who he is in the end; what stands of him in another case stands (L4a)."""
    giver = consent.recorded.person
    person = _who(giver, same)
    known_as = {e.event.person for e in flagged if isinstance(e.event, PersonFlagged)}
    for other in sorted(known_as & _ids(giver, pairs) - {giver}):
        consent = stopped_by(consent, flagged, other)
    return replace(consent, recorded=consent.recorded.model_copy(update={"person": person}))


def _ground(ground: Ground, same: Mapping[UUID, UUID]) -> Ground:
    persons = tuple(_who(person, same) for person in ground.recorded.persons)
    return replace(ground, recorded=ground.recorded.model_copy(update={"persons": persons}))


def _protected(protected: Protections, named: Iterable[UUID], pairs: Pairs) -> Protections:
    """By the names by which the document knows these persons."""
    return {
        (name, item): since
        for (person, item), since in protected.items()
        for name in _ids(person, pairs).intersection(named)
    }


def _reached(home: UUID, basis: UUID, merges: Iterable[Merge]) -> frozenset[UUID]:
    """Every case on a way of merges for each of which it was confirmed."""
    ways = [(m.merged, m.into) for m in merges if basis in m.confirmed]
    found = [home]
    for one in found:
        ends = [end for way in ways if one in way for end in way]
        found += [end for end in dict.fromkeys(ends) if end not in found]
    return frozenset(found)


def _ids(person: UUID, pairs: Pairs) -> set[UUID]:
    """All by which he is known in the cases that stand together."""
    found = {person}
    while more := {end for pair in pairs if found.intersection(pair) for end in pair} - found:
        found |= more
    return found


def _who(person: UUID, same: Mapping[UUID, UUID]) -> UUID:
    seen: set[UUID] = set()
    while person in same and person not in seen:
        seen.add(person)
        person = same[person]
    return person
