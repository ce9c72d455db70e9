"""Several of one kind, and one that stands still: the others go on, and it does no harm when it wakes."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from operate.repair.place import NAME as REPAIR
from shared.broker import Message, TopicPartition, describe
from shared.db import NAME, PASSING, UNREAD, Connection, connect
from shared.follow import Follower
from shared.relay import JournalOutbox, Relay
from tests.integration._kit import PATIENCE, Kit, running, stream_of, until
from tests.integration._place import PARTITIONS
from tests.integration.test_follow import as_record, streams, whole

MUCH = "select repeat('x', 1000000) from generate_series(1, 50)"
STILL = """
select exists (select from pg_stat_activity
                where application_name = $1 and wait_event = 'ClientWrite'
                  and query_start < clock_timestamp() - interval '3 s')"""
END = "select pg_terminate_backend($1)"


async def test_what_a_process_holds_in_a_transaction_is_given_to_the_others(spine: Kit) -> None:
    """It stands still after its first event; the others may not wait for it for ever."""
    take = "insert into inbox (view, stream, version) values ('view', 'case/1', 1)"
    async with spine.pool.acquire() as still:
        await still.execute("begin")
        await still.execute(take)
        async with asyncio.timeout(PATIENCE):
            await spine.pool.execute(take)  # waits for the other, and is the first in the end
        with pytest.raises(PASSING):
            await still.execute("commit")


async def unread(spine: Kit) -> tuple[asyncpg.Connection, asyncio.Task[Any]]:
    """A process that has the relay's lock and stands still while it reads its rows."""
    still = await connect(spine.place.database, idle_session_timeout="2s")
    assert await still.fetchval("select pg_try_advisory_lock(hashtext($1))", f"relay {spine.topic}")
    asking = asyncio.create_task(still.fetch(MUCH))
    await asyncio.sleep(0)  # the question is on its way
    still._transport.pause_reading()  # type: ignore[attr-defined]
    return still, asking


async def test_a_relay_that_does_not_read_its_answer_loses_its_turn(spine: Kit) -> None:
    """PostgreSQL's own timeouts do not end a session that waits to write."""
    case = uuid4()
    still, asking = await unread(spine)
    await spine.write(case, "一", "二")

    async def published() -> bool:
        await spine.pool.execute(UNREAD)  # as every service does every two seconds
        return not await spine.unpublished()

    async with running(spine.relay()):
        await until(published, "another relay takes over")
    still.terminate()
    await asyncio.gather(asking, return_exceptions=True)
    assert await spine.published() == {stream_of(case): [1, 2]}


async def test_a_repair_that_takes_long_to_read_is_left_alone(spine: Kit) -> None:
    still = await connect(spine.place.database, application_name=REPAIR)
    much = await still.prepare(MUCH)
    asking = asyncio.create_task(much.fetch())
    await asyncio.sleep(0)
    still._transport.pause_reading()  # type: ignore[attr-defined]

    async def long_unread() -> bool:
        await spine.pool.execute(UNREAD)
        return bool(await spine.pool.fetchval(STILL, REPAIR))

    await until(long_unread)
    still._transport.resume_reading()  # type: ignore[attr-defined]
    assert len(await asking) == 50
    await still.close()


async def test_a_session_that_is_busy_is_left_alone(spine: Kit) -> None:
    async with spine.pool.acquire() as busy:
        assert await busy.fetchval("show application_name") == NAME
        asking = asyncio.create_task(busy.fetchval("select pg_sleep(4)::text"))
        while not asking.done():
            await spine.pool.execute(UNREAD)
        assert await asking == ""


class Standing(JournalOutbox):
    """Its process stands still once, between reading what is due and sending it."""

    def __init__(self, spine: Kit) -> None:
        super().__init__(spine.topic)
        self._spine, self.stood = spine, False
        self.relay = Relay(spine.topic, spine.place.database, spine.kafka, self)

    async def pending(
        self, db: Connection, sending: Sequence[Any] = ()
    ) -> Sequence[tuple[Any, Message]]:
        found = await super().pending(db, sending)
        if found and not self.stood:
            self.stood = True
            await self._spine.pool.execute(END, db.get_server_pid())
            assert self.relay.topics
            self.relay.topics.turn.sure_until = 0.0  # that was long ago
        return found


async def test_a_relay_that_stood_still_before_it_sent_sends_nothing_when_it_wakes(
    spine: Kit,
) -> None:
    cases = [uuid4() for _ in range(4)]
    for case in cases:
        await spine.write(case, "一", "二")
    outbox = Standing(spine)
    async with running(outbox.relay):
        await spine.drained()
    assert outbox.stood
    assert await spine.published() == await spine.written()  # nothing twice


async def test_a_relay_that_waits_tells_the_active_one_of_what_is_committed(spine: Kit) -> None:
    told = asyncio.Event()
    active = await connect(spine.place.database)
    assert await active.fetchval(
        "select pg_try_advisory_lock(hashtext($1))", f"relay {spine.topic}"
    )
    await active.add_listener(f"relay {spine.topic}", lambda *_: told.set())
    async with running(spine.relay()):
        await spine.write(uuid4(), "一")
        async with asyncio.timeout(PATIENCE):
            await told.wait()
    await active.close()


async def test_what_another_relay_wrote_into_the_topic_is_noticed(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that stood still may send what is old; an outbox of state must then send again."""
    monkeypatch.setattr("shared.relay.relay.COMPARE_SECONDS", 0.2)
    noticed: list[Sequence[str]] = []

    class State(JournalOutbox):
        async def overwritten(self, db: Connection, topics: Sequence[str]) -> None:
            noticed.append(topics)

    relay = Relay(spine.topic, spine.place.database, spine.kafka, State(spine.topic))
    case = uuid4()

    async def seen() -> bool:
        return bool(noticed)

    async with running(relay):
        await spine.write(case, "一", "二")
        await spine.drained()
        await spine.write(case, "三")
        await spine.drained()
        assert not noticed
        await spine.publish([await spine.message(case, 1, "old")])
        await until(seen)
    assert list(noticed[0]) == [spine.topic]


async def test_a_replica_without_partitions_is_live_when_the_view_is_at_the_ends(
    spine: Kit,
) -> None:
    cases = [uuid4() for _ in range(6)]
    followers = [await spine.follower(f"f{n}") for n in range(PARTITIONS + 1)]

    async def all_live() -> bool:
        return all(one.applier.live for one in followers)

    async def settled() -> bool:
        return not any([await one.behind() for one in followers])

    async with running(spine.relay(), *followers):
        await until(all_live, "live")
        for case in cases:
            await spine.write(case, "一", "二")
        await spine.in_step()
        await until(settled, "nothing behind")
        await until(all_live, "live")


async def test_a_replica_is_not_live_while_another_is_behind(spine: Kit) -> None:
    """Or it would decide on a view of which a part is still missing."""
    made = await streams(spine, *[2] * 40)  # each partition has some of them
    await spine.publish([m for _, all_ in made for m in all_])
    stuck = await spine.follower("stuck")
    tried = asyncio.Event()

    async def never(*_: Any) -> Any:
        tried.set()
        await asyncio.Event().wait()

    stuck.applier.apply = never  # type: ignore[method-assign]
    async with running(stuck):
        async with asyncio.timeout(PATIENCE):
            await tried.wait()
        other = await spine.follower("other")
        async with running(other):

            async def has_its_own() -> bool:
                return bool(await spine.applied())

            await until(has_its_own)
            await until(lambda: placed(other))
            assert await other.behind()
            assert not other.applier.live


async def test_a_rebalance_while_it_asks_how_far_it_is_does_not_end_the_follower(
    spine: Kit,
) -> None:
    follower = await spine.follower()
    ask, asked = follower.applier.positions, asyncio.Event()

    async def positions(ids: Mapping[str, str]) -> dict[TopicPartition, int]:
        found = await ask(ids)
        if follower._targets is not None and not asked.is_set():
            asked.set()
            follower.forget()  # partitions are revoked
            assert not follower.applier.live
        return found

    follower.applier.positions = positions  # type: ignore[method-assign]
    async with running(follower):
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        await follower.seek(follower._reader, follower._reader.assignment())  # and assigned

        async def live() -> bool:
            return follower.applier.live

        await until(live)


async def placed(follower: Follower) -> bool:
    return follower._targets is not None


class Unprobed(Follower):
    """A follower that was live all the time: it goes on at its place, and not one before."""

    async def seek(self, reader: Any, places: Iterable[TopicPartition]) -> None:
        await super().seek(reader, places)
        for place, offset in self._from.items():
            reader.seek(place, offset)


async def test_what_was_passed_over_is_read_again_when_its_gap_lasts(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic lost its tail and grew again past our place, before our next fetch."""
    monkeypatch.setattr("shared.follow.standing.GAP_SECONDS", 1.0)
    made = await streams(spine, 3)
    (_, gap) = made[0]
    await spine.publish(gap[:2])
    follower = await spine.follower()
    first, second = await spine.on_topic()
    described = await describe(spine.kafka, [spine.topic])
    await follower.applier.apply([first], {spine.topic: described[spine.topic].id})
    await spine.pool.execute('update position set "offset" = $1', second.offset + 1)
    follower.__class__ = Unprobed
    async with running(follower):
        await spine.publish(gap[2:])
        await spine.reached(whole(made))

        async def healed() -> bool:
            return not await spine.parked()

        await until(healed)


async def test_a_gap_behind_poison_is_not_read_again_and_again(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.follow.standing.GAP_SECONDS", 0.0)
    ((case, gap),) = await streams(spine, 3)
    poison = as_record(spine, gap[1], 1)._replace(value=b"{")
    applier = await spine.applier()
    ids = {spine.topic: "topic"}
    await applier.apply([as_record(spine, gap[0], 0), poison, as_record(spine, gap[2], 2)], ids)
    assert await spine.parked() == {stream_of(case): [2, 3]}
    place = next(iter(await applier.positions(ids)))
    assert not await applier.missed([place])
    assert (await applier.positions(ids))[place] == 3


async def test_a_lasting_gap_has_its_partition_read_again_once_whatever_process_comes(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.follow.standing.GAP_SECONDS", 0.0)
    ((case, gap),) = await streams(spine, 4)
    late = [as_record(spine, gap[1], 0), as_record(spine, gap[2], 1)]
    applier = await spine.applier()
    ids = {spine.topic: "topic"}
    await applier.apply(late, ids)
    place = next(iter(await applier.positions(ids)))
    assert await applier.missed([place])
    assert (await applier.positions(ids))[place] == 0
    assert not await applier.apply(late, ids)  # parked as it was
    assert not await (await spine.applier()).missed([place])
    assert await spine.parked() == {stream_of(case): [2, 3]}
    await applier.apply([as_record(spine, gap[3], 2)], ids)  # behind the same gap
    assert not await (await spine.applier()).missed([place])
