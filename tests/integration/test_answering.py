"""Who answers for a task is the same as a naive reading of all that was said, in whatever order it came."""

import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from operate.stack import Stack
from services.intake.domain import assignment
from services.meetings import tasks as worklist
from services.meetings.domain import task as tasks
from shared import views
from shared.auth import Principal
from shared.contracts import Event
from shared.contracts.intake import (
    DeputyEnded,
    DeputyNamed,
    StaffAssigned,
    StaffBlocked,
    StaffRelieved,
    StaffUnblocked,
)
from shared.contracts.meetings import TaskAgreed
from shared.decider import Refused
from shared.follow import Record
from shared.staff import today
from tests.integration._service import Running, service_on

STAFF = ("abe", "mori", "sato")
WORDS = {
    "assign": StaffAssigned,
    "relieve": StaffRelieved,
    "block": StaffBlocked,
    "lift": StaffUnblocked,
}
FROM_THE_START = (date.min, UUID(int=0))
who, place = st.sampled_from(STAFF), st.integers(0, 1)
MOVES = st.one_of(
    st.tuples(st.sampled_from([*WORDS, "assign", "block"]), place, who),
    st.tuples(st.just("transfer"), who, who),
    st.tuples(st.just("deputy"), who, who, st.integers(-1, 1), st.integers(0, 1)),
    st.tuples(st.just("back"), place),
    st.tuples(st.just("task"), place, st.none() | who),
    st.tuples(st.sampled_from(["done", "drop", "later", "reopen"]), place),
    st.tuples(st.just("correct"), place, st.none() | who),
    st.tuples(st.just("take"), place, who),
)


@dataclass
class Told:
    """What deciders write on random moves, by stream; and the same in plain words beside it."""

    day: date
    agency: str
    cases: list[UUID] = field(default_factory=lambda: [uuid4(), uuid4()])
    streams: dict[str, list[Event]] = field(default_factory=dict)
    works: dict[UUID, set[str]] = field(default_factory=dict)
    blocked: dict[UUID, set[str]] = field(default_factory=dict)
    deputies: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    """Of today."""
    tasks: dict[UUID, list[Any]] = field(default_factory=dict)
    """Case, who took it on, by when, open."""

    def write(self, stream: str, decider: Any, command: Any) -> bool:
        past = self.streams.setdefault(stream, [])
        try:
            past += decider.decide(decider.fold(past), command)
        except Refused:
            return False
        return True

    def staff(self, word: str, case: UUID, who: str) -> None:
        of: dict[str, Any] = {"case": case, "agency": self.agency, "staff": who}
        more = {"reason": "relative"} if word == "block" else {}
        stream = f"assignment/{case}"
        if not self.write(stream, assignment.DECIDER, WORDS[word](**of, **more)):
            return
        works, blocked = self.works.setdefault(case, set()), self.blocked.setdefault(case, set())
        match word:
            case "assign":
                works.add(who)
            case "relieve":
                works.discard(who)
            case "block":
                works.discard(who)
                blocked.add(who)
            case "lift":
                blocked.discard(who)

    def move(self, word: str, *about: Any) -> None:
        if word in WORDS:
            self.staff(word, self.cases[about[0]], about[1])
        elif word == "transfer":
            self.transfer(*about)
        elif word == "deputy":
            self.deputise(*about)
        elif word == "back" and self.deputies:
            id = list(self.deputies)[about[0] % len(self.deputies)]
            self.write(f"deputyship/{id}", assignment.DEPUTYSHIP, DeputyEnded(deputyship=id))
            del self.deputies[id]
        elif word == "task":
            self.promise(self.cases[about[0]], about[1])
        elif self.tasks and word != "back":
            self.changes(word, list(self.tasks)[about[0] % len(self.tasks)], *about[1:])

    def transfer(self, of: str, to: str) -> None:
        """All his cases, as the timer of a transfer does it."""
        for case in self.cases:
            command = assignment.PassOn(case, self.agency, of, to)
            if of not in self.works.get(case, ()) or of == to:
                continue
            if self.write(f"assignment/{case}", assignment.DECIDER, command):
                self.works[case] = self.works[case] - {of} | {to}

    def deputise(self, of: str, to: str, begins: int, days: int) -> None:
        id, first = uuid4(), self.day + timedelta(begins)
        until = first + timedelta(days)
        named = DeputyNamed(
            deputyship=id, agency=self.agency, staff=of, deputy=to, begins=first, until=until
        )
        self.write(f"deputyship/{id}", assignment.DEPUTYSHIP, named)
        if first <= self.day <= until:
            self.deputies[id] = of, to

    def promise(self, case: UUID, staff: str | None) -> None:
        id = uuid4()
        agreed = TaskAgreed(
            task=id, meeting=uuid4(), case=case, text="訪問", owner=self.agency, staff=staff,
            due=self.day,
        )  # fmt: skip
        self.write(f"task/{id}", tasks.DECIDER, tasks.Agree(agreed, "held", "added"))
        self.tasks[id] = [case, staff, self.day, True]

    def changes(self, word: str, id: UUID, staff: str | None = None) -> None:
        later = self.day + timedelta(9)
        terms = {"text": "訪問", "owner": self.agency, "staff": staff, "due": self.day}
        commands: dict[str, tasks.Command] = {
            "take": tasks.TakeOn(staff or ""),
            "done": tasks.Finish(),
            "drop": tasks.Drop("declined"),
            "reopen": tasks.Reopen("誤り"),
            "later": tasks.ChangeDue(later, "予約"),
            "correct": tasks.Correct(terms, "誤り"),
        }
        if not self.write(f"task/{id}", tasks.DECIDER, commands[word]):
            return
        one = self.tasks[id]
        match word:
            case "later":
                one[2] = later
            case "take":
                one[1] = staff
            case "correct":
                one[1], one[2] = staff, self.day
            case _:
                one[3] = word == "reopen"

    def answers(self, id: UUID) -> set[str]:
        case, staff, *_ = self.tasks[id]
        blocked = self.blocked.get(case, set())
        his = self.works.get(case) or ({staff} - {None} - blocked)
        return (his | {to for of, to in self.deputies.values() if of in his}) - blocked

    def listed(self, who: str, mine: bool) -> list[tuple[date, UUID, list[str]]]:
        return sorted(
            (due, id, sorted(self.answers(id)))
            for id, (case, _, due, is_open) in self.tasks.items()
            if is_open and who not in self.blocked.get(case, ())
            if not mine or who in self.answers(id)
        )


async def records(running: Running, told: Told) -> list[list[Record]]:
    """Each stream's, in its order."""
    return [
        [await running.record(event, told.agency) for event in events]
        for events in told.streams.values()
    ]


def batches(chance: random.Random, streams: Iterable[list[Record]]) -> Iterable[list[Record]]:
    """In any order between streams."""
    left = [list(stream) for stream in streams if stream]
    while left:
        batch = []
        for _ in range(chance.randint(1, 6)):
            if left:
                stream = chance.choice(left)
                batch.append(stream.pop(0))
                left = [stream for stream in left if stream]
        yield batch


async def folded(running: Running, rounds: Iterable[list[Record]]) -> dict[str, list[str]]:
    """What each table holds in a number that is given up again."""
    view = running.rt.applier.view
    async with running.rt.pool.acquire() as db:
        work = db.transaction()
        await work.start()
        number = await views.build(db, view)
        await views.work_on(db, number)
        for some in rounds:
            await view.fold(db, [one.event for one in await running.rt.applier.read(some)])
        found = {}
        for (table,) in await db.fetch(views.TABLES, f"view_{number}"):
            rows = await db.fetch(f"select to_jsonb(t)::text as row from {table} t order by 1")
            found[table] = [row["row"] for row in rows]
        await work.rollback()
    return found


@pytest.fixture
async def meetings(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "meetings") as running:
        yield running


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=st.lists(MOVES, min_size=8, max_size=30), order=st.integers(0, 2**32))
@example(moves=[("deputy", "abe", "sato", 0, 1), ("block", 0, "abe")], order=1)
@example(moves=[("deputy", "abe", "sato", 0, 1), ("block", 0, "sato")], order=1)
async def test_each_answers_for_what_the_words_of_all_say(
    meetings: Running, moves: list[tuple[Any, ...]], order: int
) -> None:
    told = Told(today(meetings.rt), f"city-{uuid4()}")
    for case, who in zip(told.cases, STAFF, strict=False):
        told.promise(case, who)
    for word, *about in moves:
        told.move(word, *about)
    streams = await records(meetings, told)
    for batch in batches(random.Random(order), streams):
        await meetings.apply(batch)
    for who in STAFF:
        for mine in (False, True):
            him = Principal(who, told.agency, frozenset())
            rows = await worklist.open_tasks(meetings.rt, him, mine, False, FROM_THE_START, 500)
            found = [(row["due"], row["id"], list(row["persons"])) for row in rows]
            assert found == told.listed(who, mine), (who, mine)
    if order % 6 == 1:
        one, other = (batches(random.Random(n), streams) for n in (order, order + 1))
        assert await folded(meetings, one) == await folded(meetings, other)
