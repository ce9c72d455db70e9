"""Domain time: the system's, or a simulated one kept in the service's own database (development)."""

from datetime import UTC, datetime
from typing import Protocol

from shared.db import Pool

READ = "select at from simulated_clock"
MOVE = """
insert into simulated_clock (at) values ($1)
on conflict (one) do update set at = greatest(simulated_clock.at, excluded.at) returning at"""


class Clock(Protocol):
    def now(self) -> datetime:
        """Domain time now, aware, UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock:
    """Stands still until it is moved; never goes back. Tokens, leases and caches ignore it."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    @classmethod
    async def load(cls, pool: Pool) -> "SimulatedClock":
        return cls(await pool.fetchval(READ) or datetime.now(UTC))

    def now(self) -> datetime:
        return self._at

    async def move(self, pool: Pool, to: datetime) -> datetime:
        self._at = await pool.fetchval(MOVE, to.astimezone(UTC))
        return self._at
