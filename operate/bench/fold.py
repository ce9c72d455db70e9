"""The folds of metrics: live through Faust beside a bare Faust agent, and replay beside a bare loop."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from uuid_utils.compat import uuid7

from operate.bench import follower
from operate.bench.events import CHUNK, Sealed, envelope, written
from operate.bench.measured import Figure, Measurement, beside, running
from operate.bench.place import BARE
from operate.bench.relay import send
from operate.install import ROOT, Refused
from operate.repair.place import runtime
from operate.repair.topics import as_administrator
from operate.stack import Stack
from services.metrics.catch_up import reach
from shared.broker import event_message, producer
from shared.contracts.intake import ContactRecorded
from shared.db import Pool, pool
from shared.relay import JournalOutbox, Relay
from shared.runtime import Runtime

TABLES = "inbox, position, parked, records, cases"
FOLDED = "select count(*) from inbox where starts_with(stream, 'record/')"
UPSERTED = "select count(*) from bench"
LOOK_SECONDS, PATIENCE = 0.02, 300.0


async def figures(stack: Stack, rows: int, repeats: int) -> list[Figure]:
    """The services are stopped; the topic of intake holds about as many lines of the 支援経過記録 as other
    events.
    """
    async with runtime(stack, "metrics") as rt:
        ours, limit = await beside(*await replay(stack, rt), repeats)
    what = "replay fold of the figures ÷ a bare consumer loop with upserts"
    replayed = Figure("replay_fold", what, "events/s", ours, limit, at_least=0.4)
    ours, limit = await beside(lambda: _live(stack, rows), lambda: _agent(stack, rows), repeats)
    what = "live fold through Faust ÷ a Faust agent with the upsert alone"
    return [Figure("live_fold", what, "events/s", ours, limit, at_least=0.8), replayed]


async def replay(stack: Stack, rt: Runtime) -> tuple[Measurement, Measurement]:
    """Ours and the limit; `rt` is that of metrics."""
    await rt.pool.execute(follower.SCRATCH)
    places = await follower.places_of(stack)
    return (
        lambda: follower.followed(rt, places, TABLES, _replay(rt)),
        lambda: follower.consumed(rt, places),
    )


async def _replay(rt: Runtime) -> None:
    rt.state.pop("reach", None)
    async with reach(rt).caught_up():
        await asyncio.Event().wait()


async def contacts(rt: Runtime, rows: int) -> list[Sealed]:
    """Lines of the 支援経過記録, each a stream of its own."""
    chunks: list[Sealed] = []
    for start in range(0, rows, CHUNK):
        made = [(uuid7(), uuid7()) for _ in range(min(CHUNK, rows - start))]
        marks = [
            envelope(case, 1)._replace(stream=f"record/{record}", type=ContactRecorded.TYPE)
            for record, case in made
        ]
        events = [
            ContactRecorded(record=record, case=case, method="visit") for record, case in made
        ]
        chunks.append((marks, await rt.codec.seal(list(zip(events, marks, strict=True)))))
    return chunks


async def _live(stack: Stack, rows: int) -> float:
    """Events a second that the running service folds while they arrive."""
    await asyncio.to_thread(stack.start, "metrics")
    try:
        async with runtime(stack, "intake") as rt:
            relay = Relay("intake", rt.database.database_url, rt.kafka, JournalOutbox("intake"))

            async def commit(chunks: list[Sealed]) -> None:
                await written(rt, chunks)
                relay.wake()

            async with running(relay.run()):
                return await _rate(stack, rt, commit, FOLDED, rows)
    finally:
        await asyncio.to_thread(stack.stop, "metrics")


async def _agent(stack: Stack, rows: int) -> float:
    kafka = as_administrator(stack)
    url = stack.database_url("metrics", "metrics")
    environment = {**os.environ, "DATABASE_URL": url, "KAFKA": kafka.model_dump_json()}
    async with pool(url, size=1) as db:
        await db.execute("truncate bench")
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "operate.bench.agent", cwd=ROOT, env=environment
    )
    sender = producer(kafka)
    await sender.start()

    async def produce(chunks: list[Sealed]) -> None:
        messages = [
            event_message(BARE, mark, wire)
            for marks, wires in chunks
            for mark, wire in zip(marks, wires, strict=True)
        ]
        await send(sender, messages)

    try:
        async with runtime(stack, "intake") as rt:
            return await _rate(stack, rt, produce, UPSERTED, rows)
    finally:
        await sender.stop()
        if agent.returncode is None:
            agent.kill()
        await agent.wait()


async def _rate(
    stack: Stack,
    rt: Runtime,
    sent: Callable[[list[Sealed]], Coroutine[Any, Any, None]],
    query: str,
    rows: int,
) -> float:
    """Events a second from the first that comes through to the last, once one alone has."""
    alone, many = await contacts(rt, 1), await contacts(rt, rows)
    async with pool(stack.database_url("metrics", "metrics"), size=1) as db:
        done = await db.fetchval(query)
        await sent(alone)
        await _until(db, query, done + 1)
        sending = asyncio.create_task(sent(many))
        first = await _until(db, query, done + 2)
        began = time.perf_counter()
        last = await _until(db, query, done + 1 + rows)
        await sending
        return (last - first) / (time.perf_counter() - began)


async def _until(db: Pool, query: str, rows: int) -> int:
    """How many there are, once there are so many."""
    until = time.monotonic() + PATIENCE
    while (found := int(await db.fetchval(query))) < rows:
        if time.monotonic() > until:
            raise Refused("the fold does not come to its end; see ./tsunagu parked list")
        await asyncio.sleep(LOOK_SECONDS)
    return found
