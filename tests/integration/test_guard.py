"""Guards against a large step back in speed: ratios to a bare limit beside it, about half of what is usual.

The figures themselves come from `./tsunagu bench spine`; these only fail when something is done again
for each event that was done once for many, or a table is read whole.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from shared import journal, keyring, watch
from shared.follow import inbox, parked
from shared.journal import Addition
from shared.relay import unsent
from tests.integration._kit import Kit, context, stream_of, worry
from tests.integration.test_follow import as_records, streams

TURNS = 5
UPSERT = """
insert into bare select * from unnest($1::text[], $2::int[], $3::text[])
on conflict (stream, version) do update set value = excluded.value"""


async def best(
    ours: Callable[[], Awaitable[None]], limit: Callable[[], Awaitable[None]], enough: float
) -> float:
    """The best ratio of several turns, or the first that is enough: noise of one is not counted."""

    async def seconds(work: Callable[[], Awaitable[None]]) -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    found = 0.0
    for _ in range(TURNS):
        bare = await seconds(limit)
        found = max(found, bare / await seconds(ours))
        if found >= enough:
            break
    return found


async def test_an_append_costs_what_an_insert_costs(spine: Kit) -> None:
    writers, events = 16, 20

    async def write(case: UUID) -> None:
        for version in range(events):
            addition = Addition(stream_of(case), str(case), version, [worry(case, "文")], context())
            await spine.journal.append_all(spine.journal.pool, [addition])

    async def insert(case: UUID) -> None:
        for version in range(events):
            drafts = Addition(
                stream_of(case), str(case), version, [worry(case, "文")], context()
            ).drafts()
            wires = await spine.codec.seal(drafts)
            async with spine.pool.acquire() as db:
                await spine.journal.insert(db, [mark for _, mark in drafts], wires)

    async def all_of(one: Callable[[UUID], Awaitable[None]]) -> None:
        await asyncio.gather(*(one(uuid4()) for _ in range(writers)))

    assert await best(lambda: all_of(write), lambda: all_of(insert), 0.5) >= 0.5


async def test_a_batch_is_applied_for_a_small_multiple_of_an_upsert(spine: Kit) -> None:
    made = await streams(spine, *[10] * 40)
    records = [as_records(spine, messages) for _, messages in made]
    batch = [record for n in range(10) for stream in records for record in stream[n : n + 1]]
    applier = await spine.applier()
    await spine.pool.execute(
        "create table bare (stream text, version int, value text, primary key (stream, version))"
    )

    async def apply() -> None:
        await spine.pool.execute("truncate inbox, position, view_1.applied")
        await applier.apply(batch, {spine.topic: "topic"})

    async def upsert() -> None:
        await spine.pool.execute("truncate bare")
        values = [(record.value or b"").decode() for record in batch]
        keys = [(record.key or b"").decode() for record in batch]
        await spine.pool.execute(UPSERT, keys, list(range(len(batch))), values)

    assert await best(apply, upsert, 0.1) >= 0.1


STATEMENTS = {
    "load": journal.LOAD,
    "repeat": journal.REPEAT,
    "pending": unsent.PENDING,
    "mark": unsent.MARK,
    "last": unsent.LAST,
    "above the end": unsent.ABOVE_END,
    "another topic": unsent.OTHER_TOPIC,
    "unpublished": watch.OLDEST,
    "known": inbox.KNOWN,
    "parked": parked.PARKED_OF,
    "keys": keyring.KEYS.format(table="data_key", ids=1),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_a_table_whole(spine: Kit, name: str) -> None:
    """Whatever statistics there are: of tables that have just grown there are none."""
    sql = STATEMENTS[name]
    nulls = ", ".join(["null"] * len(set(re.findall(r"\$[0-9]+", sql))))
    source = spine.keys if name == "keys" else spine.pool
    async with source.acquire() as db, db.transaction():
        await db.execute("set local plan_cache_mode to force_generic_plan")
        await db.execute(f"prepare asked as {sql}")
        rows = await db.fetch("explain execute asked" + (f" ({nulls})" if nulls else ""))
        await db.execute("deallocate asked")
    plan = "\n".join(row[0] for row in rows)
    assert "Index" in plan, plan
    assert "Seq Scan" not in plan, plan
