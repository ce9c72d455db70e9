"""Domain time that is moved by hand, and whether all that it set going has come to rest. Development only."""

import asyncio
import time
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel

from shared import problems
from shared.clock import SimulatedClock
from shared.runtime import Runtime
from shared.watch import OLDEST

SETTLE_SECONDS = 60.0

router = APIRouter(include_in_schema=False)


class ClockSet(BaseModel):
    at: AwareDatetime


class ClockShown(BaseModel):
    """`events` counts the journal: unchanged over all services means that nothing new appeared."""

    at: datetime
    events: int


@router.put("/dev/clock")
async def put_clock(request: Request, body: ClockSet) -> ClockShown:
    """Move domain time; answers when all timers due by then have fired and all is settled."""
    rt: Runtime = request.app.state.runtime
    assert isinstance(rt.clock, SimulatedClock)
    await rt.clock.move(rt.pool, body.at)
    deadline = time.monotonic() + SETTLE_SECONDS
    while not await settled(rt):
        if time.monotonic() > deadline:
            raise problems.Problem("not-yet-visible")
        await asyncio.sleep(0.01)
    events = await rt.pool.fetchval("select coalesce(max(seq), 0) from journal")
    return ClockShown(at=rt.clock.now(), events=events)


async def settled(rt: Runtime) -> bool:
    """Timers fired, journal published, topics followed to their ends, the service's own work done."""
    if rt.recovering:
        return False
    while await rt.timers.fire_one():
        pass
    if await rt.timers.waiting():  # another loop is firing it
        return False
    if await rt.pool.fetchval(OLDEST) is not None:
        return False
    if not rt.service.follows_by_itself and await rt.follower.behind():
        return False
    return await rt.service.settled(rt)
