"""Bells: who waits for news of an agency's documents is rung; one look for all who wait in a process."""

import asyncio
from contextlib import suppress

import structlog

from shared.db import PASSING
from shared.loops import pace
from shared.runtime import Runtime

from .cursor import Cursor

LOOK_SECONDS = 0.5
"""What another replica has committed is seen after this time; what this one has, at once."""
MOVED = """
select k.agency, k.place from unnest($1::text[], $2::bigint[]) k (agency, place)
 where exists (select from feed f where f.agency = k.agency and f.place > k.place)
    or exists (select from delivery d where d.agency = k.agency and d.place is null
                and (d.placed_after is null or d.placed_after < now()))"""

log = structlog.get_logger()


class Bells:
    """Who waits for news of an agency is rung when there are any: one look for all of a process."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._waiting: dict[asyncio.Event, tuple[str, int]] = {}
        self._woken = asyncio.Event()
        rt.on_commit.append(self._woken.set)
        rt.state["bells"] = self

    async def wait(self, agency: str, reached: Cursor, seconds: float) -> None:
        """Until something of the agency has changed since `reached`, the time is over, or the
        process ends.
        """
        bell = asyncio.Event()
        self._waiting[bell] = agency, reached.place
        self._woken.set()
        ends = asyncio.ensure_future(self._rt.ending.wait())
        rings = asyncio.ensure_future(bell.wait())
        try:
            await asyncio.wait((ends, rings), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ends.cancel()
            rings.cancel()
            del self._waiting[bell]

    async def run(self) -> None:
        together = pace()
        while True:
            await together()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            if wanted := set(self._waiting.values()):
                try:
                    moved = await self._moved(wanted)
                except PASSING as error:
                    log.warning("feed.waits", error=type(error).__name__)
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                for bell, place in list(self._waiting.items()):
                    if place in moved:
                        bell.set()

    async def _moved(self, wanted: set[tuple[str, int]]) -> set[tuple[str, int]]:
        rows = await self._rt.pool.fetch(MOVED, *map(list, zip(*wanted, strict=True)))
        return {(row["agency"], row["place"]) for row in rows}
