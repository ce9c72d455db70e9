"""A history as views lives through it: judged at each look, and held against the oracle."""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from operate.prove.oracle import Bases as Why
from operate.prove.oracle import Key, Oracle, Sight
from operate.prove.told import AGENCIES, CASE, History, Step, history
from services.views.domain.disclose import disclose
from services.views.domain.facts import facts
from services.views.domain.grant import Bases
from services.views.domain.verdict import Evidence, Held, verdict
from shared.basis import world
from shared.contracts import Envelope, Recorded
from shared.contracts.views import DocumentChanged

KEY = b"k" * 32


@dataclass
class Tally:
    """`shown`: items that a new document added, by kind of basis; `waited`: looks at which something
    was held back because not everybody was heard; `pairs`: of histories and agencies that may not
    know in which of the two they are.
    """

    histories: int = 0
    looks: int = 0
    documents: int = 0
    shown: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    waited: int = 0
    refolded: int = 0
    pairs: int = 0
    pairs_that_saw_something: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Look(NamedTuple):
    """What an agency was sent after a look, if anything, and what the oracle lets it see then."""

    change: DocumentChanged | None
    sight: Sight


class Life:
    """Views' part in one history; `without`: numbers of what never was."""

    def __init__(self, of: History, without: Collection[int] = ()) -> None:
        self.of, self.without = of, without
        self.arrived: list[Recorded] = []
        self.plain: list[dict[str, object]] = []
        self.held: dict[str, Held] = {}
        self.versions: Counter[str] = Counter()

    def take(self, number: int) -> None:
        told = self.of.told[number]
        self.versions[told.stream] += 1
        envelope = Envelope(
            told.id, told.stream, self.versions[told.stream], str(CASE), told.event.TYPE,
            told.at, told.at, told.plain["by_whom"], told.by, told.id,
        )  # fmt: skip
        self.arrived.append(Recorded(told.event, envelope, {}))
        self.plain.append(told.plain)

    def evidence(self, events: list[Recorded], heard: bool) -> Evidence:
        found, given, known = facts(events), Bases.of(events), world(events)
        return Evidence(CASE, found, given, known, dict(self.held), heard, events)

    def look(self, step: Step) -> tuple[dict[str, DocumentChanged], bool]:
        """The new documents, and whether something waits."""
        found = verdict(self.evidence(self.arrived, step.heard), step.at, KEY)
        for version, change in found.changes:
            self.held[change.agency] = Held(version + 1, change.model_dump(mode="json"))
        return {change.agency: change for _, change in found.changes}, found.waits

    def items(self, agency: str) -> dict[Key, Why]:
        held = self.held.get(agency)
        return {
            (UUID(one["event"]), one["field"], one.get("warned", False)): frozenset(
                (basis["kind"], basis["id"], basis["programme"]) for basis in one["bases"]
            )
            for one in (held.data["items"] if held else ())
        }


def live(seed: int, number: int, tally: Tally) -> None:
    """Go through one history; what is wrong is told with all that is needed to see it again."""
    of = history(seed, number)
    life, chance = Life(of), random.Random(number)
    tally.histories += 1
    for step in of.steps:
        if step.arrives is not None:
            life.take(step.arrives)
            continue
        before = {agency: life.items(agency) for agency in AGENCIES}
        numbers = {agency: held.data["document"] for agency, held in life.held.items()}
        changes, waits = life.look(step)
        oracle = Oracle(life.plain)
        tally.looks += 1
        tally.waited += waits
        wrong: list[str] = []
        for agency in AGENCIES:
            sight, have = oracle.sight(agency, step.at), life.items(agency)
            wrong += [f"{agency}: {one}" for one in _against(sight, before[agency], have, step)]
            if change := changes.get(agency):
                if change.document != numbers.get(agency, 0) + 1:
                    wrong.append(f"{agency}: the document is not numbered one more")
                _count(tally, before[agency], have, change)
        if step is of.steps[-1] or chance.random() < 0.2:
            tally.refolded += 1
            wrong += _refolded(life, step, chance)
        if step is of.steps[-1]:
            wrong += _classes(life, oracle, step.at)
        if wrong:
            tally.wrong.append(f"history {number} of seed {seed}, {step.at}: {'; '.join(wrong)}")
            return


def _against(sight: Sight, before: dict[Key, Why], have: dict[Key, Why], step: Step) -> list[str]:
    """L1, and fail closed: growth only while all is heard, shrinking always."""
    wrong = [f"shown without a basis: {key}" for key in have if key not in sight.covered]
    wrong += [
        f"other bases than those that cover it: {key}"
        for key in have
        if key in sight.covered and have[key] != sight.covered[key]
    ]
    missing = sight.shown - have.keys()
    if step.heard:
        wrong += [f"missing: {key}" for key in missing]
        wrong += [f"shown though a newer one stands: {k}" for k in have.keys() - sight.shown]
    else:
        wrong += [f"missing, though it was shown: {key}" for key in missing & before.keys()]
        wrong += [f"grown while not all is heard: {key}" for key in have.keys() - before.keys()]
    return wrong


def _count(
    tally: Tally, before: dict[Key, Why], have: dict[Key, Why], change: DocumentChanged
) -> None:
    tally.documents += 1
    tally.withdrawn += len(change.withdrawn)
    for key in have.keys() - before.keys():
        kinds = {f"{kind} under a programme" if under else kind for kind, _, under in have[key]}
        tally.shown.update(("warning",) if key[2] else kinds)


def _refolded(life: Life, step: Step, chance: random.Random) -> list[str]:
    """L19, L16: folded anew in another order of arrival, there is nothing to send."""
    events = chance.sample(life.arrived, len(life.arrived))
    again = verdict(life.evidence(events, step.heard), step.at, KEY)
    return [f"{one.agency}: another document after a rebuild" for _, one in again.changes]


def _classes(life: Life, oracle: Oracle, now: datetime) -> list[str]:
    """L13"""
    wrong: list[str] = []
    of = life.evidence(life.arrived, True)
    for agency in AGENCIES:
        persons = disclose(of.found, of.given, of.known, agency, now).persons
        have = {
            person: {name for name, said in classes.items() if said == "covered"}
            for person, classes in persons.items()
        }
        if have != oracle.sight(agency, now).classes:
            wrong.append(f"{agency}: other classes are covered than it is told")
    return wrong
