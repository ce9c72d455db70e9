"""What each agency must hold in the end, by the law (lawful-sharing.md) and the ledger alone.

Written apart from services/views and from shared/basis on purpose: where the two differ, one is wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from operate.demo.content import Content, Item
from operate.demo.facts import Fact, facts
from operate.demo.ledger import Done
from operate.demo.programme import Programmes
from shared.contracts.event import CONSENTABLE


@dataclass
class Seat:
    """One named person of an agency in a pool, from `since` until `left`."""

    agency: str
    since: datetime
    left: datetime | None = None

    def taken(self, at: datetime) -> bool:
        return self.since <= at and (self.left is None or at < self.left)


@dataclass
class Consent:
    """One person's yes (L3)."""

    case: str
    person: str
    classes: frozenset[str]
    purposes: frozenset[str]
    holders: frozenset[str]
    group: str | None
    excluded: frozenset[str]
    begins: datetime
    ends: datetime | None
    told: set[str] = field(default_factory=set)
    less: list[tuple[datetime, frozenset[str], frozenset[str]]] = field(default_factory=list)
    """What was taken back of it, since when: agencies and classes."""

    def narrowed(self, at: datetime) -> Consent:
        """What is left of it then."""
        less = [one for one in self.less if one[0] <= at]
        if not less:
            return self
        return replace(
            self,
            excluded=self.excluded.union(*(agencies for _, agencies, _ in less)),
            classes=self.classes.difference(*(classes for *_, classes in less)),
        )

    def end(self, at: datetime) -> None:
        self.ends = min(self.ends, at) if self.ends else at


class Oracle:
    """Judges at one moment over everything that was acknowledged."""

    def __init__(self, done: Iterable[Done], at: datetime) -> None:
        done = sorted(done, key=lambda one: one.occurred)
        self._at = at.astimezone(UTC)
        self._purposes: dict[str, frozenset[str]] = {}
        self._pools: dict[str, dict[str, Seat]] = defaultdict(dict)
        self._consents: dict[str, Consent] = {}
        self._households: dict[str, set[str]] = defaultdict(set)
        self._programmes = Programmes()
        for one in done:
            self._learn(one)
        self._facts: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts(done):
            if fact.type == "case.person_joined":
                self._households[fact.case] |= fact.subjects or set()
            self._facts[fact.case].append(fact)
        self._by_case: dict[str, list[Consent]] = defaultdict(list)
        for consent in self._consents.values():
            self._by_case[consent.case].append(consent)

    def _learn(self, one: Done) -> None:
        body, when = one.body, one.occurred.astimezone(UTC)
        self._programmes.learn(one)
        match one.intent.kind:
            case "agency":
                self._purposes[one.id] = frozenset(body["purposes"])
            case "member" | "leaving":
                _, _, _, pool, _, subject, *_ = one.intent.path.split("/")
                if one.intent.kind == "member":
                    self._pools[pool][subject] = Seat(body["agency"], when)
                else:
                    self._pools[pool][subject].left = when
            case "consent" if body["status"] == "granted":
                until = body.get("until")
                self._consents[one.id] = Consent(
                    one.places["case"], body["person"], frozenset(body["classes"]),
                    frozenset(body["purposes"]), frozenset(body["holders"]), body.get("group"),
                    frozenset(body["excluded"]), _moment(body.get("begins")) or when, _moment(until),
                )  # fmt: skip
            case "withdrawal":
                self._consents[one.places["consent"]].end(when)
            case "narrowing":
                excluded, dropped = (frozenset(body.get(n, ())) for n in ("excluded", "dropped"))
                since = self.narrowed_at(one)
                self._consents[one.places["consent"]].less.append((since, excluded, dropped))
            case "told":
                self._consents[one.places["consent"]].told.add(body["agency"])

    def narrowed_at(self, one: Done) -> datetime:
        """From when on it counts."""
        return one.occurred.astimezone(UTC)

    def reaches(self, consent: Consent, agency: str) -> bool:
        """L3: live, meant for that agency, for a purpose that it has."""
        begun, ended = consent.begins <= self._at, consent.ends and consent.ends <= self._at
        if not begun or ended or agency in consent.excluded:
            return False
        if not consent.purposes & self._purposes.get(agency, frozenset()):
            return False
        if agency in consent.holders:
            return True
        seats = self._pools[consent.group].values() if consent.group else ()
        seats_of = [seat for seat in seats if seat.agency == agency]
        if not any(seat.taken(self._at) for seat in seats_of):
            return False
        return agency in consent.told or any(seat.taken(consent.begins) for seat in seats_of)

    def held(self, agency: str) -> dict[str, Content]:
        """By case, what the agency's copy must show; cases of which it holds nothing are absent."""
        found = {case: self.document(agency, case) for case in self._facts}
        return {case: content for case, content in found.items() if content.items}

    def document(self, agency: str, case: str) -> Content:
        given = [one.narrowed(self._at) for one in self._by_case[case]]
        reaching = [one for one in given if self.reaches(one, agency)]
        newest: dict[object, tuple[Fact, frozenset[str]]] = {}
        for number, fact in enumerate(self._facts[case]):
            bases = self._bases(fact, agency, reaching)
            slot = fact.slot or number
            known = newest.get(slot)
            if bases and (known is None or _age(known[0]) < _age(fact)):
                newest[slot] = fact, bases
        return self._content(case, newest.values(), reaching)

    def _bases(self, fact: Fact, agency: str, reaching: list[Consent]) -> frozenset[str]:
        """Kinds of basis that cover the fact; none: it is not shown."""
        if fact.sealed or agency in fact.not_to:
            return frozenset()
        keeper = self._programmes.keeper(fact.recorded_by, fact.actor, fact.recorded, self._at)
        bases = {"own_record"} if keeper == agency else set()
        about = fact.subjects or self._households[fact.case]
        consenting = {one.person for one in reaching if fact.data_class in one.classes}
        if about and about <= consenting and fact.data_class in CONSENTABLE:
            bases.add("consent")
        return frozenset(bases)

    def _content(
        self, case: str, shown: Iterable[tuple[Fact, frozenset[str]]], reaching: list[Consent]
    ) -> Content:
        items: list[tuple[str | None, Item]] = []
        people: set[str] = set()
        for fact, bases in shown:
            about = fact.subjects or self._households[case]
            people |= about
            one = next(iter(about)) if len(about) == 1 else None
            by = fact.recorded_by if "own_record" in bases else None
            items.append((one, Item.of(fact, bases, by)))
        coverage: Mapping[str, Any] = {
            person: {
                name: any(c.person == person and name in c.classes for c in reaching)
                for name in CONSENTABLE
            }
            for person in people
        }
        return Content.of(items, coverage)


def _age(fact: Fact) -> tuple[datetime, datetime]:
    return fact.occurred, fact.recorded


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
