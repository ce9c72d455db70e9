"""The relay: how long until a commit is visible to a consumer, and how fast a backlog drains.

Beside a bare aiokafka producer of the same records, to a topic with as many partitions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from uuid_utils.compat import uuid7

from operate.bench.events import NEWEST, context, envelope, sealed, worry, written
from operate.bench.measured import Figure, beside, percentile, reading, running
from shared.broker import Message, event_message, producer
from shared.relay import JournalOutbox, Relay
from shared.runtime import Runtime
from shared.settings import Kafka

TOPIC = "intake"
BATCH = 500
SPAN = """
select sum(cardinality(seqs)) filter (where at > first)::float as published,
       extract(epoch from max(at) - min(first))::float as seconds
  from (select *, min(at) over () as first from sent where seqs[1] > $1) marked"""
LEFT = "select exists (select from unsent)"


@dataclass(frozen=True)
class Bare:
    """The topic of the limits, and who may use it."""

    topic: str
    kafka: Kafka


Write = Callable[[], Awaitable[str]]
"""Writes one event; answers with its id when it is committed, or about to be sent."""


async def figures(rt: Runtime, bare: Bare, rows: int, seconds: float, repeats: int) -> list[Figure]:
    """Leaves `rows` events and more in the journal and on the topic."""
    found = await latencies(rt, bare, seconds, repeats)
    drained, sent = await beside(lambda: drain(rt, rows), lambda: _produce(rt, bare, rows), repeats)
    what = f"drain of {rows:,} committed events ÷ a bare producer fed from memory"
    found.append(Figure("relay_drain", what, "events/s", drained, sent, at_least=0.5))
    return found


async def latencies(rt: Runtime, bare: Bare, seconds: float, repeats: int) -> list[Figure]:
    """From a commit to a consumer, at an even rate."""
    found: list[Figure] = []
    for rate, at_most in ((50, (2.0, 2.5)), (500, (None, None))):
        limit, ours = [], []
        for _ in range(repeats):
            async with _sender(rt, bare) as send:
                limit.append(await _latencies(bare.kafka, bare.topic, send, rate, seconds))
            async with _committer(rt) as commit:
                ours.append(await _latencies(rt.kafka, TOPIC, commit, rate, seconds))
        for percent, most in zip((50, 99), at_most, strict=True):
            suffix = "" if rate == 50 else f"_{rate}"
            what = f"commit → visible, {rate}/s, p{percent} ÷ a bare produce → consume"
            found.append(
                Figure(
                    f"relay_p{percent}{suffix}", what, "ms",
                    [1000 * percentile(one, percent) for one in ours],
                    [1000 * percentile(one, percent) for one in limit], at_most=most,
                )
            )  # fmt: skip
    return found


async def _latencies(
    kafka: Kafka, topic: str, write: Write, rate: int, seconds: float
) -> list[float]:
    """Seconds from `write`'s answer to the consumer, at an even rate whatever the answers take."""
    count = round(rate * seconds)
    asked = {"topic": topic, "records": count, "kafka": kafka.model_dump(mode="json")}
    done: dict[str, float] = {}

    async def one() -> None:
        id = await write()
        done[id] = time.monotonic()

    async with reading("watch", asked) as answer:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n in range(count):
                await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
                group.create_task(one())
        seen = await answer()
    return [seen[id] - at for id, at in done.items()]


@asynccontextmanager
async def _committer(rt: Runtime) -> AsyncIterator[Write]:
    relay = Relay("intake", rt.database.database_url, rt.kafka, JournalOutbox(TOPIC))
    async with running(relay.run()):

        async def commit() -> str:
            case = uuid7()
            async with rt.pool.acquire() as db, db.transaction():
                (made,) = await rt.journal.append(
                    db, f"case/{case}", str(case), 0, [worry(case)], context()
                )
            relay.wake()
            return str(made.id)

        await commit()
        await drained(rt)
        yield commit


@asynccontextmanager
async def _sender(rt: Runtime, bare: Bare) -> AsyncIterator[Write]:
    sender = producer(bare.kafka)
    await sender.start()

    async def send() -> str:
        case = uuid7()
        mark = envelope(case, 1)
        (wire,) = await rt.codec.seal([(worry(case), mark)])
        message = event_message(bare.topic, mark, wire)
        await sender.send(bare.topic, message.value, message.key, headers=message.headers)
        return str(mark.id)

    try:
        await send()
        yield send
    finally:
        await sender.stop()


async def drain(rt: Runtime, rows: int) -> float:
    """Events a second, after the first batch was marked."""
    return await emptied(rt, await filled(rt, rows))


async def filled(rt: Runtime, rows: int) -> int:
    """So many are committed and not sent; the last number before them."""
    before = int(await rt.pool.fetchval(NEWEST))
    await written(rt, await sealed(rt, rows))
    return before


async def emptied(rt: Runtime, before: int) -> float:
    """Events above that number a second."""
    relay = Relay("intake", rt.database.database_url, rt.kafka, JournalOutbox(TOPIC))
    async with running(relay.run()):
        await drained(rt)
    (span,) = await rt.pool.fetch(SPAN, before)
    return float(span["published"] / span["seconds"])


async def drained(rt: Runtime) -> None:
    """Until all is marked. The relay tells nobody, so the table is asked."""
    while await rt.pool.fetchval(LEFT):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def _produce(rt: Runtime, bare: Bare, rows: int) -> float:
    return await produced(bare, await made(rt, bare, rows))


async def made(rt: Runtime, bare: Bare, rows: int) -> list[Message]:
    return [
        event_message(bare.topic, mark, wire)
        for marks, wires in await sealed(rt, rows)
        for mark, wire in zip(marks, wires, strict=True)
    ]


async def produced(bare: Bare, messages: Sequence[Message]) -> float:
    """Records a second."""
    sender = producer(bare.kafka)
    await sender.start()
    began = time.perf_counter()
    await send(sender, messages)
    seconds = time.perf_counter() - began
    await sender.stop()
    return len(messages) / seconds


async def send(sender: Any, messages: Sequence[Message]) -> None:
    for n in range(0, len(messages), BATCH):
        await asyncio.gather(
            *[
                await sender.send(one.topic, one.value, one.key, headers=one.headers)
                for one in messages[n : n + BATCH]
            ]
        )
