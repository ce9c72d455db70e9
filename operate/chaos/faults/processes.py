"""Services that are killed, stopped and asked to end: at every kill point, and anywhere."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from operate import databases
from operate.chaos.ground import Ground
from operate.chaos.points import points
from operate.places import SERVICES

PASSES_BY = 20.0
"""Seconds of an ordinary day in which a service must come by a point that it has to do with."""
DUE = """
insert into timer (id, due, stream, command)
select 'chaos', at, stream, jsonb_build_object('case', key) from journal
 where type = 'jp.tsunagu.case.opened.v1' limit 1
returning id"""
ZOMBIE = 3.5
"""Seconds that a process is stopped: the relay's lock and a consumer's session end before."""


async def at_point(ground: Ground, point: str, mode: str) -> None:
    """`mode` kill, stop or term, at one of the services that come by there."""
    services = list(points()[point])
    ground.random.shuffle(services)
    provoke = partial(_due, ground) if point.startswith("timers.") else nothing
    for service in services:
        async with ground.alone(service):
            if await falls(ground, service, point, mode, provoke):
                return
    ground.missed[f"{point} {mode}"] += 1


async def nothing() -> None: ...


async def _due(ground: Ground) -> None:
    """Lets something come due in intake that finds nothing to do: the end of a consent that is none."""
    until = time.monotonic() + PASSES_BY
    while time.monotonic() < until:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if await databases.fetch(ground.stack.admin_database_url("intake"), DUE):
                return
        await asyncio.sleep(0.5)


async def falls(
    ground: Ground,
    service: str,
    point: str,
    mode: str,
    provoke: Callable[[], Coroutine[Any, Any, object]] = nothing,
) -> bool:
    """Whether the service came by, and fell. `provoke` brings it there. It is back at the end."""
    weapon, before = ground.weapon(service), ground.stack.pid(service)
    draft = weapon.with_suffix(".draft")
    draft.write_text(f"{point} {mode}")
    draft.replace(weapon)
    provoked = asyncio.ensure_future(provoke())
    fallen = await asyncio.to_thread(_taken, ground, weapon)
    if fallen and mode == "stop":
        await asyncio.sleep(ZOMBIE)
        ground.stack.kill(service, signal.SIGCONT)
    await provoked
    if not fallen:
        return False
    if mode == "stop":
        await ground.ready(service)
    else:
        await ground.succeeded(service, before)
    ground.faults[f"{mode} at a kill point"] += 1
    ground.reached.add((point, mode))
    return True


def _taken(ground: Ground, weapon: Path) -> bool:
    """Whether somebody took the weapon in time; else it is taken away."""
    patience, pause = PASSES_BY, 0.02
    while weapon.exists() and patience > 0:
        time.sleep(pause)
        patience -= 0.0 if ground.clock.moving else pause
    try:
        weapon.unlink()
    except FileNotFoundError:
        return True
    return False


async def kill(ground: Ground) -> None:
    service = ground.random.choice(SERVICES)
    async with ground.alone(service):
        await asyncio.sleep(ground.random.uniform(0, 0.5))
        await ground.end(service)
    ground.faults["kill at random"] += 1


async def stop(ground: Ground) -> None:
    """A zombie: it goes on after others have taken its place."""
    service = ground.random.choice(SERVICES)
    async with ground.alone(service):
        ground.stack.kill(service, signal.SIGSTOP)
        await asyncio.sleep(ZOMBIE)
        ground.stack.kill(service, signal.SIGCONT)
        await ground.ready(service)
    ground.faults["stop"] += 1


async def term(ground: Ground) -> None:
    service = ground.random.choice(SERVICES)
    async with ground.alone(service):
        await ground.end(service, by=signal.SIGTERM)
    ground.faults["term"] += 1


async def rolling(ground: Ground) -> None:
    """Each replica of each service is asked to end, one after the other, as in a new version's roll-out."""
    for part in ground.clock.parts:
        async with ground.alone(part):
            await ground.end(part, by=signal.SIGTERM)
        ground.faults["term"] += 1


async def all_at_once(ground: Ground) -> None:
    """Services, broker and database."""
    async with ground.alone("postgres", *SERVICES):
        await ground.end("postgres", "kafka-1", *SERVICES)
    ground.faults["all at once"] += 1


async def clock_jump(ground: Ground) -> None:
    """One service's clock jumps ahead of the others to the day that they reach next."""
    ground.faults["clock jump"] += 1
    ground.clock.ahead = ground.random.choice(SERVICES)
