"""Calls that come while others are under way share the next trip: many when there is work, one when idle."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

MOST = 200
UNDER_WAY = 2
"""Trips at once, so that one that waits for a lock does not hold up all."""

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
        self._trips: set[asyncio.Task[None]] = set()

    async def __call__(self, asked: Asked) -> Answer:
        return await self.ask(asked)

    def ask(self, asked: Asked) -> asyncio.Future[Answer]:
        """The same for who asks several things at once, without a task for each."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if len(self._trips) < UNDER_WAY:
            trip = asyncio.create_task(self._trip())
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)
        return answer

    async def _trip(self) -> None:
        while self._waiting:
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
