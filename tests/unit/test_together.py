"""Calls that share a trip: batches under load, one when idle, and nobody answers for another."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.together import MOST, UNDER_WAY, Together


class Door:
    """Doubles what it is asked, once it is opened. `trips`: what each was asked."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.open = asyncio.Event()
        self.trouble: Exception | None = None

    async def work(self, asked: Sequence[int]) -> list[int | Exception]:
        self.trips.append(list(asked))
        await self.open.wait()
        if self.trouble:
            raise self.trouble
        return [ValueError(one) if one < 0 else 2 * one for one in asked]


async def ask(together: Together[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    """One after another, each on its way before the next comes."""
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(together(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_alone_goes_at_once_and_what_comes_meanwhile_goes_together() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(UNDER_WAY + 5))
    assert door.trips == [[n] for n in range(UNDER_WAY)]
    door.open.set()
    assert await asyncio.gather(*tasks) == [2 * n for n in range(UNDER_WAY + 5)]
    assert sorted(n for trip in door.trips for n in trip) == list(range(UNDER_WAY + 5))
    assert len(door.trips) == UNDER_WAY + 1


async def test_a_trip_has_its_limit() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(UNDER_WAY + MOST + 1))
    door.open.set()
    await asyncio.gather(*tasks)
    assert max(map(len, door.trips)) == MOST


async def test_an_error_goes_to_the_one_who_asked() -> None:
    door = Door()
    door.open.set()
    together = Together(door.work)
    found = await asyncio.gather(*map(together, (1, -1, 2)), return_exceptions=True)
    assert [str(one) for one in found] == ["2", "-1", "4"]
    assert await together(3) == 6


async def test_trouble_goes_to_all_of_its_trip_and_the_next_is_tried_anew() -> None:
    door = Door()
    door.open.set()
    door.trouble = ConnectionError()
    together = Together(door.work)
    found = await asyncio.gather(*map(together, (1, 2)), return_exceptions=True)
    assert found == [door.trouble] * 2
    door.trouble = None
    assert await together(3) == 6


async def test_who_goes_away_takes_nobody_along() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(UNDER_WAY + 2))
    for gone in (tasks[0], tasks[UNDER_WAY]):
        gone.cancel()
    door.open.set()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await tasks[1] == 2
    assert await tasks[UNDER_WAY + 1] == 2 * (UNDER_WAY + 1)
