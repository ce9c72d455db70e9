"""One run: a city of its own under load, faults while it works, healing, the checker."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import uvloop

from operate import databases
from operate.chaos import changes, checker
from operate.chaos.checker import Result
from operate.chaos.faults import servers
from operate.chaos.ground import Ground, Skewed
from operate.chaos.history import History, Watched
from operate.chaos.pace import Pace
from operate.chaos.plans import Fault, Lane, Plan
from operate.chaos.proxy import Proxy
from operate.chaos.reader import Reader
from operate.demo.agencies import Offices, emptied, quiet
from operate.demo.drive import Drive
from operate.demo.ikoma import LEAD, Ikoma
from operate.demo.intent import Intent
from operate.demo.ledger import Ledger
from operate.demo.plan import year as plan_year
from operate.demo.session import first
from operate.install import Refused
from operate.places import SERVICES, kafka_ports
from operate.stack import Stack

EVERY = 6
"""Working days between two days of the year that is played: each costs a settling."""
GAPS = """
select from parked
 where starts_with(cause, 'gap') and examined_at is null and stream not like 'case/poison-%' limit 1"""
AGENCIES = 10
HEALING = 600.0
"""Seconds after which a run that does not come to rest says what it waits for."""
LOSE = 0.04
"""Share of the answers that the client loses, or does not await."""


@dataclass
class Report:
    """What one run came to. `right`: all counts are 0 and everything wanted was done."""

    plan: str
    seed: int
    seconds: float = 0.0
    commands: int = 0
    changes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    lost_answers: int = 0
    missed: list[str] = field(default_factory=list)
    points: int = 0
    notes: dict[str, float] = field(default_factory=dict)
    result: Result = field(default_factory=Result)

    @property
    def right(self) -> bool:
        return not self.missed and not self.result.sentences

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "right": self.right}


@dataclass
class Run:
    """`stack` is made anew; `tell` hears how far it is."""

    plan: Plan
    stack: Stack
    seed: int
    cases: int
    tell: Callable[[str], None]
    changes: int = 0
    """Of consents and memberships, besides those of the year."""

    def __post_init__(self) -> None:
        self._begun = asyncio.Event()
        self._pace = Pace()

    def _acknowledged(self, intent: Intent) -> None:
        self._pace.acknowledged(intent.id)
        if intent.kind == "consent":
            self._begun.set()

    async def run(self) -> Report:
        quiet()
        began = time.monotonic()
        random = Random(f"{self.seed}/{self.plan.name}")
        history = History(self.stack.state / "history.jsonl")
        replicas, lose = self.plan.replicas, LOSE if self.plan.replicas == 1 else 0.0
        api = Watched(self.stack, history, Random(f"answers/{self.seed}"), lose, replicas)
        offices = Offices(self.stack, api, emptied(self.stack.state / "copies"))
        ground = Ground(
            self.stack, random, offices, Skewed(api, self.stack.names(SERVICES, replicas))
        )
        if self.plan.proxied:
            self._proxy(ground)
        report = Report(self.plan.name, self.seed, changes=self.changes)
        reader = Reader(self.stack, LEAD, random, lambda: not ground.clock.moving)
        ledger = Ledger()
        try:
            await ground.begin()
            await self._live(ground, api, ledger, reader)
            self.tell("healing")
            healed = await self._healed(ground)
            self.tell("checking")
            report.result = await checker.examine(ground, ledger, history, reader, healed)
            if replicas > 1:
                _repeats(history, report.result)
        finally:
            ground.resume()
            await offices.close()
            await reader.close()
            await api.close()
            history.close()
            for proxy in (*ground.databases.values(), *ground.brokers.values()):
                await proxy.stop()
        return replace(
            report, seconds=round(time.monotonic() - began, 1), commands=len(ledger.done),
            faults=dict(ground.faults), outcomes=dict(history.outcomes), lost_answers=api.lost,
            missed=sorted(ground.missed), points=len(ground.reached), notes=ground.notes,
        )  # fmt: skip

    def _proxy(self, ground: Ground) -> None:
        port = kafka_ports(self.stack.base_port, 1)[0]["SERVICES"]
        socket = self.stack.postgres.socket / ".s.PGSQL.5432"
        for name in SERVICES:
            ground.databases[name], ground.brokers[name] = Proxy(socket), Proxy(port)

    async def _live(self, ground: Ground, api: Watched, ledger: Ledger, reader: Reader) -> None:
        """The year goes by while the lanes do their work, and ends with the day after the last."""
        ikoma = Ikoma(every=EVERY)
        year = plan_year(self.cases, self.seed, ikoma)
        codes = year.agencies[:AGENCIES]
        if self.changes:
            codes = changes.watched(year, ikoma, codes)[:AGENCIES]
            year, ids = changes.changed(year, ikoma, self.changes)
            self._pace = Pace(ids)
        over = asyncio.Event()
        at_once = self.plan.at_once
        drive = Drive(api, ground.clock, year, ledger, self._acknowledged, in_flight=at_once)
        async with asyncio.TaskGroup() as group:
            joining = group.create_task(ground.offices.join(codes))
            reading = group.create_task(reader.run())
            faults = group.create_task(self._faults(ground, over, ledger))
            await drive.run(ikoma.workdays, over.is_set)
            await joining
            await faults
            await ended(reading)

    async def _faults(self, ground: Ground, over: asyncio.Event, ledger: Ledger) -> None:
        """Begins when the first cases are open."""
        await self._begun.wait()
        while not over.is_set():
            async with asyncio.TaskGroup() as group:
                for lane in self.plan.lanes(ground):
                    group.create_task(self._lane(ground, lane, ledger))
            if not self._pace.again():
                over.set()

    async def _lane(self, ground: Ground, lane: Lane, ledger: Ledger) -> None:
        for number, fault in enumerate(lane):
            if not await self._pace.due(number / len(lane)):
                return
            began, before = time.monotonic(), ground.faults + ground.missed
            await ground.clock.calm()
            await fault(ground)
            done = ", ".join(ground.faults + ground.missed - before)
            left = f", {self._pace.left} changes to come" if self.changes else ""
            far = f"{len(ledger.done)} commands{left}"
            self._log(f"{time.monotonic() - began:6.1f} s  {fault_name(fault)}  {done}  {far}")
            self.tell(f"{far}, {ground.faults.total()} faults")

    def _log(self, line: str) -> None:
        with (self.stack.state / "faults.log").open("a") as file:
            file.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")

    async def _healed(self, ground: Ground) -> float:
        """Seconds from the end of the faults until nothing moves any more. Raises Refused with what is
        still waited for after HEALING seconds.
        """
        ground.resume()
        await ground.ready(*ground.clock.parts)
        began = time.monotonic()
        telling = asyncio.get_running_loop().call_later(HEALING / 2, self._tell_where_all_stand)
        try:
            async with asyncio.timeout(HEALING):
                await self._quiet(ground)
        except TimeoutError:
            waits = await asyncio.to_thread(ground.offices.waits)
            events = ", ".join(f"{part} {n}" for part, n in ground.clock.events.items())
            gaps = "a view waits for an event" if await self._gaps() else "no view waits"
            raise Refused(
                f"nothing was quiet after {HEALING:.0f} s: events {events}; {gaps}; "
                + "; ".join(waits)
            ) from None
        finally:
            telling.cancel()
        return round(time.monotonic() - began, 1)

    def _tell_where_all_stand(self) -> None:
        for task in asyncio.all_tasks():
            self._log(f"{task.get_name()}: {' > '.join(_stand(task.get_coro()))}")

    async def _quiet(self, ground: Ground) -> None:
        assert ground.clock.at
        counts = await ground.clock.move(ground.clock.at)
        while True:
            await ground.offices.caught_up()
            now = await ground.clock.move(ground.clock.at)
            if now == counts and not await self._gaps():
                return
            counts = now

    async def _gaps(self) -> bool:
        """Does any view wait for what must come before an event? It reads the topic again in a while."""
        found = [await databases.fetch(self.stack.admin_database_url(s), GAPS) for s in SERVICES]
        return any(found)


def _stand(awaited: Any) -> Iterator[str]:
    """Where a suspended coroutine waits, and what it awaits there."""
    while frame := getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None):
        yield f"{Path(frame.f_code.co_filename).stem}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancelled again and again: a library may lose a cancellation that comes at a bad moment."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)


def _repeats(history: History, result: Result) -> None:
    for key, unknown in history.unknown.items():
        if unknown > 1:
            result.says(f"the command {key} had to be sent {unknown + 1} times")


def fault_name(fault: Fault) -> str:
    if isinstance(fault, partial):
        return " ".join([fault.func.__name__, *map(str, fault.keywords.values())])
    return getattr(fault, "__name__", "fault")


def city(plan: Plan, given: Stack) -> Stack:
    """A fresh copy whose servers are to run; on a small disk where the plan asks for one."""
    stack = replace(given, brokers=plan.brokers, clock="simulated")
    stack.down()
    if stack.state.exists():
        servers.unmount(replace(stack).postgres.folder)  # a run that was killed has left it
        shutil.rmtree(stack.state)
    return stack


def execute(
    plan: Plan, given: Stack, seed: int, cases: int, tell: Callable[[str], None], changes: int = 0
) -> Report:
    """Everything from an empty folder to the report; ends what it started."""
    stack = city(plan, given)
    small: Path | None = None
    try:
        if plan.disk:
            stack.prepare()
            small = stack.postgres.folder
            servers.small_disk(small, plan.disk)
        stack.up(services=False, bound=True, progress=tell)
        return uvloop.run(Run(plan, stack, seed, cases, tell, changes).run())
    except BaseExceptionGroup as group:
        raise first(group) from group
    finally:
        stack.down()
        if small:
            servers.unmount(small)
