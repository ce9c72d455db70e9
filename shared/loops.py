"""Loops that never return, and the libraries that end them without a word."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

PACE_SECONDS, LATEST_SECONDS = 0.005, 0.02
LATER = 4
"""So much wider than it was late does a round leave the next."""
EACH_SECONDS, WIDEST_SECONDS = 0.0007, 0.1
"""At 1,400 a second rounds become as wide as they may: then most of what a round costs is the round."""
Item = TypeVar("Item")


@contextmanager
def slips() -> Iterator[None]:
    """A CancelledError that a library has let slip ends here; one that is meant for this task does not."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise


def pace() -> Callable[..., Awaitable[None]]:
    """Await it at the start of each round, with how much the last one had: rounds that come close upon each
    other begin PACE_SECONDS apart and EACH_SECONDS more for each that went, WIDEST_SECONDS at most, so that
    what arrives meanwhile goes together; one that comes alone does not wait. A process that wakes late has
    more to do, and its rounds come further apart, up to LATEST_SECONDS.
    """
    clock = asyncio.get_running_loop().time
    begun = late = 0.0

    async def round(had: int = 0) -> None:
        nonlocal begun, late
        apart = min(PACE_SECONDS + LATER * late, LATEST_SECONDS)
        earliest, late = begun + apart + min(EACH_SECONDS * had, WIDEST_SECONDS), 0.0
        if (left := earliest - clock()) > 0:
            await asyncio.sleep(left)
            late = clock() - earliest
        begun = clock()

    return round


async def ahead(items: AsyncIterator[Item]) -> AsyncIterator[Item]:
    """The same; the next is made while one is used."""

    async def following() -> list[Item]:
        async for item in items:
            return [item]
        return []

    coming = asyncio.create_task(following())
    try:
        while found := await coming:
            coming = asyncio.create_task(following())
            yield found[0]
    finally:
        coming.cancel()


async def unending(loop: Coroutine[Any, Any, None]) -> None:
    """In a task group: a loop that ends, ends the others too. Of one that was cancelled from within
    the group would think that it came to an orderly end.
    """
    with slips():
        await loop
    raise RuntimeError("a loop has ended")
