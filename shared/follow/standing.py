"""Where a view stands: which number, how far, what waits, and whether it is at the present."""

import asyncio
from collections.abc import Container, Mapping
from contextlib import suppress

from shared import views
from shared.broker import TopicPartition
from shared.db import Pool, by_column
from shared.views import View

from . import inbox, parked, place
from .record import GAP

HURRIED_SECONDS = 0.15
"""Who waits says so again within this time."""
GAP_SECONDS = 20.0
"""Longer than a relay needs to notice that its topic has lost something, and to send it again."""
LASTING = """
select distinct p.topic, p.partition from parked p
 where p.view = $1 and p.stream is not null and p.parked_at < now() - make_interval(secs => $2)
   and not exists (select from parked e
                    where e.view = p.view and e.stream = p.stream and e.examined_at is not null)
   and not exists (select from inbox i join parked q using (view, stream)
                    where i.view = p.view and i.stream = p.stream and q.version = i.version + 1)"""
FRESH = """
select exists (select from parked
                where view = $1 and starts_with(cause, $2)
                  and parked_at > now() - make_interval(secs => $3))"""
EXAMINED = """
update parked p set examined_at = now() from unnest($2::text[], $3::int[]) d (topic, partition)
 where p.view = $1 and (p.topic, p.partition) = (d.topic, d.partition)
   and p.examined_at is null and p.parked_at < now() - make_interval(secs => $4)"""


class Standing:
    """Of one view in one process. `live`: it was at the present ends of its topics; `stopped`: why, if
    too much is invalid; `moved` is set, and another takes its place, at each change.
    """

    def __init__(self, view: View, number: int, pool: Pool) -> None:
        self.view, self.number, self._pool = view, number, pool
        self.live = False
        self.stopped: str | None = None
        self.moved = asyncio.Event()
        self._awaited, self._hurried_until = asyncio.Event(), 0.0
        self._looked = 0.0

    @property
    def name(self) -> str:
        return views.name_of(self.view.name, self.number)

    def beat(self) -> None:
        """Wake whoever waits on the present `moved`; the next ones wait on another."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    def hurry(self) -> None:
        """Somebody waits for what comes next: for a while it is not gathered."""
        self._hurried_until = asyncio.get_running_loop().time() + HURRIED_SECONDS
        self._awaited.set()

    def hurried(self) -> bool:
        return asyncio.get_running_loop().time() < self._hurried_until

    async def gather(self) -> None:
        """Before more is fetched, when little came: unless somebody waits, time for others to come too."""
        if self.view.gathers and self.live and not self.hurried():
            self._awaited.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.view.gathers):
                    await self._awaited.wait()

    async def positions(self, ids: Mapping[str, str]) -> dict[TopicPartition, int]:
        return await place.positions(self._pool, self.name, ids)

    async def set_back(self, lost: TopicPartition) -> None:
        await place.set_back(self._pool, self.name, lost)

    async def reached(self, stream: str, version: int) -> bool | None:
        """Has this view applied that version? None: the stream is parked and will not."""
        if await inbox.applied(self._pool, self.name, stream) >= version:
            return True
        return None if await self._pool.fetchval(parked.IS_PARKED, self.name, stream) else False

    async def gaps(self) -> bool:
        """Does something that came wait for what must come before it? It may be on its way again,
        from a relay whose topic has lost its tail; after some time it counts as lost.
        """
        return bool(await self._pool.fetchval(FRESH, self.name, GAP, GAP_SECONDS))

    async def missed(self, ours: Container[TopicPartition]) -> bool:
        """Set back those of our partitions where a gap lasts, once for each gap, whichever process
        does it: what is missing may stand below our position, if the topic lost its tail and grew
        again between two fetches.
        """
        now = asyncio.get_running_loop().time()
        if now - self._looked < GAP_SECONDS / 2:
            return False
        self._looked = now
        rows = await self._pool.fetch(LASTING, self.name, GAP_SECONDS)
        places = [TopicPartition(row["topic"], row["partition"]) for row in rows]
        places = [one for one in places if one in ours]
        for one in places:
            await self.set_back(one)
        if places:
            await self._pool.execute(EXAMINED, self.name, *by_column(places, 2), GAP_SECONDS)
        return bool(places)
