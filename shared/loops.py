"""Loops that never return, and the libraries that end them without a word."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def slips() -> Iterator[None]:
    """A CancelledError that a library has let slip ends here; one that is meant for this task does not."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise


async def unending(loop: Coroutine[Any, Any, None]) -> None:
    """In a task group: a loop that ends, ends the others too. Of one that was cancelled from within
    the group would think that it came to an orderly end.
    """
    with slips():
        await loop
    raise RuntimeError("a loop has ended")
