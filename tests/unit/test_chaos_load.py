"""Changes of consents and memberships are of agencies nothing rests on; faults come as the load gets on."""

import asyncio
from collections import Counter
from random import Random

from operate.chaos import changes
from operate.chaos.faults.stream import some_of
from operate.chaos.pace import ROUND, ROUNDS, Pace
from operate.demo.drive import stops
from operate.demo.ikoma import Ikoma
from operate.demo.plan import year as plan_year


async def waits(pace: Pace, share: float) -> bool:
    """Whether a fault waits for this share of its round."""
    due = asyncio.ensure_future(pace.due(share))
    await asyncio.sleep(0)
    still = not due.done()
    due.cancel()
    return still


async def test_a_fault_waits_until_the_load_has_come_to_its_turn() -> None:
    names = [str(n) for n in range(4 * ROUND)]
    pace = Pace(names)
    assert not await waits(pace, 0)
    turn = asyncio.ensure_future(pace.due(0.5))
    for done, name in enumerate(names[: ROUND // 2], 1):
        assert not turn.done(), f"due after {done - 1} changes"
        pace.acknowledged(name)
        await asyncio.sleep(0)
    assert await turn
    assert pace.again()
    assert await waits(pace, 0)  # the second round begins where the first was to end


async def test_few_changes_meet_every_fault_and_the_last_change_ends_a_later_round() -> None:
    pace = Pace(["a", "b", "c", "d"])
    assert ROUNDS == 2
    assert not await waits(pace, 0)
    assert await waits(pace, 0.5)
    for name in "abcd":
        pace.acknowledged(name)
    assert await pace.due(0.9), "a first round is done to its end"
    assert not pace.again()
    assert not await pace.due(0), "a later one is not"


async def test_without_changes_nothing_waits() -> None:
    pace = Pace()
    assert await pace.due(0.9)
    assert not pace.again()


def test_so_many_changes_of_agencies_that_do_nothing_else_are_spread_over_people_and_days() -> None:
    ikoma = Ikoma(every=6)
    year = plan_year(1_600, 4, ikoma)
    codes = changes.concerned(year, ikoma)
    changed, ids = changes.changed(year, ikoma, 20_000)
    made = [one for one in changed.intents if one.id in ids]
    assert len(made) == len(ids) == 20_000
    kinds = Counter(one.kind for one in made)
    assert kinds["member"] + kinds["leaving"] == 400
    assert min(kinds["member"], kinds["leaving"]) >= 160
    assert min(kinds["consent"], kinds["withdrawal"]) >= 7_000
    assert kinds["narrowing"] >= 1_000
    people = {one.chain for one in made if one.kind in ("consent", "withdrawal", "narrowing")}
    days = [day for day, (_, intents) in enumerate(stops(changed, ikoma.workdays))
            if any(one.id in ids for one in intents)]  # fmt: skip
    assert 600 <= len(people) <= changes.MOST
    assert len(days) >= 8
    for one in made:
        named = {
            one.body.get("agency"),
            *one.body.get("holders", ()),
            *one.body.get("excluded", ()),
        }
        assert named <= {None, *codes}


def test_agencies_that_are_watched_include_all_that_changes_concern_and_some_that_only_read() -> (
    None
):
    ikoma = Ikoma(every=6)
    year = plan_year(100, 4, ikoma)
    codes, others = changes.concerned(year, ikoma), list(year.agencies)
    watched = changes.watched(year, ikoma, others)
    assert set(codes) <= set(watched[:6])
    assert sorted(watched) == sorted({*codes, *others})


def test_of_many_records_so_many_are_drawn_each_as_likely_as_another() -> None:
    drawn: Counter[int] = Counter()
    random = Random(1)
    for _ in range(2_000):
        found = some_of(random, iter(range(20)), 5)  # type: ignore[arg-type]
        assert len(set(found)) == 5
        drawn.update(found)  # type: ignore[arg-type]
    assert min(drawn.values()) > 400  # of 500
    assert len(some_of(random, iter(range(3)), 5)) == 3  # type: ignore[arg-type]
