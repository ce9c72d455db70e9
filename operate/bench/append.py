"""Journal append beside the bare insert of the same row, each on 32 connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from uuid_utils.compat import uuid7

from operate.bench.events import NEWEST, context, envelope, worry
from operate.bench.measured import Figure, beside
from shared.db import Pool, pool
from shared.journal import Addition, Journal
from shared.runtime import Runtime

CONNECTIONS = 32
GONE = """
with gone as (delete from journal where seq > $1 returning seq)
delete from unsent u using gone where u.seq = gone.seq"""


async def figures(rt: Runtime, seconds: float, repeats: int) -> list[Figure]:
    before = await rt.pool.fetchval(NEWEST)
    async with pool(rt.database.database_url, size=CONNECTIONS) as connections:
        ours, limit = await beside(
            lambda: _rate(appending(rt, connections), seconds),
            lambda: _rate(inserting(rt, connections), seconds),
            repeats,
        )
    await rt.pool.execute(GONE, before)
    what = "journal append, 32 connections ÷ a bare insert of the same row"
    return [Figure("append", what, "events/s", ours, limit, at_least=0.7)]


async def appended(rt: Runtime, seconds: float) -> float:
    """Events a second; they are gone afterwards."""
    before = await rt.pool.fetchval(NEWEST)
    async with pool(rt.database.database_url, size=CONNECTIONS) as connections:
        rate = await _rate(appending(rt, connections), seconds)
    await rt.pool.execute(GONE, before)
    return rate


Writing = Callable[[], Awaitable[Callable[[int], Awaitable[None]]]]


async def _rate(writing: Writing, seconds: float) -> float:
    """A second, by as many writers as there are connections, each on a stream of its own."""
    done = 0

    async def writer(write: Callable[[int], Awaitable[None]]) -> None:
        nonlocal done
        version = 0
        while time.perf_counter() < until:
            await write(version)
            version += 1
            done += 1

    writers = [await writing() for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(writer(write) for write in writers))
    return done / (time.perf_counter() - began)


def appending(rt: Runtime, connections: Pool) -> Writing:
    journal = Journal(connections, rt.codec, lambda: None)

    async def stream() -> Callable[[int], Awaitable[None]]:
        case = uuid7()
        await rt.codec.seal([(worry(case), envelope(case, 1))])  # its key is made

        async def write(version: int) -> None:
            addition = Addition(f"case/{case}", str(case), version, [worry(case)], context())
            await journal.append_all(connections, [addition])

        return write

    return stream


def inserting(rt: Runtime, connections: Pool) -> Writing:
    async def stream() -> Callable[[int], Awaitable[None]]:
        case = uuid7()
        (wire,) = await rt.codec.seal([(worry(case), envelope(case, 1))])

        async def write(version: int) -> None:
            async with connections.acquire() as db:
                await Journal.insert(db, [envelope(case, version + 1)], [wire])

        return write

    return stream
