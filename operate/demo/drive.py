"""Sends the year: each day's intents at once, each case's in order, nothing twice and nothing lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from itertools import groupby

from operate.demo.client import Answer, Api, Unexpected
from operate.demo.clock import Clock
from operate.demo.intent import Intent, resolved
from operate.demo.ledger import Done, Ledger
from operate.demo.plan import Year
from operate.demo.workdays import Workdays

IN_FLIGHT = 12
FOLLOWS_ITSELF = "meetings"
"""Reads of its own writes go through its view, so it is told to wait for them too."""

Hook = Callable[[date], Awaitable[None]]


def stops(year: Year, workdays: Workdays) -> list[tuple[datetime, list[Intent]]]:
    """Moments at which the clock stands, each with what is then sent: an evening a day."""

    def stop(intent: Intent) -> datetime:
        setting = intent.chain.startswith("setting/")
        return intent.at if setting else workdays.evening(intent.at.date())

    ordered = sorted(year.intents, key=lambda intent: (stop(intent), intent.at, intent.id))
    return [(at, list(group)) for at, group in groupby(ordered, key=stop)]


class Drive:
    """`acknowledged` is called after each answer, `day_done` after each day."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        year: Year,
        ledger: Ledger,
        acknowledged: Callable[[Intent], None] = lambda intent: None,
        day_done: Hook | None = None,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._api, self._clock, self._year, self.ledger = api, clock, year, ledger
        self._acknowledged, self._day_done = acknowledged, day_done
        self._room = asyncio.Semaphore(in_flight)
        self._today: dict[str, asyncio.Future[None]] = {}
        self._fresh: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        self.tries = 0

    async def run(self, workdays: Workdays, enough: Callable[[], bool] = lambda: False) -> None:
        """The whole year, or as many days of it as are `enough`."""
        for at, intents in stops(self._year, workdays):
            await self._clock.move(at)
            await self._send_all(at, intents)
            if self._day_done:
                await self._day_done(at.date())
            if enough():
                return
        await self._clock.move(workdays.evening(workdays.last))

    async def _send_all(self, at: datetime, intents: Sequence[Intent]) -> None:
        chains: dict[str, list[Intent]] = defaultdict(list)
        loop = asyncio.get_running_loop()
        self._today = {intent.id: loop.create_future() for intent in intents}
        self._fresh.clear()
        for intent in intents:
            chains[intent.chain].append(intent)
        async with asyncio.TaskGroup() as group:
            for chain in chains.values():
                group.create_task(self._chain(at, chain))

    async def _chain(self, at: datetime, intents: Sequence[Intent]) -> None:
        for intent in intents:
            for needed in intent.needed & self._today.keys():
                await self._today[needed]
            async with self._room:
                await self._do(at, intent)
            self._today[intent.id].set_result(None)

    async def _do(self, at: datetime, intent: Intent) -> None:
        ids = {name: self._id(needed) for name, needed in intent.refs.items()}
        answered = {needed: self._id(needed) for needed in intent.needed}
        body = resolved(intent.body, answered)
        sent = {**body, "occurred_at": intent.happened.isoformat()}
        answer = await self._send(intent, ids, sent)
        if intent.expect:
            if (answer.status, answer.reason) != intent.expect:
                raise Unexpected(f"{intent.id} should have been refused, but: {answer.said()}")
            self.ledger.refused += 1
            return
        if not answer.good:
            raise Unexpected(f"{intent.id} ({intent.method} {intent.path}): {answer.said()}")
        stream, _, version = answer.position.rpartition("@")
        done = Done(intent, body, ids, at, str(answer.body["id"]), stream, int(version))
        self.ledger.add(done)
        self._fresh[intent.id][intent.service, stream] = int(version)
        self._fresh[intent.chain][intent.service, stream] = int(version)
        if intent.repeat:
            await self._again(intent, ids, sent, answer)
        self._acknowledged(intent)

    async def _again(
        self, intent: Intent, ids: dict[str, str], sent: dict[str, object], first: Answer
    ) -> None:
        """As a client does whose answer was lost: the same key must bring the same answer."""
        again = await self._send(intent, ids, sent)
        same = ("id", "stream", "version")
        if [again.body.get(n) for n in same] != [first.body.get(n) for n in same] or (
            again.status != first.status or again.position != first.position
        ):
            raise Unexpected(f"{intent.id} sent twice was not answered alike: {again.said()}")
        self.ledger.repeated += 1

    async def _send(self, intent: Intent, ids: dict[str, str], sent: dict[str, object]) -> Answer:
        answer = await self._api.send(
            intent.service, intent.method, intent.path.format_map(ids), sent,
            actor=intent.actor, key=intent.key(self._year.seed), after=self._after(intent),
        )  # fmt: skip
        self.tries += answer.tries
        return answer

    def _id(self, intent: str) -> str:
        return self.ledger.done[intent].id

    def _after(self, intent: Intent) -> str | None:
        """What was written today elsewhere and this builds on; earlier days have settled."""
        fresh = dict(self._fresh[intent.chain])
        for needed in intent.needed:
            for place, version in self._fresh.get(needed, {}).items():
                fresh[place] = max(version, fresh.get(place, 0))
        places = [
            f"{stream}@{version}"
            for (service, stream), version in fresh.items()
            if service != intent.service or service == FOLLOWS_ITSELF
        ]
        return ", ".join(sorted(places)) or None
