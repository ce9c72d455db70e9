"""A transaction that is begun before there is anything to do in it: what comes next saves the trip."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import monotonic
from typing import NamedTuple

from shared.db import PASSING, Connection, Pool

FRESH_SECONDS = 1.0
"""Its `now()` is that of its beginning, and PostgreSQL ends one that stands idle for 3 s."""


class _Ready(NamedTuple):
    """It has seen nothing and holds nothing up. What is `open` is left when the transaction ends."""

    open: AsyncExitStack
    db: Connection
    at: float


class Begun:
    """Of one task, which works on one transaction after another."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ready: _Ready | None = None

    async def ahead(self) -> None:
        """Call now and then while there is nothing to do. What goes wrong shows when it is needed."""
        if not self._ready or monotonic() - self._ready.at > FRESH_SECONDS:
            with suppress(*PASSING):
                await self.end()
                self._ready = await self._begin()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        ready, self._ready = self._ready, None
        ready = ready or await self._begin()
        async with ready.open:
            yield ready.db

    async def end(self) -> None:
        ready, self._ready = self._ready, None
        if ready:
            await ready.open.aclose()

    async def _begin(self) -> _Ready:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(self._pool.acquire())
            await stack.enter_async_context(db.transaction())
            return _Ready(stack.pop_all(), db, monotonic())
        raise AssertionError  # an exit of the stack swallows nothing
