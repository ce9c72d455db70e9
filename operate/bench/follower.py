"""The follower beside a bare batched consumer, and a rebuilt view beside bare upserts of its rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from operate.bench.measured import Figure, Measurement, beside, running
from operate.demo.records import ends
from operate.repair import numbers
from operate.stack import Stack
from shared import views
from shared.broker import BETWEEN, TopicPartition, consumer, told_in
from shared.db import Pool
from shared.follow import BATCH, MOST, Follower
from shared.kept import KEPT, keep
from shared.runtime import Runtime

TOPIC = "intake"
SCRATCH = """
create table if not exists bench (stream text, version int, data text, primary key (stream, version))"""
UPSERT = """
insert into bench select * from unnest($1::text[], $2::int[], $3::text[])
on conflict (stream, version) do update set data = excluded.data"""
READ = """select coalesce(sum("offset"), 0) from position where topic = $1"""
TABLES = "inbox, position, parked, kept, cases"
ROWS = "select stream, version, data::text from kept"
SAME = (
    f"drop schema if exists bare cascade; create schema bare; set local search_path to bare; {KEPT}"
)
WHAT = {
    "follower": "follower with inbox, versions and opening ÷ a bare batched consumer of the same rows",
    "follower_values": "the same ÷ one that upserts the values alone, the limit before 0087",
    "rebuild": "view rebuilt from the journals ÷ unnest upserts of the same rows",
}
PROMISED = {"follower": 0.5, "follower_values": 0.5, "rebuild": 0.4}
Write = Callable[[Pool, Sequence[Any]], Awaitable[None]]


async def figures(stack: Stack, rt: Runtime, rows: int, repeats: int) -> list[Figure]:
    """`rt` is that of views; the topic holds `rows` events or more, the journal of intake as well."""
    found = []
    for name, ours, limit in await pairs(stack, rt):
        rates = await beside(ours, limit, repeats)
        found.append(Figure(name, WHAT[name], "events/s", *rates, at_least=PROMISED.get(name)))
    return found


async def pairs(stack: Stack, rt: Runtime) -> list[tuple[str, Measurement, Measurement]]:
    """Name, ours, limit, in the order in which they are measured: a view is filled, then rebuilt."""
    await rt.pool.execute(SCRATCH)
    async with rt.pool.acquire() as db, db.transaction():
        await db.execute(SAME)
    places = await places_of(stack)

    def follow() -> Awaitable[float]:
        return followed(rt, places, TABLES, Follower(rt.applier, rt.kafka, rt.pool).run())

    return [
        ("follower", follow, lambda: consumed(rt, places, "bare.kept", keep_all)),
        ("follower_values", follow, lambda: consumed(rt, places)),
        ("rebuild", lambda: _rebuild(stack), lambda: _upsert(rt)),
    ]


async def places_of(stack: Stack) -> dict[TopicPartition, int]:
    found = await asyncio.to_thread(ends, stack, [TOPIC])
    return {TopicPartition(*place): end for place, (_, end) in found.items()}


async def followed(
    rt: Runtime,
    places: Mapping[TopicPartition, int],
    tables: str,
    feeding: Coroutine[Any, Any, None],
) -> float:
    """Events a second from the first batch to the last, by what feeds the real view."""
    end = sum(places.values())
    async with rt.pool.acquire() as db, db.transaction():
        await views.enter(db)
        await db.execute(f"truncate {tables}")
    rt.applier.live = False
    async with running(feeding):
        first = await _read(rt, 1)
        began = time.perf_counter()
        await _read(rt, end)
        return (end - first) / (time.perf_counter() - began)


async def _read(rt: Runtime, records: int) -> int:
    """How many the view has read, when it is so many or more; not asked before it can be."""
    while True:
        moved = rt.applier.moved
        if (done := int(await rt.pool.fetchval(READ, TOPIC))) >= records:
            return done
        for _ in range(max(1, (records - done) // MOST)):
            await moved.wait()
            moved = rt.applier.moved


async def upsert(pool: Pool, records: Sequence[Any]) -> None:
    async with pool.acquire() as db, db.transaction():
        await db.execute(
            UPSERT,
            [f"{one.topic}/{one.partition}" for one in records],
            [one.offset for one in records],
            [one.value.decode() for one in records],
        )


async def consumed(
    rt: Runtime,
    places: Mapping[TopicPartition, int],
    table: str = "bench",
    write: Write = upsert,
) -> float:
    await rt.pool.execute(f"truncate {table}")
    reader = consumer(rt.kafka, None)
    await reader.start()
    reader.assign(list(places))
    await reader.seek_to_beginning(*places)
    left, done, began = sum(places.values()), 0, 0.0
    while left:
        found = await reader.getmany(timeout_ms=200, max_records=BATCH)
        records = [record for batch in found.values() for record in batch]
        if not records:
            continue
        await write(rt.pool, records)
        if began:
            done += len(records)
        began = began or time.perf_counter()
        left -= len(records)
    seconds = time.perf_counter() - began
    await reader.stop()
    return done / seconds


async def keep_all(pool: Pool, records: Sequence[Any]) -> None:
    """The rows that a follower of views keeps, into the same table with the same indexes, as fast as we
    know (0062): laid out as they came, and not opened.
    """
    lines = [BETWEEN.join((told_in(dict(one.headers), one.key), one.value)) for one in records]
    async with pool.acquire() as db, db.transaction():
        await db.execute("set local search_path to bare, public")
        await keep(db, lines)


async def _rebuild(stack: Stack) -> float:
    found = await numbers.rebuild(stack, "views")
    await numbers.drop(stack, "views", found["number"])
    return float(found["events_per_second"])


async def _upsert(rt: Runtime) -> float:
    rows = await rt.reads.fetch(ROWS)
    await rt.pool.execute("truncate bench")
    began = time.perf_counter()
    for n in range(0, len(rows), BATCH):
        some = rows[n : n + BATCH]
        async with rt.pool.acquire() as db, db.transaction():
            await db.execute(
                UPSERT,
                [row["stream"] for row in some],
                [row["version"] for row in some],
                [row["data"] for row in some],
            )
    return len(rows) / (time.perf_counter() - began)
