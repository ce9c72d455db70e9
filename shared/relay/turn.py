"""The right to send: an advisory lock, held by a session of PostgreSQL that is lost by standing still."""

import asyncio
from contextlib import suppress
from typing import Any

from shared.db import Connection

POLL_SECONDS = 0.5
LOCK_LOST_AFTER = "2s"
"""A process that is stopped, not dead, stops pinging; PostgreSQL then ends its session and lock."""
SURE_SECONDS = 1.0
"""So long after the last answer of its session a relay trusts that the lock is its own."""

LOCK = "select pg_try_advisory_lock(hashtext($1))"
TELL = "select pg_notify($1, '')"


class Turn:
    """One relay's: its session `db` has the lock once `take` is through."""

    def __init__(self, db: Connection, name: str, woken: asyncio.Event) -> None:
        self.db, self._channel, self._woken = db, f"relay {name}", woken
        self.sure_until = 0.0

    async def take(self) -> None:
        """Wait for the lock, and meanwhile tell who has it of what is committed here: many commits
        at once, outside their transactions, where a NOTIFY would hold up all writers.
        """
        while not await self.db.fetchval(LOCK, self._channel):
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()
                self._woken.clear()
                await self.db.execute(TELL, self._channel)
        await self.db.add_listener(self._channel, lambda *_: self._woken.set())

    def answered(self) -> None:
        """The session has just been asked something, so it is there."""
        self.sure_until = asyncio.get_running_loop().time() + SURE_SECONDS

    async def still_ours(self) -> None:
        """Raises one of PASSING if this process stood still until its session and lock were gone."""
        if asyncio.get_running_loop().time() > self.sure_until:
            await self.db.execute("select 1")
            self.answered()

    async def rest(self) -> None:
        """Until something is committed here, or the session has to be kept alive."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            await self.db.execute("select 1")

    async def ping_until(self, done: asyncio.Future[Any]) -> None:
        """Wait, and keep the session alive."""
        try:
            while not done.done():
                await asyncio.wait([done], timeout=POLL_SECONDS)
                if not done.done():
                    await self.db.execute("select 1")
        finally:
            done.cancel()
