"""One run: agencies subscribe, the year goes by with its mishaps, the verdict."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from operate.demo import check, memory
from operate.demo.agencies import Offices, emptied, quiet
from operate.demo.client import Api
from operate.demo.clock import Clock
from operate.demo.content import difference
from operate.demo.drive import Drive
from operate.demo.ikoma import Ikoma
from operate.demo.intent import Intent
from operate.demo.ledger import Ledger
from operate.demo.mishap import Killing, redeliver
from operate.demo.oracle import Oracle
from operate.demo.plan import Year
from operate.demo.programme import FIRST, NEXT
from operate.demo.rights import readings, retractions
from operate.demo.setting import PLANNER
from operate.demo.verdict import AgencyVerdict, Verdict
from operate.places import SERVICES
from operate.stack import Stack

FEW, MANY = 14, 24
"""Agencies with a system of their own, in a small and in a full year; the others look at their
views on the console.
"""
LATE, JOIN_AT = 3, 0.5
"""So many of them subscribe in mid-year only: joining late is the ordinary path."""
AGAIN, AGAIN_AT = 40, 0.7
"""Records of each partition that the broker delivers once more, and when in the year."""


class Watcher(Protocol):
    """Who is told how far the run is."""

    def stage(self, text: str) -> None: ...

    def day(self, day: date, done: int, every: int) -> None: ...


@dataclass
class Replay:
    """`run` answers with the verdict; the stack stays up until the caller ends it."""

    stack: Stack
    ikoma: Ikoma
    year: Year
    killing: Killing
    watcher: Watcher
    ledger: Ledger = field(default_factory=Ledger)

    async def run(self) -> Verdict:
        quiet()
        began = time.monotonic()
        api = Api(self.stack)
        offices = Offices(self.stack, api, emptied(self.stack.state / "copies"))
        clock = Clock(api)
        try:
            async with asyncio.TaskGroup() as group:
                joining = group.create_task(offices.join(self._subscribers[:-LATE]))
                await self._live(api, clock, offices, joining)
            lived = time.monotonic() - began
            self.watcher.stage("checking journals, topics and the agencies' copies")
            await self._settle(clock, offices)
            verdict = await self._verdict(api, clock, offices)
        finally:
            await offices.close()
            await api.close()
        run = {
            "seconds_of_year": round(lived, 1),
            "seconds_of_checks": round(time.monotonic() - began - lived, 1),
            "commands": len(self.ledger.done),
            "commands_per_second": round(len(self.ledger.done) / lived, 1),
            "refused_as_planned": self.ledger.refused,
            "sent_twice": self.ledger.repeated,
            "killed": self.killing.service if self.killing.killed else None,
            "memory_mib": await asyncio.to_thread(memory.by_part, self.stack),
        }
        return replace(verdict, run=run)

    @property
    def _subscribers(self) -> list[str]:
        """Those between whom a programme passes, then the most active of the year; in a very small one,
        windows beside them.
        """
        windows = [code for codes in self.ikoma.windows.values() for code in codes]
        return list(dict.fromkeys([FIRST, NEXT, *self.year.agencies, *windows]))[
            : MANY if self.ikoma.every == 1 else FEW
        ]

    async def _live(
        self, api: Api, clock: Clock, offices: Offices, joining: asyncio.Task[None]
    ) -> None:
        days = self.ikoma.workdays.days
        events = {days[int(len(days) * JOIN_AT)]: "join", days[int(len(days) * AGAIN_AT)]: "again"}

        async def day_done(day: date) -> None:
            self.watcher.day(day, len(self.ledger.done), len(self.year.intents))
            for due in [one for one in events if one <= day]:
                match events.pop(due):
                    case "join":
                        await joining
                        await offices.join(self._subscribers[-LATE:])
                    case _:
                        topics = [office.topic for office in offices.all.values()]
                        await redeliver(self.stack, [*SERVICES, *topics], AGAIN)

        drive = Drive(api, clock, self.year, self.ledger, self._acknowledged, day_done)
        await drive.run(self.ikoma.workdays)
        await self.killing.healed(self.stack)

    def _acknowledged(self, intent: Intent) -> None:
        if self.killing.due():
            self.killing.strike(self.stack)

    async def _settle(self, clock: Clock, offices: Offices) -> None:
        """Until the services, the copies and the receipts between them all stand still."""
        assert clock.at
        counts = await clock.move(clock.at)
        while True:
            await offices.caught_up()
            now = await clock.move(clock.at)
            if now == counts:
                return
            counts = now

    async def _verdict(self, api: Api, clock: Clock, offices: Offices) -> Verdict:
        assert clock.at
        findings = await check.examine(self.stack, self.ledger)
        oracle = Oracle(self.ledger.done.values(), clock.at)
        lags = await asyncio.to_thread(offices.lags)
        agencies = []
        for code, office in offices.all.items():
            held, wanted = office.contents(), oracle.held(code)
            found = difference(wanted.values(), held)
            name = self.ikoma.agencies[code].name
            agencies.append(AgencyVerdict(code, name, len(held), lags[code], found))
        path = f"/v1/indicators?fiscal_year={self.ikoma.workdays.fiscal_year}"
        shown = await api.read("metrics", path, PLANNER)
        findings = replace(findings, parked=findings.parked + offices.refused())
        return Verdict(
            self.year, findings, tuple(agencies), shown["indicators"], shown["figures"],
            await readings(api, self.ledger), await retractions(api, self.ledger),
        )  # fmt: skip
