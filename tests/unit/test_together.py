"""Calls that share a trip: batches under load, one when idle, and nobody answers for another."""

import asyncio
from collections.abc import Sequence

import pytest

from shared import together
from shared.together import ENOUGH, MOST, Together


class Door:
    """Doubles what it is asked, once it is opened. `trips`: what each was asked."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.open, self.second = asyncio.Event(), asyncio.Event()
        self.trouble: Exception | None = None

    async def work(self, asked: Sequence[int]) -> list[int | Exception]:
        self.trips.append(list(asked))
        if len(self.trips) == 2:
            self.second.set()
        await self.open.wait()
        if self.trouble:
            raise self.trouble
        return [ValueError(one) if one < 0 else 2 * one for one in asked]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trip counts as long, however busy the machine is."""
    monkeypatch.setattr(together, "LONG_SECONDS", 60.0)


async def ask(by: Together[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    """One after another, each on its way before the next comes."""
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(by(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


@pytest.mark.usefixtures("quick")
async def test_what_comes_alone_goes_at_once_and_what_comes_meanwhile_goes_together() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(ENOUGH))
    assert door.trips == [[0]]
    door.open.set()
    assert await asyncio.gather(*tasks) == [2 * n for n in range(ENOUGH)]
    assert door.trips == [[0], list(range(1, ENOUGH))]


@pytest.mark.usefixtures("quick")
async def test_a_second_trip_goes_when_enough_wait_and_no_third() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(3 * ENOUGH))
    assert door.trips == [[0], list(range(1, ENOUGH + 1))]
    door.open.set()
    assert await asyncio.gather(*tasks) == [2 * n for n in range(3 * ENOUGH)]
    assert sorted(n for trip in door.trips for n in trip) == list(range(3 * ENOUGH))


async def test_who_waits_behind_a_trip_that_does_not_come_back_goes_without_it() -> None:
    """It may stand before a lock: the others are not held up."""
    door = Door()
    tasks = await ask(Together(door.work), range(2))
    async with asyncio.timeout(10):
        await door.second.wait()
    assert door.trips == [[0], [1]]
    door.open.set()
    assert await asyncio.gather(*tasks) == [0, 2]


@pytest.mark.usefixtures("quick")
async def test_who_asks_again_as_soon_as_he_is_answered_goes_at_once() -> None:
    door = Door()
    door.open.set()
    by = Together(door.work)
    async with asyncio.timeout(10):
        assert [await by(n) for n in range(4)] == [0, 2, 4, 6]


async def test_a_trip_has_its_limit() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(ENOUGH + 1 + MOST + 1))
    door.open.set()
    await asyncio.gather(*tasks)
    assert max(map(len, door.trips)) == MOST


async def test_an_error_goes_to_the_one_who_asked() -> None:
    door = Door()
    door.open.set()
    by = Together(door.work)
    found = await asyncio.gather(*map(by, (1, -1, 2)), return_exceptions=True)
    assert [str(one) for one in found] == ["2", "-1", "4"]
    assert await by(3) == 6


async def test_trouble_goes_to_all_of_its_trip_and_the_next_is_tried_anew() -> None:
    door = Door()
    door.open.set()
    door.trouble = ConnectionError()
    by = Together(door.work)
    found = await asyncio.gather(*map(by, (1, 2)), return_exceptions=True)
    assert found == [door.trouble] * 2
    door.trouble = None
    assert await by(3) == 6


@pytest.mark.usefixtures("quick")
async def test_who_goes_away_takes_nobody_along() -> None:
    door = Door()
    tasks = await ask(Together(door.work), range(4))
    for gone in tasks[:2]:
        gone.cancel()
    door.open.set()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await asyncio.gather(*tasks[2:]) == [4, 6]
    assert door.trips == [[0], [1, 2, 3]]
