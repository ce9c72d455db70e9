"""Why an item is in an agency's document or not: the rule, in words for those who answer for the case. Pure.

It asks the functions that disclose; what they refuse is only looked at more closely here.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from shared.basis import Consent, World, bar, is_meant
from shared.grounds import Ground

from .disclose import Item, Refusal, judged, keeper_of
from .facts import Fact
from .grant import Bases, Basis, Grant, grants, ground_bar

Code = Literal[
    "own_record", "consent", "urgent", "ground", "warned",
    "newer", "not_to", "protected", "sealed", "reporter", "passed_on", "others",
    "other_case", "other_provider", "stopped", "other_class", "judgement", "excluded", "other_purpose",
    "joined_later", "ended", "not_begun", "not_given", "not_registered", "not_named", "no_basis",
]  # fmt: skip


PERMITTING: frozenset[Code] = frozenset(("own_record", "consent", "urgent", "ground"))
NEAR: dict[Code, int] = {code: n for n, code in enumerate(get_args(Code))}
"""Of several that do not give it, the first of these came nearest."""


class Reason(NamedTuple):
    """`bases`: by which it is shown, also if only as a warning."""

    code: Code
    bases: tuple[Basis, ...] = ()

    @property
    def permits(self) -> bool:
        """Whether the agency is shown the value."""
        return self.code in PERMITTING


def reasons(
    facts: Iterable[Fact], bases: Bases, world: World, agency: str, at: datetime
) -> Iterator[tuple[Fact, Reason]]:
    """Of each fact of a case why the agency's document shows it, or why not."""
    granted = grants(bases, world, agency, at)
    refused: list[tuple[Fact, Refusal]] = []
    for item in judged(facts, bases, world, agency, at, granted, refused):
        yield item.fact, Reason("warned" if item.warned else _kind(item), item.bases)
    for fact, why in refused:
        yield (
            fact,
            Reason(_lacking(fact, bases, world, agency, at, granted) if why == "no_basis" else why),
        )


def _kind(item: Item) -> Code:
    (kind,) = {basis.kind for basis in item.bases[:1]}
    return "consent" if kind == "matter" else kind


def _lacking(
    fact: Fact, bases: Bases, world: World, agency: str, at: datetime, granted: Sequence[Grant]
) -> Code:
    if agency in fact.not_to:
        return "not_to"
    if fact.data_class in ("sealed", "reporter"):
        return "sealed" if fact.data_class == "sealed" else "reporter"
    if fact.recorded_by == agency:
        return "passed_on"
    keeper = keeper_of(fact, world, at)
    lacks = {
        person: _lack(fact, person, keeper, bases, world, agency, at, granted)
        for person in sorted(fact.subjects)
    }
    left = [lack for lack in lacks.values() if lack]
    if len(left) < len(lacks):
        return "others"
    nearest = _nearest(left)
    return "judgement" if fact.data_class == "judgement" and nearest == "other_class" else nearest


def _lack(
    fact: Fact, person: UUID, keeper: str | None, bases: Bases, world: World, agency: str, at: datetime,
    granted: Sequence[Grant],
) -> Code | None:  # fmt: skip
    """What came nearest to giving it of this person; None: something does."""
    found: list[Code] = []
    for grant in granted:
        if person in grant.persons:
            lack = grant.lack(fact, person, keeper)
            if lack is None:
                return None
            found.append(lack)
    consents = [c for c in bases.consents.values() if c.recorded.person == person]
    grounds = [g for g in bases.grounds.values() if person in g.recorded.persons]
    found += [_of_consent(c, agency, world, at) for c in consents if bar(c, agency, world, at)]
    found += [_of_ground(g, agency, world, at) for g in grounds if ground_bar(g, agency, world, at)]
    return _nearest(found)


def _nearest(found: Iterable[Code]) -> Code:
    return min(found, key=lambda code: NEAR[code], default="no_basis")


def _of_consent(consent: Consent, agency: str, world: World, at: datetime) -> Code:
    barred, terms = bar(consent, agency, world, at), consent.recorded
    if barred != "not_registered" and not is_meant(consent, agency, world, at):
        later = terms.group and world.in_pool_since(terms.group, agency, at)
        return "joined_later" if later else "not_named"
    if barred == "not_live":
        if terms.status != "granted":
            return "not_given"
        return "not_begun" if at < terms.begins else "ended"
    return "not_named" if barred is None or barred == "not_meant" else barred


def _of_ground(ground: Ground, agency: str, world: World, at: datetime) -> Code:
    barred = ground_bar(ground, agency, world, at)
    if barred == "not_live" and world.named(ground.recorded.holders, agency, at):
        return "not_begun" if at < ground.recorded.begins else "ended"
    return "not_registered" if barred == "not_registered" else "not_named"
