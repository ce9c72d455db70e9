"""Rounds of a loop: many together when there is much, at once when there is little."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from shared.loops import EACH_SECONDS, WIDEST_SECONDS, pace

Round = Callable[..., Awaitable[None]]


async def begun() -> Round:
    """The first round has just begun."""
    together = pace()
    await together()
    return together


def at_once(round: Awaitable[None]) -> bool:
    try:
        next(round.__await__())
    except StopIteration:
        return True
    return False


async def test_a_round_that_comes_alone_does_not_wait() -> None:
    together = await begun()
    await asyncio.sleep(0.05)
    assert at_once(together(1))


@pytest.mark.parametrize(("had", "apart"), [(20, 20 * EACH_SECONDS), (10_000, WIDEST_SECONDS)])
async def test_the_more_a_round_had_the_longer_the_next_takes_to_come(
    had: int, apart: float
) -> None:
    began = time.monotonic()
    together = await begun()
    await together(had)
    assert time.monotonic() - began >= apart


async def test_a_round_is_never_later_than_the_widest_however_much_there_was() -> None:
    together = await begun()
    await asyncio.sleep(WIDEST_SECONDS + 0.05)
    assert at_once(together(1_000_000))
