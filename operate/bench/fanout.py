"""`python -m operate.bench.fanout`: events of cases judged, sealed and sent to the agencies that hold them.

The real parts of views (follower, judge, both relays) run in this process beside the servers. Events come
over the broker, never more than a few hundred ahead of their documents; sealed and unsealed take turns.
In the end each agency's copy is made by the kit and held against the records of views.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil
import uvloop

from agency import Copy, Credentials, Subscriber
from operate.bench import spent
from operate.bench.cases import Household, Town, households, messages
from operate.bench.own import servers
from operate.bench.place import GIB
from operate.install import Refused
from operate.repair.place import runtime
from operate.repair.topics import as_administrator
from operate.stack import Stack
from services.views.delivery import Delivery
from services.views.domain.document import canonical, digest_of, padded
from services.views.seal import Seal, sealed_to
from services.views.view import newest_documents
from shared.contracts.referral import AgencyRegistered
from shared.contracts.views import SubscriptionRegistered
from shared.db import Connection
from shared.journal import Addition, Context
from shared.relay import Ack, Relay
from shared.runtime import Runtime

AHEAD, PATIENCE = 200, 900.0
OURS = {"handle", "document", "cause", "at"}
"""What a document says of itself beside its content."""


class Counted(Delivery):
    """The outbox of documents; how many the broker has been sent, and how many of those were the first
    of their agency and case.
    """

    def __init__(self, rt: Runtime, seal: Seal) -> None:
        super().__init__(rt, seal)
        self.sent, self.first, self.moved = 0, 0, asyncio.Event()

    async def mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        await super().mark(db, acks)
        sent = [token for ack in acks for token in ack.tokens if token is not None]
        self.sent += len(sent)
        self.first += sum(token["sent_document"] == 0 for token in sent)
        self.moved.set()

    def count(self, first: bool) -> int:
        return self.first if first else self.sent

    async def until(self, count: float, first: bool) -> None:
        while self.count(first) < count:
            self.moved.clear()
            await self.moved.wait()


def unsealed(key: dict[str, Any], plain: bytes) -> str:
    return padded(plain).decode()


class Views:
    """All loops of the service; which way its documents are sealed may change between two runs."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self._loops: list[asyncio.Task[None]] = []
        self.outbox = Counted(rt, sealed_to)

    async def start(self, seal: Seal) -> None:
        await self.stop()
        rt = self.rt
        self.outbox = Counted(rt, seal)
        url, kafka = rt.database.database_url, rt.kafka
        rt.relays = [rt.relays[0], Relay("documents", url, kafka, self.outbox)]
        loops = [*(one.run() for one in rt.relays), *rt.service.tasks(rt), rt.follower.run()]
        self._loops = [asyncio.create_task(loop) for loop in loops]
        while not rt.applier.live:
            await rt.applier.moved.wait()
        rt.recovering = False

    async def stop(self) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    async def until_sent(self, count: float, *, first: bool = False) -> None:
        """Raises what ended a loop."""
        sent = asyncio.create_task(self.outbox.until(count, first))
        await asyncio.wait(
            [sent, *self._loops], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        sent.cancel()
        for loop in self._loops:
            if loop.done():
                loop.result()
        if (sent_so_far := self.outbox.count(first)) < count:
            raise Refused(f"{sent_so_far} of {count} documents were sent; then no more came")


async def at_once(count: int) -> None:
    return None


async def measure(stack: Stack, asked: argparse.Namespace) -> dict[str, Any]:
    codes = [f"agency-{n:02}" for n in range(asked.agencies)]
    given = await asyncio.to_thread(stack.agencies, codes)
    cases = households(asked.cases, codes, asked.holders)
    async with runtime(stack, "views") as rt:
        views, town = Views(rt), Town(as_administrator(stack))
        await town.start()
        beating = asyncio.create_task(town.beat())
        try:
            await views.start(sealed_to)
            await _registered(rt, town, {code: one.public_key for code, one in given.items()})
            filled = await _fill(rt, views, town, cases, asked.holders)
            runs: dict[str, list[dict[str, float]]] = {"unsealed": [], "sealed": []}
            for n in range(asked.repeats):
                some = [cases[(n * asked.events + k) % len(cases)] for k in range(asked.events)]
                for name, seal in (("unsealed", unsealed), ("sealed", sealed_to)):
                    await views.start(seal)
                    runs[name].append(await _run(stack, views, town, some, asked.holders))
            seen = {
                code: await _copy(Credentials.model_validate(one.document()))
                for code, one in given.items()
            }
            equal = await _compare(rt, seen)
        finally:
            beating.cancel()
            await views.stop()
            await town.stop()
    return {
        "agencies": asked.agencies, "cases": asked.cases, "agencies_of_a_case": asked.holders,
        "events": asked.events, "filled_s": round(filled, 1), **runs, **equal,
        "load": [round(one, 1) for one in psutil.getloadavg()],
    }  # fmt: skip


async def _registered(rt: Runtime, town: Town, keys: dict[str, dict[str, Any]]) -> None:
    at = rt.clock.now()
    directory, subscriptions = [], []
    for code, key in keys.items():
        context = Context("bench", code, at, at)
        agency = AgencyRegistered(
            agency=code, name=code, kind="care", controller="private", purposes=("care",)
        )
        directory.append(Addition(f"agency/{code}", code, 0, [agency], context))
        subscribed = SubscriptionRegistered(agency=code, public_key=key)
        subscriptions.append(Addition(f"subscription/{code}", code, 0, [subscribed], context))
    await town.send(await messages(rt, "referral", directory), at_once)
    await rt.journal.append_all(rt.pool, subscriptions)
    rt.wake()
    for code in keys:
        while True:
            moved = rt.applier.moved
            if await rt.applier.reached(f"subscription/{code}", 1):
                break
            await moved.wait()


async def _fill(
    rt: Runtime, views: Views, town: Town, cases: Sequence[Household], holders: int
) -> float:
    """Seconds until all cases are there and the first documents of each are sent. Never far ahead, or
    views is not up to what it hears and judges all cases again and again.
    """
    began = time.perf_counter()
    for n in range(0, len(cases), AHEAD):
        begun = [addition for case in cases[n : n + AHEAD] for addition in case.begins()]
        made = await messages(rt, "intake", begun)
        await views.until_sent((n - AHEAD) * holders, first=True)
        await town.send(made, at_once)
    await views.until_sent(len(cases) * holders, first=True)
    while not await rt.service.settled(rt):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await rt.applier.moved.wait()
    return time.perf_counter() - began


async def _run(
    stack: Stack, views: Views, town: Town, cases: Sequence[Household], holders: int
) -> dict[str, float]:
    """Events a second, and milliseconds of processor time an event; what feeds is in our own."""
    made = await messages(views.rt, "intake", [case.tells() for case in cases])
    fed = 0

    async def room(count: int) -> None:
        nonlocal fed
        fed += count
        await views.until_sent((fed - AHEAD) * holders)

    before, began = spent.seconds(stack), time.perf_counter()
    await town.send(made, room)
    await views.until_sent(len(cases) * holders)
    took, after = time.perf_counter() - began, spent.seconds(stack)
    each = spent.each(before, after, len(cases), ("own", "postgres", "kafka"))
    return {"events_per_second": round(len(cases) / took, 1), **each}


async def _copy(credentials: Credentials) -> dict[str, tuple[int, str | None]]:
    """By handle, number and text of what a subscriber holds that begins with nothing."""
    copy = Copy(":memory:")
    reader = Subscriber(credentials, copy)
    following = asyncio.create_task(reader.run())
    await reader.caught_up()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return {handle: (number, body) for handle, (number, _, body) in copy.content().items()}


async def _compare(rt: Runtime, seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of each document that views has recorded: is it, by its digest, what the copy holds? How many of
    them an agency has, at least and at most.
    """
    rows = await rt.pool.fetch("select agency, case_id, handle from delivery order by agency")
    equal, of = 0, Counter(row["agency"] for row in rows)
    for n in range(0, len(rows), 1_000):
        some = rows[n : n + 1_000]
        newest = await newest_documents(rt.pool, [(row["agency"], row["case_id"]) for row in some])
        for row in some:
            recorded, _ = newest[row["agency"], row["case_id"]]
            number, body = seen[row["agency"]].get(str(row["handle"]), (0, None))
            shown = {name: v for name, v in json.loads(body or "{}").items() if name not in OURS}
            mark = digest_of(rt.keys.index_key, canonical(shown))
            equal += (number, mark) == (recorded.document, recorded.digest)
    spread = {"least": min(of.values()), "most": max(of.values()), "agencies": len(of)}
    return {"documents": len(rows), "equal_copies": equal, "of_an_agency": spread}


def main(arguments: Sequence[str]) -> None:
    asking = argparse.ArgumentParser(prog="python -m operate.bench.fanout", description=__doc__)
    asking.add_argument("--cases", type=int, default=20_000)
    asking.add_argument("--agencies", type=int, default=12)
    asking.add_argument("--holders", type=int, default=3, help="agencies of each case")
    asking.add_argument("--events", type=int, default=3_000)
    asking.add_argument("--repeats", type=int, default=3)
    asking.add_argument("--base-port", type=int, default=8400)
    asked = asking.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    with servers(asked.base_port, 2 * GIB) as stack:
        print(json.dumps(uvloop.run(measure(stack, asked))))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
