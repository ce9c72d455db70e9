"""How fast faults come: all of a round's, one after the other, spread over so many changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

ROUND = 5_000
"""Changes during which every fault of a plan has its turn once: often enough, and the load gets on."""
ROUNDS = 2
"""At the least, however few changes there are; the faults come faster then."""


class Pace:
    """`changes` are ids of what is still to be acknowledged; without any, nothing is ever waited for."""

    def __init__(self, changes: Iterable[str] = ()) -> None:
        self._left = set(changes)
        self._all, self._round = len(self._left), 0
        self._moved = asyncio.Event()

    @property
    def left(self) -> int:
        return len(self._left)

    def acknowledged(self, change: str) -> None:
        self._left.discard(change)
        self._moved.set()

    def again(self) -> bool:
        """Whether there is to be another round."""
        self._round += 1
        return bool(self._left)

    async def due(self, share: float) -> bool:
        """Waits until the load has come to this share of the round; False when it is over, and every
        fault has had its turn.
        """
        while self._left and self._all - len(self._left) < self._start(share):
            self._moved.clear()
            await self._moved.wait()
        return bool(self._left) or not self._round

    def _start(self, share: float) -> float:
        return (self._round + share) * min(ROUND, self._all / ROUNDS)
