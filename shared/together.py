"""Calls that come while others are under way share the next trip: many when there is work, one when idle."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

MOST = 200
UNDER_WAY = 2
"""Trips at once: a second when ENOUGH wait for the first, so that here and there both work, or when it is
away for LONG, perhaps for a lock.
"""
ENOUGH, LONG_SECONDS = 8, 0.01

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Together(Generic[Asked, Answer]):
    """`work` answers several questions in their order; an exception among the answers is raised to
    the one who asked. What `work` itself raises is raised to all of that trip.
    """

    def __init__(
        self, work: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Exception]]]
    ) -> None:
        self._work = work
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._trips: set[asyncio.Task[None] | None] = set()

    async def __call__(self, asked: Asked) -> Answer:
        return await self.ask(asked)

    def ask(self, asked: Asked) -> asyncio.Future[Answer]:
        """The same for who asks several things at once, without a task for each."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if not self._trips or len(self._waiting) >= ENOUGH:
            self._go()
        elif len(self._waiting) == 1:
            self._look_again()
        return answer

    def _go(self) -> None:
        if self._waiting and len(self._trips) < UNDER_WAY:
            self._trips.add(asyncio.create_task(self._trip()))

    def _look_again(self) -> None:
        asyncio.get_running_loop().call_later(LONG_SECONDS, self._go)

    async def _trip(self) -> None:
        """And the next, for as long as something waits that is not left to the other."""
        try:
            while self._waiting:
                await self._once()
                if len(self._trips) > 1 and len(self._waiting) < ENOUGH:
                    self._look_again()
                    break
        finally:  # at once: who was just answered may ask again
            self._trips.discard(asyncio.current_task())

    async def _once(self) -> None:
        some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        asked, asking = zip(*some, strict=True)
        try:
            answers = list(zip(asking, await self._work(asked), strict=True))
        except Exception as error:
            answers = [(answer, error) for answer in asking]
        except BaseException:
            for answer in asking:
                answer.cancel()
            raise
        for answer, found in answers:
            if answer.done():  # who asked is gone
                continue
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)
