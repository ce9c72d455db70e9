"""A random history: what was told when, in which order it arrives, and when views looks at it."""

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from shared.contracts import Event
from shared.contracts import intake as i

NAMES, START = UUID(int=7), datetime(2026, 4, 1, tzinfo=UTC)
CASES = {
    uuid5(NAMES, case): tuple(uuid5(NAMES, name) for name in persons)
    for case, persons in {
        "case": ("hana", "ken"),
        "other": ("twin", "mei"),
        "third": ("x",),
    }.items()
}
"""Each with its people; a history is about the first one, two, or all."""
PURPOSES = {
    "lead": ("consultation", "coordination"),
    "care": ("consultation",),
    "clinic": ("consultation", "application"),
    "shop": ("application",),
}
AGENCIES = tuple(PURPOSES)
DESKS = {"visits-desk": "visits", "shop-desk": None}
"""Of a programme that passes from hand to hand, and of the shop in its own right."""
NAMES_OF_HOLDERS = (*AGENCIES[1:], *DESKS)
STAFF = ("at-desk", "at-desk", "elsewhere")
"""Two of each agency; one of them, who writes more, may sit at a desk."""
CLASSES = ("contact", "health_disability", "work_school", "money", "life_history", "judgement")
GROUP, BODY = "juso", "shien-106-6"
MEMBERS = {f"{agency}-{n}": agency for agency in AGENCIES for n in (1, 2)}
WAITS = [timedelta(minutes=7), timedelta(hours=5), timedelta(days=1), timedelta(days=4)]
Plain = dict[str, Any]


class Told(NamedTuple):
    """One event, and the same in plain words for the oracle. `stream`: its events arrive in order;
    `at`: when it was recorded, `happened`: when it took place.
    """

    id: UUID
    stream: str
    at: datetime
    happened: datetime
    by: str
    event: Event
    plain: Plain


class Step(NamedTuple):
    """`arrives`: the number of what reaches views; else views looks, at `at`, and hears all or not.
    `parked`: streams of which a record was put aside, until it is taken up.
    """

    arrives: int | None = None
    at: datetime = START
    heard: bool = False
    parked: frozenset[str] = frozenset()


@dataclass
class History:
    """`bare`: so many events tell of the directory and the households; without them nothing is seen."""

    cases: tuple[UUID, ...] = ()
    told: list[Told] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    bare: int = 0

    def put_aside(self, step: Step) -> dict[str, UUID | None]:
        """Streams of which a record waits, each with its case."""
        return {
            stream: next(t.plain.get("case") for t in self.told if t.stream == stream)
            for stream in step.parked
        }


class Scribe:
    """Draws by chance what is told next, and when it arrives."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.now = chance, START
        number = chance.choice((1, 1, 1, 2, 2, 3))
        self.made = History(tuple(CASES)[:number])
        self.consents: dict[UUID, UUID] = {}
        self.bases: dict[UUID, UUID] = {}
        self.matters: dict[UUID, UUID] = {}
        self.here: dict[tuple[str, str], str] = {}
        self.mergeable = chance.sample(self.made.cases, number)
        self.merges: list[UUID] = []
        self.lines: dict[UUID, tuple[UUID, tuple[UUID, ...]]] = {}
        self.referrals: dict[UUID, tuple[Plain, int]] = {}
        self.moments: list[datetime] = []
        self.contracts: list[Plain] = []
        self.seats: list[Plain] = []
        self.waiting: dict[str, list[int]] = {}
        self.parked: set[str] = set()

    def _pass(self) -> None:
        """Some of what is under way arrives, views may look, time goes on or leaps."""
        if self.waiting and self.chance.random() < 0.06:
            self.parked.add(self.chance.choice(sorted(self.waiting)))
        if self.parked and self.chance.random() < 0.3:
            self.parked.remove(self.chance.choice(sorted(self.parked)))
        for _ in range(self.chance.choice((0, 0, 1, 1, 2, 6))):
            self._arrive()
        if self.chance.random() < 0.6:
            self._look(heard=self.chance.random() < 0.7)
        ahead = [moment for moment in self.moments if moment > self.now]
        if ahead and self.chance.random() < 0.25:
            self.now = min(ahead)
            self._look(heard=self.chance.random() < 0.7)
        if self.chance.random() < 0.06:  # a clock is set back
            self.now -= self.chance.choice((timedelta(hours=1), timedelta(days=2)))
        self.now += self.chance.choice(WAITS) + timedelta(microseconds=1)

    def _arrive(self) -> None:
        if flowing := sorted(self.waiting.keys() - self.parked):
            stream = self.chance.choice(flowing)
            self.made.steps.append(Step(self.waiting[stream].pop(0)))
            if not self.waiting[stream]:
                del self.waiting[stream]

    def _look(self, heard: bool) -> None:
        self.made.steps.append(Step(None, self.now, heard, frozenset(self.parked)))

    def _say(self, stream: str, event: Event, by: str = "lead", **plain: Any) -> None:
        self.now += timedelta(seconds=1)
        number = len(self.made.told)
        id, who = uuid5(NAMES, f"event {number}"), self.chance.choice(STAFF)
        dated = stream.partition("/")[0] not in ("desk", "programme")
        ago = self.chance.choice((1, 26, 100)) if dated and self.chance.random() < 0.1 else 0
        when = {"at": self.now, "happened": self.now - timedelta(hours=ago)}
        own = {**when, "id": id, "by": by, "by_whom": who}
        self.made.told.append(Told(id, stream, **when, by=by, event=event, plain={**own, **plain}))
        self.waiting.setdefault(stream, []).append(number)

    def _fact(
        self,
        stream: str,
        event: Event,
        by: str,
        about: tuple[UUID, ...],
        place: Any = None,
        **fields: str,
    ) -> None:
        """`fields`: name and data class of each; `place`: of what is corrected whole."""
        sealed = "sealed" in fields.values()
        self._say(
            stream, event, by, kind="fact", case=getattr(event, "case"), about=about,  # noqa: B009
            fields=fields, not_to=getattr(event, "not_to", ()), newest=bool(event.SLOT),
            type=type(event).__name__, joins=isinstance(event, i.PersonJoined),
            matter=getattr(event, "matter", None) if sealed else None, place=place,
        )  # fmt: skip

    def _new(self) -> UUID:
        return uuid5(NAMES, f"stream {len(self.made.told)}")

    def _some(self, values: tuple[Any, ...], least: int = 0) -> tuple[Any, ...]:
        number = self.chance.randint(least, min(len(values), 3))
        return tuple(self.chance.sample(values, number))

    def _case(self) -> UUID:
        return self.chance.choice(self.made.cases)

    def _person(self) -> tuple[UUID, UUID]:
        """A case, and somebody in it, the first one more often."""
        people = CASES[case := self._case()]
        return case, self.chance.choice((people[0], *people))

    def _recorder(self) -> str:
        return self.chance.choice((*AGENCIES, "care", "care"))

    def _mark(self) -> tuple[str, ...]:
        return self._some(AGENCIES, 1)[:1] if self.chance.random() < 0.2 else ()

    def _soon(self) -> datetime:
        moment = self.now + self.chance.choice((1, 3, 9)) * timedelta(days=1)
        self.moments.append(moment)
        return moment

    def _of(self, ids: Collection[UUID]) -> UUID | None:
        return self.chance.choice(list(ids)) if ids else None
