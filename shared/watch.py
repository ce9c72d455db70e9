"""What an operator sees of a service from outside: how old what waits is, and how much stands still."""

import asyncio
from contextlib import suppress

from shared import telemetry, views
from shared.calendar import TOKYO, listed_until
from shared.db import PASSING, UNREAD
from shared.runtime import Runtime

OLDEST = """
select extract(epoch from clock_timestamp() - at) from unsent u, lateral (
       select at from journal where seq = u.seq limit 1) j order by u.seq limit 1"""
HELD = "select count(*) from held"
TIMERS = "select count(*) from timer where last_error is not null"
PARKED = "select count(distinct coalesce(stream, '')) from parked where view = $1"


async def watch(rt: Runtime) -> None:
    while True:
        with suppress(*PASSING):
            await rt.pool.execute(UNREAD)
            telemetry.unpublished_age.set(float(await rt.pool.fetchval(OLDEST) or 0))
            telemetry.held.set(await rt.pool.fetchval(HELD))
            telemetry.undone.labels("timers").set(await rt.pool.fetchval(TIMERS))
            today = rt.clock.now().astimezone(TOKYO).date()
            telemetry.holidays_left.set((listed_until() - today).days)
            rt.applier.number = await rt.pool.fetchval(views.PROMOTED)
            waiting = await rt.pool.fetchval(PARKED, rt.applier.name)
            telemetry.parked.labels(rt.applier.name).set(waiting)
        await asyncio.sleep(2)
