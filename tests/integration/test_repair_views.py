"""Numbered views beside running followers and readers; a follower that stops when too much is invalid."""

import asyncio
import json
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from operate.install import Refused
from operate.repair import numbers, refold
from shared import views
from shared.broker import Message, envelope_in
from shared.contracts.intake import WorriesRecorded
from shared.db import Connection, pool
from shared.follow import Applier
from tests.integration._kit import Kit, running, stream_of, until

FLOOD = 10_000


async def fill(spine: Kit) -> Applier:
    """A new number, as full as the promoted one; returns who fills it."""
    async with spine.pool.acquire() as db, db.transaction():
        number = await views.build(db, spine.view)
    builder = Applier(spine.view, number, spine.pool, spine.codec, promoted=False)
    live = await spine.pool.fetchval(views.PROMOTED)
    lack = await refold.lacking(spine.pool, spine.topic, live, number)
    async with spine.pool.acquire() as db:
        await numbers.fill(db, builder, lack, {spine.topic: spine.pool})
    return builder


async def promote(spine: Kit, builder: Applier) -> None:
    live = await spine.pool.fetchval(views.PROMOTED)
    async with spine.pool.acquire() as db, db.transaction():
        await db.execute(views.CHANGE)
        await numbers.take_over(db, builder, live, {spine.topic: spine.pool})


async def applied_in(spine: Kit, number: int) -> dict[str, list[int]]:
    rows = await spine.pool.fetch(f"select stream, version from view_{number}.applied order by n")
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["stream"], []).append(row["version"])
    return found


@asynccontextmanager
async def readers(spine: Kit) -> AsyncIterator[list[int]]:
    """Ask the promoted view without pause, each a connection; whatever is refused ends the test."""
    answers: list[int] = []

    async def read() -> None:
        settings = {"search_path": f"{views.LIVE}, public"}
        async with pool(spine.place.database, size=1, **settings) as db:
            while True:
                sql = "select count(*) from applied a left join reacted using (stream, version)"
                answers.append(await db.fetchval(sql))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read()) for _ in range(3)]
        yield answers
        for task in tasks:
            task.cancel()


async def more(answers: list[int]) -> None:
    enough = len(answers) + 20

    async def there() -> bool:
        return len(answers) > enough

    await until(there, "answers")


async def test_numbers_are_promoted_while_all_go_on_reading_writing_and_following(
    spine: Kit,
) -> None:
    cases = [uuid4() for _ in range(20)]
    done = asyncio.Event()

    async def write() -> None:
        while not done.is_set():
            for case in cases:
                await spine.write(case, "一", "二")

    async with running(spine.relay(), await spine.follower()), readers(spine) as answers:
        writing = asyncio.create_task(write())
        for number in (2, 3, 4):
            await more(answers)
            await promote(spine, await fill(spine))
            assert await spine.pool.fetchval(views.PROMOTED) == number
            await more(answers)
        done.set()
        await writing
        wanted = await spine.written()

        async def in_step() -> bool:
            return await applied_in(spine, 4) == wanted

        await until(in_step)
    counted = "select count(*), count(distinct (stream, version)) from {} "
    reacted = " union all ".join(f"select * from view_{n}.reacted" for n in (1, 2, 3, 4))
    row = await spine.pool.fetchrow(counted.format(f"({reacted}) r"))
    assert row is not None
    assert tuple(row) == (sum(map(len, wanted.values())),) * 2


async def test_a_number_that_holds_something_else_is_not_promoted(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一", "二")
    async with running(spine.relay(), await spine.follower()):
        await spine.in_step()
    spine.toy.refuses = lambda value: value == "二"
    builder = await fill(spine)
    with pytest.raises(Refused, match="differs from the promoted one in 1 stream"):
        await promote(spine, builder)
    assert await spine.pool.fetchval(views.PROMOTED) == 1


async def test_what_is_parked_goes_over_to_the_promoted_number_and_heals_there(spine: Kit) -> None:
    case = uuid4()
    one, two, three = [await spine.message(case, n, f"{n}") for n in (1, 2, 3)]
    async with running(await spine.follower()):
        await spine.publish([one, three])

        async def parked() -> bool:
            return await spine.parked() == {stream_of(case): [3]}

        await until(parked)
        async with spine.pool.acquire() as db, db.transaction():
            number = await views.build(db, spine.view)
        builder = Applier(spine.view, number, spine.pool, spine.codec, promoted=False)
        with pytest.raises(Refused, match="differs"):  # no journal has the first
            await promote(spine, builder)
        async with spine.pool.acquire() as db, db.transaction():
            await views.work_on(db, number)
            first, *_ = await spine.on_topic()
            taken = first, envelope_in(first.headers, first.key), json.loads(first.value or b"")
            await builder.fold(db, await builder.opened([taken]))
        await promote(spine, builder)
        await spine.publish([two])

        async def healed() -> bool:
            return await applied_in(spine, 2) == {stream_of(case): [1, 2, 3]}

        await until(healed)
    assert not await spine.parked()


async def kept_in(spine: Kit, number: int) -> list[tuple[object, ...]]:
    rows = await spine.pool.fetch(f"select * from view_{number}.kept order by stream, version")
    return [tuple(row) for row in rows]


def keeping(spine: Kit) -> set[UUID]:
    """The view keeps worries, of which its projection is given nothing; of their cases it is told."""
    told: set[UUID] = set()

    async def touch(db: Connection, cases: Set[UUID]) -> None:
        told.update(cases)

    kinds = frozenset((WorriesRecorded.TYPE,))
    spine.view = replace(spine.view, kept=kinds, projected=frozenset(), touch=touch)
    return told


async def test_what_is_only_kept_is_carried_over_as_it_was_followed(spine: Kit) -> None:
    told = keeping(spine)
    cases = [uuid4() for _ in range(3)]
    for case in cases:
        await spine.write(case, "𠮷野家\n", "辻󠄀", basis="consent/1")
    async with running(spine.relay(), await spine.follower()):

        async def followed() -> bool:
            return len(await kept_in(spine, 1)) == 6

        await until(followed)
    assert told == set(cases)
    told.clear()
    builder = await fill(spine)
    assert await kept_in(spine, builder.number) == await kept_in(spine, 1)
    assert told == set(cases)
    await promote(spine, builder)


async def test_carrying_passes_over_no_version_that_a_journal_has_lost(spine: Kit) -> None:
    keeping(spine)
    case = uuid4()
    await spine.write(case, "一", "二", "三")
    async with running(spine.relay(), await spine.follower()):

        async def followed() -> bool:
            return len(await kept_in(spine, 1)) == 3

        await until(followed)
    await spine.pool.execute("delete from journal where version = 2")
    builder = await fill(spine)
    assert [row[2] for row in await kept_in(spine, builder.number)] == [1]
    assert await spine.parked() == {stream_of(case): [3]}
    with pytest.raises(Refused, match="differs from the promoted one in 1 stream"):
        await promote(spine, builder)


def spoiled(message: Message) -> Message:
    return message._replace(value=b"{")


async def test_a_view_stops_at_too_many_invalid_records_in_a_row_and_loses_nothing(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWER_INVALID_IN_A_ROW", "30")
    case = uuid4()
    ill = [spoiled(await spine.message(uuid4(), 1, "x")) for _ in range(40)]
    good = [await spine.message(case, n, f"{n}") for n in (1, 2)]
    follower = await spine.follower()
    async with running(follower):
        await spine.publish([good[0]])
        await spine.reached({stream_of(case): [1]})
        await spine.publish(ill)

        async def stopped() -> bool:
            return follower.applier.stopped is not None

        await until(stopped)
        assert follower.applier.stopped == "more than 30 records in a row cannot be applied"
        assert not follower.applier.live
        await spine.publish([good[1]])
    assert await spine.applied() == {stream_of(case): [1]}
    assert len(await spine.parked()) <= 30
    monkeypatch.delenv("FOLLOWER_INVALID_IN_A_ROW")
    async with running(await spine.follower()):
        await spine.reached({stream_of(case): [1, 2]})

        async def all_parked() -> bool:
            return len(await spine.parked()) == len(ill)

        await until(all_parked)


async def test_a_view_stops_when_too_much_is_parked(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWER_PARKED", "5")
    follower = await spine.follower()
    async with running(follower):
        for n in range(8):  # a good one between any two
            ill, case = spoiled(await spine.message(uuid4(), 1, "x")), uuid4()
            await spine.publish([ill, await spine.message(case, 1, f"{n}")])

        async def stopped() -> bool:
            return follower.applier.stopped is not None

        await until(stopped)
    assert follower.applier.stopped == "more than 5 records are parked"
    assert len(await spine.parked()) <= 5


async def test_good_records_flow_between_ten_thousand_invalid_ones(spine: Kit) -> None:
    cases = [uuid4() for _ in range(100)]
    ill = [spoiled(await spine.message(uuid4(), 1, "x")) for _ in range(FLOOD // len(cases))]
    good = [await spine.message(case, 1, "good") for case in cases]
    async with running(follower := await spine.follower()):
        await spine.publish([one for case in good for one in (*ill, case)])
        await spine.reached({stream_of(case): [1] for case in cases})
        assert follower.applier.stopped is None

        async def all_parked() -> bool:
            return bool(await spine.pool.fetchval("select count(*) = $1 from parked", FLOOD))

        await until(all_parked)


async def test_a_replay_in_vain_leaves_a_record_as_old_as_it_was(spine: Kit) -> None:
    case = uuid4()
    applier = await spine.applier()
    async with running(await spine.follower()):
        await spine.publish([await spine.message(case, 2, "二")])
        await until(spine.parked)
    since = await spine.pool.fetchval("select parked_at from parked")
    outcome = await applier.replay([stream_of(case)])
    assert [cause for _, cause in outcome.parked] == ["gap: version 1 is missing"]
    assert await spine.pool.fetchval("select parked_at from parked") == since
