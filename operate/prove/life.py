"""A history as views lives through it: judged at each look, and held against the oracle."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

from operate.prove.known import SIX, Key, Opened
from operate.prove.known import Bases as Why
from operate.prove.opening import Members
from operate.prove.oracle import Oracle, Sight
from operate.prove.teller import history
from operate.prove.told import AGENCIES, CASES, MEMBERS, History, Step
from services.referral.domain.referral import covering
from services.views.domain.disclose import disclose, matters, reading
from services.views.domain.facts import facts
from services.views.domain.joined import Merge, joined
from services.views.domain.verdict import Evidence, Held, verdict
from services.views.judge import BASIS_STREAMS, OFFICE_STREAMS, Sure, Told
from shared.basis import Consent, consents, world
from shared.contracts import Envelope, Recorded
from shared.contracts.intake import CasesMerged, ConsentConfirmed, MergeUndone
from shared.contracts.views import DocumentChanged
from shared.grounds import Ground, grounds

KEY = b"k" * 32
Place = tuple[UUID, str]
"""A case and an agency."""


@dataclass
class Tally:
    """`shown`: items that a new document added, by kind of basis, those that a merge brought, and those
    of a referral that its teller alone did not hold;
    `opened`: items that a named member might read; `referable`: referrals for which there was a basis;
    `waited`: looks at which something was held back because not everything was known; `held_back`:
    documents that a parked stream kept from growing; `pairs`: of histories and agencies that may not
    know in which of the two they are; `pairs_that_wait`: others, in which a merge alone makes a case wait
    for a stream of another one (0091).
    """

    histories: int = 0
    looks: int = 0
    documents: int = 0
    shown: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    told: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    referable: int = 0
    waited: int = 0
    held_back: int = 0
    refolded: int = 0
    pairs: int = 0
    pairs_that_saw_something: int = 0
    pairs_that_wait: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Look(NamedTuple):
    """What an agency was sent after a look, if anything, what the oracle lets it see then, and whether
    the case waits for something that was put aside.
    """

    change: DocumentChanged | None
    sight: Sight
    waits: bool


class Life:
    """Views' part in one history; `without`: numbers of what never was."""

    def __init__(self, of: History, without: Collection[int] = ()) -> None:
        self.of, self.without = of, without
        self.arrived: list[Recorded] = []
        self.plain: list[dict[str, object]] = []
        self.held: dict[Place, Held] = {}
        self.keys = {
            told.stream: str(getattr(told.event, "case", told.stream.partition("/")[2])).encode()
            for told in of.told
        }
        self.versions: Counter[str] = Counter()

    def take(self, number: int) -> None:
        told = self.of.told[number]
        self.versions[told.stream] += 1
        key = str(getattr(told.event, "case", None))
        envelope = Envelope(
            told.id, told.stream, self.versions[told.stream], key, told.event.TYPE,
            told.at, told.happened, told.plain["by_whom"], told.by, told.id,
        )  # fmt: skip
        self.arrived.append(Recorded(told.event, envelope, {}))
        self.plain.append(told.plain)

    def evidence(self, case: UUID, events: list[Recorded], step: Step) -> Evidence:
        """As services/views/judge.py has it."""
        merges = _merges(events)
        its = Told(case, by_case(self.of.cases, events), merges)
        held = {agency: held for (one, agency), held in self.held.items() if one == case}
        waiting = {key for stream in step.parked for key in self.key(stream)}
        grow = Sure(step.heard, waiting).of(its)
        known = world(events)
        return Evidence(case, its.facts, its.bases, known, held, grow, its.events, its.mistaken)

    def key(self, stream: str) -> Iterator[bytes | None]:
        """Of a parked one, where it may bear a basis; None: of all cases."""
        kind = stream.partition("/")[0]
        if kind in OFFICE_STREAMS:
            yield None
        elif kind in BASIS_STREAMS:
            yield self.keys[stream]

    def look(self, step: Step) -> tuple[dict[Place, DocumentChanged], bool]:
        """The new documents, and whether something waits."""
        made: dict[Place, DocumentChanged] = {}
        waits = False
        for case in self.of.cases:
            found = verdict(self.evidence(case, self.arrived, step), step.at, KEY)
            waits |= found.waits
            for version, change in found.changes:
                self.held[case, change.agency] = Held(version + 1, change.model_dump(mode="json"))
                made[case, change.agency] = change
        return made, waits

    def items(self, place: Place) -> dict[Key, Why]:
        held = self.held.get(place)
        return {
            _key(one): frozenset(
                (basis["kind"], basis["id"], basis["programme"]) for basis in one["bases"]
            )
            for one in (held.data["items"] if held else ())
        }

    def once(self, place: Place) -> set[tuple[UUID, str]]:
        """What it held, or gave back last."""
        data = self.held[place].data if place in self.held else {"items": (), "withdrawn": ()}
        return {_key(one)[:2] for one in (*data["items"], *data["withdrawn"])}

    def told(self, place: Place) -> dict[Key, str]:
        """L17: of which items it was told that another value was wrong."""
        items = self.held[place].data["items"] if place in self.held else ()
        return {_key(one): one["told"] for one in items if one["told"]}

    def read(self, case: UUID, who: Iterable[tuple[str, str]], now: datetime) -> list[list[Opened]]:
        """What each of these members, for this agency, opens."""
        of = by_case(self.of.cases, self.arrived)
        _, given = joined(case, of, _merges(self.arrived))
        found, put, known = facts(of[case]), matters(of[case]), world(self.arrived)
        return [
            sorted(
                (
                    (one.fact.event, one.fact.field, UUID(one.bases[0].id))
                    for one in reading(found, put, given, known, member, agency, now)
                ),
                key=str,
            )
            for member, agency in who
        ]


def _key(one: Any) -> Key:
    bare = one["warned"] or one["told"] == "recorded_in_error"
    return UUID(one["event"]), one["field"], bare


def by_case(cases: Iterable[UUID], events: Iterable[Recorded]) -> dict[UUID, list[Recorded]]:
    of: dict[UUID, list[Recorded]] = {case: [] for case in cases}
    for event in events:
        if event.envelope.key != "None":
            of[UUID(event.envelope.key)].append(event)
    return of


def _merges(events: Iterable[Recorded]) -> list[Merge]:
    """Those that hold, as services/views/merges.py has them in its table."""
    found: dict[UUID, Merge] = {}
    for event in sorted(events, key=lambda e: e.envelope.version):
        match event.event:
            case CasesMerged() as said:
                found[said.merge] = Merge(said.merge, said.merged, said.into, said.same)
            case ConsentConfirmed(merge=id, consent=consent) if id in found:
                found[id] = replace(found[id], confirmed=found[id].confirmed | {consent})
            case MergeUndone(merge=id):
                found.pop(id, None)
    return [found[id] for id in sorted(found)]


def live(seed: int, number: int, tally: Tally) -> None:
    """Go through one history; what is wrong is told with all that is needed to see it again."""
    of = history(seed, number)
    life, chance = Life(of), random.Random(number)
    places = [(case, agency) for case in of.cases for agency in AGENCIES]
    tally.histories += 1
    for step in of.steps:
        if step.arrives is not None:
            life.take(step.arrives)
            continue
        before = {place: life.items(place) for place in places}
        once = {place: life.once(place) for place in places}
        known = {place: life.told(place) for place in places}
        numbers = {place: held.data["document"] for place, held in life.held.items()}
        changes, waits = life.look(step)
        oracle = Oracle(life.plain)
        tally.looks += 1
        tally.waited += waits
        wrong: list[str] = []
        for place in places:
            sight, have = oracle.sight(*place, step.at, once[place]), life.items(place)
            ought = {key: what for key, (what, _) in sight.told.items() if key in have}
            ought |= {key: what for key, what in known[place].items() if key in have}
            if life.told(place) != ought:
                wrong.append(f"{place}: told otherwise of what was wrong than it ought to be")
            tally.told.update(ought.values())
            sure = step.heard and not oracle.doubtful(place[0], of.put_aside(step))
            tally.held_back += step.heard and not sure
            wrong += [f"{place}: {one}" for one in _against(sight, before[place], have, sure)]
            if change := changes.get(place):
                if change.document != numbers.get(place, 0) + 1:
                    wrong.append(f"{place}: the document is not numbered one more")
                _count(tally, life, place, before[place], change)
        wrong += _readings(life, step.at, tally)
        if step is of.steps[-1] or chance.random() < 0.2:
            tally.refolded += 1
            wrong += _refolded(life, step, chance)
        if step is of.steps[-1]:
            wrong += _classes(life, oracle, step.at)
            wrong += _referable(life, oracle, step.at, chance, tally)
        if wrong:
            tally.wrong.append(f"history {number} of seed {seed}, {step.at}: {'; '.join(wrong)}")
            return


def _against(sight: Sight, before: dict[Key, Why], have: dict[Key, Why], sure: bool) -> list[str]:
    """L1, and fail closed: growth only while all is heard and no basis waits, shrinking always."""
    wrong = [f"shown without a basis: {key}" for key in have if key not in sight.covered]
    wrong += [
        f"other bases than those that cover it: {key}"
        for key in have
        if key in sight.covered and have[key] != sight.covered[key]
    ]
    missing = sight.shown - have.keys()
    if sure:
        wrong += [f"missing: {key}" for key in missing]
        wrong += [f"shown though a newer one stands: {k}" for k in have.keys() - sight.shown]
    else:
        wrong += [f"missing, though it was shown: {key}" for key in missing & before.keys()]
        wrong += [f"grown while not all is known: {key}" for key in have.keys() - before.keys()]
    return wrong


def _count(
    tally: Tally, life: Life, place: Place, before: dict[Key, Why], change: DocumentChanged
) -> None:
    tally.documents += 1
    tally.withdrawn += len(change.withdrawn)
    have = life.items(place)
    homes = {told.id: told.plain["case"] for told in life.of.told if "case" in told.plain}
    asked = {told.id for told in life.of.told if told.stream.startswith("referral/")}
    for key in have.keys() - before.keys():
        kinds = {f"{kind} under a programme" if under else kind for kind, _, under in have[key]}
        tally.shown.update(("warning",) if key[2] else kinds)
        tally.shown["merged"] += homes[key[0]] != place[0]
        tally.shown["referral"] += key[0] in asked and any(
            kind != "own_record" for kind, _, _ in have[key]
        )


def _readings(life: Life, now: datetime, tally: Tally) -> list[str]:
    """L5, L5a, L5b, L12: each member, for his agency and for another."""
    wrong: list[str] = []
    who = [*MEMBERS.items(), ("lead-1", "care"), ("clinic-1", "lead")]
    members = Members(life.plain)
    for case in {one["case"] for one in members.of("matter")}:
        for (member, agency), opens in zip(who, life.read(case, who, now), strict=True):
            tally.opened += len(opens)
            if opens != members.reading(case, member, agency, now):
                wrong.append(f"{member} of {agency} opens other things of {case} than he may")
    return wrong


def _refolded(life: Life, step: Step, chance: random.Random) -> list[str]:
    """L19, L16: folded anew in another order of arrival, there is nothing to send."""
    events = chance.sample(life.arrived, len(life.arrived))
    again = [
        change
        for case in life.of.cases
        for _, change in verdict(life.evidence(case, events, step), step.at, KEY).changes
    ]
    return [f"{one.agency}: another document after a rebuild" for one in again]


def _classes(life: Life, oracle: Oracle, now: datetime) -> list[str]:
    """L13"""
    wrong: list[str] = []
    for case in life.of.cases:
        of = life.evidence(case, life.arrived, Step(heard=True))
        for agency in AGENCIES:
            persons = disclose(of.found, of.given, of.known, agency, now).persons
            have = {
                person: {name for name, said in classes.items() if said == "covered"}
                for person, classes in persons.items()
            }
            told = oracle.sight(case, agency, now).classes
            if told and have != told:
                wrong.append(f"{agency}: other classes are covered than it is told")
    return wrong


def _referable(
    life: Life, oracle: Oracle, now: datetime, chance: random.Random, tally: Tally
) -> list[str]:
    """L9: whether a referral of some classes may be asked; of cases that are merged with none, since the
    service asks for the bases of one case.
    """
    wrong: list[str] = []
    of, known = by_case(life.of.cases, life.arrived), world(life.arrived)
    together = {case for one in oracle.merges for case in (one["merged"], one["into"])}
    for case in set(life.of.cases) - together:
        given: list[Consent | Ground] = [*consents(of[case]).values()]
        given += grounds(of[case]).values()
        for person, sender, receiver in product(CASES[case], AGENCIES, AGENCIES):
            asked = chance.sample(SIX, chance.choice((1, 1, 2)))
            found = bool(covering(given, person, sender, receiver, asked, known, now))
            tally.referable += found
            if found != oracle.carried(case, person, sender, receiver, now).issuperset(asked):
                wrong.append(f"{sender} may refer to {receiver} otherwise than it ought to")
    return wrong
