"""What was measured: ours and the limit beside it, once a repeat; a figure is the ratio of medians."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`ours` and `limit` in `unit`. Without a limit, `ours` itself is the figure. `at_least` and
    `at_most` are what was promised.
    """

    name: str
    what: str
    unit: str
    ours: Sequence[float]
    limit: Sequence[float] = ()
    at_least: float | None = None
    at_most: float | None = None

    @property
    def value(self) -> float:
        own = median(self.ours)
        return round(own / median(self.limit), 3) if self.limit else round(own, 2)

    @property
    def kept(self) -> bool:
        """Is the promise kept?"""
        over = self.at_most is None or self.value <= self.at_most
        return over and (self.at_least is None or self.value >= self.at_least)

    @property
    def promise(self) -> str:
        """Empty where nothing was promised."""
        if self.at_least is not None:
            return f"≥ {self.at_least}"
        return "" if self.at_most is None else f"≤ {self.at_most}"

    def document(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "value": self.value,
            "promise": self.promise,
            "kept": self.kept,
            "unit": self.unit,
            "ours": [round(one, 3) for one in self.ours],
            "limit": [round(one, 3) for one in self.limit],
        }


Measurement = Callable[[], Awaitable[float]]


async def beside(
    ours: Measurement, limit: Measurement, repeats: int
) -> tuple[list[float], list[float]]:
    """Both in turns, so that a machine that drifts drifts for both."""
    own, bare = [], []
    for _ in range(repeats):
        bare.append(await limit())
        own.append(await ours())
    return own, bare


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


@asynccontextmanager
async def running(loop: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """A loop that never returns, for as long as something is measured."""
    task = asyncio.create_task(loop)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
