"""What an operator sees of a service from outside: how old what waits is, and how much stands still."""

import asyncio
from contextlib import suppress

from shared import telemetry, views
from shared.db import PASSING, UNREAD
from shared.runtime import Runtime

OLDEST = """
select coalesce(extract(epoch from clock_timestamp() - min(at)), 0) as age, count(*) as waiting
  from journal where published_at is null and held is null"""
HELD = "select count(*) from journal where held is not null"
PARKED = "select count(distinct coalesce(stream, '')) from parked where view = $1"


async def watch(rt: Runtime) -> None:
    while True:
        with suppress(*PASSING):
            await rt.pool.execute(UNREAD)
            row = await rt.pool.fetchrow(OLDEST)
            telemetry.unpublished_age.set(float(row["age"]) if row and row["waiting"] else 0)
            telemetry.held.set(await rt.pool.fetchval(HELD))
            rt.applier.number = await rt.pool.fetchval(views.PROMOTED)
            waiting = await rt.pool.fetchval(PARKED, rt.applier.name)
            telemetry.parked.labels(rt.applier.name).set(waiting)
        await asyncio.sleep(2)
