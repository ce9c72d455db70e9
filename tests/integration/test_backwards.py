"""When data goes backwards (a broker without fsync, a restored database) nothing is lost or doubled."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.partitioner import DefaultPartitioner
from uuid_utils.compat import uuid8

from operate.stack import Stack
from shared.broker import TopicPartition, describe
from shared.contracts import Envelope, Event
from shared.deadline import Timer
from shared.follow import Follower
from shared.journal import Journal
from shared.recover import take_back
from shared.relay import JournalOutbox
from tests.integration._kit import KEY, Kit, running, stream_of, until
from tests.integration._place import cut_tail, drop_topic, make_topic
from tests.integration.test_relay import dict_in_order

APART = """
with gone as (delete from sent returning *)
insert into sent select topic_id, partition, "offset" + n - 1, array[seq], at
  from gone, unnest(seqs) with ordinality u (seq, n)"""
MOVED = """
with moved as (update sent s set "offset" = "offset" + 1000 from journal j
                where j.seq = s.seqs[1] and j.version > $1 returning 1)
select count(*) from moved"""
TAKE_THE_PLACE = """
with lost as (delete from unsent u using journal l where u.seq = l.seq and l.stream = $1 returning l.seq),
     other as (select seq from journal where stream = $2),
     moved as (update sent s set seqs = array[lost.seq] from lost, other
                where s.seqs[1] = other.seq returning 1)
insert into unsent select seq from other, moved"""
KEPT = ("inbox", "position", "parked", "view_1.applied", "view_1.reacted")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relays look more often whether the broker has lost something."""
    monkeypatch.setattr("shared.relay.relay.COMPARE_SECONDS", 0.2)


async def write(spine: Kit, cases: Iterable[UUID], times: int = 2) -> None:
    for n in range(times):
        for case in cases:
            await spine.write(case, f"{n}", *["more"] * (n % 2))


async def ids(spine: Kit) -> set[tuple[str, int, str]]:
    rows = await spine.pool.fetch("select stream, version, id::text from journal")
    return {tuple(row) for row in rows}


async def ids_on_topic(spine: Kit) -> set[tuple[str, int, str]]:
    found = set()
    for record in await spine.on_topic():
        h = {name: (value or b"").decode() for name, value in record.headers}
        found.add((h["ce_stream"], int(h["ce_version"]), h["ce_id"]))
    return found


async def moved(spine: Kit, above: int) -> int:
    """The marks of later versions are those of a longer topic, which was cut; how many."""
    await spine.pool.execute(APART)
    return int(await spine.pool.fetchval(MOVED, above))


async def make_anew(spine: Kit, servers: Stack) -> None:
    await asyncio.to_thread(drop_topic, servers, spine.topic)
    await asyncio.to_thread(make_topic, servers, spine.topic)


# The broker.


@pytest.mark.parametrize("all_run", [True, False], ids=["while all run", "while all stand"])
async def test_a_topic_made_anew_is_filled_again_and_nobody_sees_a_double(
    spine: Kit, servers: Stack, all_run: bool
) -> None:
    cases = [uuid4() for _ in range(6)]
    relay, follower = spine.relay(), await spine.follower()
    async with running(relay, follower):
        await write(spine, cases)
        await spine.in_step()
        await spine.drained()
    if all_run:
        async with running(relay, follower):
            await make_anew(spine, servers)
            await write(spine, cases)

            async def filled() -> bool:
                return await ids_on_topic(spine) == await ids(spine)

            await until(filled)
            await spine.in_step()
    else:
        await make_anew(spine, servers)
        await write(spine, cases)
    async with running(spine.relay(), await spine.follower()):
        await spine.in_step()
        await spine.drained()
    assert await ids_on_topic(spine) == await ids(spine)
    assert dict_in_order(await spine.published()) == await spine.written()
    assert not await spine.parked()


async def test_what_stands_above_the_end_of_the_topic_is_published_again(spine: Kit) -> None:
    cases = [uuid4() for _ in range(6)]
    async with running(spine.relay()):
        await write(spine, cases)
        await spine.drained()
    # Offsets that the topic does not have: it has lost what stood there.
    lost = await moved(spine, 2)
    before = len(await spine.on_topic())
    async with running(spine.relay(), await spine.follower()):
        await spine.in_step()

        async def republished() -> bool:
            return len(await spine.on_topic()) == before + int(lost)

        await until(republished)
    assert await ids_on_topic(spine) == await ids(spine)


async def test_records_that_went_together_are_known_one_by_one(spine: Kit) -> None:
    """Where each is, and which of them are lost, though one row tells of all."""
    case = uuid4()
    await spine.write(case, *"一二三四五")
    async with running(spine.relay()):
        await spine.drained()
    there = {
        (record.partition, record.offset): dict(record.headers)["ce_id"]
        for record in await spine.on_topic()
    }
    places = (
        'select partition, "offset", id, topic_id from place join journal using (seq) order by 2'
    )
    found = await spine.pool.fetch(places)
    assert {(p, o): str(id).encode() for p, o, id, _ in found} == there
    assert await spine.pool.fetchval("select count(*) from sent") == 1
    partition, second, _, topic_id = found[2]
    outbox = JournalOutbox(spine.topic)
    place = TopicPartition(spine.topic, partition)
    async with spine.pool.acquire() as db:
        await outbox.reconcile(db, {spine.topic: topic_id}, {place: second})
        assert await spine.pool.fetch(places) == found[:2]
        again = [dict(message.headers)["ce_version"] for _, message in await outbox.pending(db)]
        assert again == [b"3", b"4", b"5"]
        await outbox.reconcile(db, {spine.topic: topic_id}, {place: second})
        assert await spine.pool.fetch(places) == found[:2]
        await outbox.reconcile(db, {spine.topic: "another"}, {})
        assert len(await outbox.pending(db)) == 5


async def test_a_broker_that_comes_back_without_its_tail_gets_it_again(
    spine: Kit, servers: Stack
) -> None:
    if servers.external:
        pytest.skip("these servers are not ours to stop")
    cases = [uuid4() for _ in range(9)]
    async with running(spine.relay()):
        for case in cases:  # one batch each
            await spine.write(case, "一", "二")
            await spine.drained()
        await asyncio.to_thread(servers.stop, "kafka-1")
        lost = await asyncio.to_thread(cut_tail, servers, spine.topic, 1)
        assert lost
        await asyncio.to_thread(servers.start, "kafka-1")

        async def whole() -> bool:
            return await ids_on_topic(spine) == await ids(spine)

        await until(whole, "the lost tail")
        await write(spine, cases)
        async with running(await spine.follower()):
            await spine.in_step()
        await spine.drained()
    assert await ids_on_topic(spine) == await ids(spine)


async def test_a_tail_lost_while_the_relay_runs_is_sent_again_though_nobody_writes(
    spine: Kit,
) -> None:
    cases = [uuid4() for _ in range(6)]
    relay = spine.relay()
    async with running(relay):
        await write(spine, cases)
        await spine.drained()
        before = len(await spine.on_topic())
        # As if the marks and the known ends were of a longer topic that was cut.
        lost = await moved(spine, 1)
        assert relay.topics
        for place in relay.topics.ends:
            relay.topics.ends[place] += 1000

        async def republished() -> bool:
            return len(await spine.on_topic()) == before + lost

        await until(republished)


async def test_rows_lost_below_new_ones_are_published_again(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tail was lost and grew again before the relay looked: an offset was given twice."""
    monkeypatch.setattr("shared.relay.relay.COMPARE_SECONDS", float("inf"))
    cases = [uuid4() for _ in range(6)]
    relay = spine.relay()
    async with running(relay):
        await write(spine, cases)
        await spine.drained()
        # As if the marks and the known ends were of a longer topic that was cut.
        lost = await moved(spine, 1)
        assert relay.topics
        for place in relay.topics.ends:
            relay.topics.ends[place] += 1000
        before = len(await spine.on_topic())
        new = 0

        async def republished() -> bool:
            nonlocal new
            await spine.write(uuid4(), "new")
            new += 1
            await spine.drained()
            return len(await spine.on_topic()) >= before + lost + new

        await until(republished)


async def test_what_was_sent_over_by_a_session_that_ended_is_published_again(spine: Kit) -> None:
    """The tail was lost, another event took its place, and the relay ended before it marked that."""
    lost, other = uuid4(), uuid4()
    async with running(spine.relay()):
        await write(spine, [uuid4() for _ in range(6)])
        await spine.write(other, "in its place")
        await spine.drained()
    await spine.write(lost, "lost")
    await spine.pool.execute(APART)
    await spine.pool.execute(TAKE_THE_PLACE, stream_of(lost), stream_of(other))

    async def whole() -> bool:
        return await ids_on_topic(spine) == await ids(spine)

    async with running(spine.relay(), await spine.follower()):
        await until(whole, "what was lost")
        await spine.in_step()


@pytest.mark.parametrize("grown", [2, 9], ids=["the end is below", "it has grown past"])
async def test_a_follower_whose_place_was_written_anew_misses_nothing(
    spine: Kit, grown: int
) -> None:
    """Nor what leaves no gap: a case of which nothing more comes."""
    case = uuid4()
    last = await beside(spine, case)
    async with running(spine.relay()):
        async with running(await spine.follower()):
            for n in range(5):
                await spine.write(case, str(n))
            await spine.in_step()
        # It had read five more records; the topic has lost them and has others there now.
        await spine.pool.execute('update position set "offset" = "offset" + 5 where "offset" > 0')
        for n in range(grown):
            await spine.write(last if n < 5 else case, f"new {n}")
        await spine.drained()
        async with running(await spine.follower()):
            await spine.in_step()
            await spine.write(case, "after")
            await spine.in_step()
    assert not await spine.parked()


async def beside(spine: Kit, case: UUID) -> UUID:
    """Another case whose events go to the same partition."""
    places = [
        place.partition
        for place in (await describe(spine.kafka, [spine.topic]))[spine.topic].places
    ]
    of = DefaultPartitioner()
    wanted = of(str(case).encode(), places, places)
    return next(one for one in iter(uuid4, None) if of(str(one).encode(), places, places) == wanted)


# The follower's database.


async def back_up(spine: Kit) -> None:
    """The follower's tables as they are."""
    await spine.pool.execute("create schema backup")
    for table in KEPT:
        await spine.pool.execute(f"create table backup.{table.split('.')[-1]} as table {table}")


async def restore(spine: Kit) -> None:
    for table in KEPT:
        await spine.pool.execute(
            f"delete from {table}; insert into {table} overriding system value"
            f" select * from backup.{table.split('.')[-1]}"
        )


async def set_back(spine: Kit) -> list[UUID]:
    """Five rounds are written, three of them applied, then the tables are those of the first two;
    and the group's offsets on the broker stand far ahead of them.
    """
    cases = [uuid4() for _ in range(6)]
    async with running(spine.relay()):
        async with running(await spine.follower()):
            await write(spine, cases)
            await spine.in_step()
        await back_up(spine)
        async with running(await spine.follower()):
            await write(spine, cases, 3)
            await spine.in_step()
        await restore(spine)
    return cases


async def test_a_follower_whose_database_was_set_back_catches_up_exactly(spine: Kit) -> None:
    cases = await set_back(spine)
    async with running(spine.relay(), await spine.follower()):
        await spine.in_step()
        await write(spine, cases)
        await spine.in_step()
    assert not await spine.parked()


async def test_positions_win_though_the_database_is_away_when_partitions_are_assigned(
    spine: Kit,
) -> None:
    class Unlucky(Follower):
        """PostgreSQL does not answer at the first assignment."""

        tried = False

        async def seek(self, reader: Any, places: Iterable[TopicPartition]) -> None:
            if not self.tried:
                self.tried = True
                raise ConnectionRefusedError
            await super().seek(reader, places)

    cases = await set_back(spine)
    follower = Unlucky(await spine.applier(), spine.kafka, spine.pool)
    async with running(spine.relay(), follower):
        await write(spine, cases)
        await spine.in_step()
    assert not await spine.parked()


async def test_positions_win_though_records_arrive_before_they_are_read(spine: Kit) -> None:
    class Slow(Follower):
        """It reads its positions when the client has fetched from the group's offsets already."""

        async def seek(self, reader: Any, places: Iterable[TopicPartition]) -> None:
            places = list(places)

            async def fetched() -> bool:
                return any(reader.highwater(place) is not None for place in places)

            await until(fetched)
            await super().seek(reader, places)

    cases = await set_back(spine)
    await write(spine, cases)
    async with running(spine.relay()):
        await spine.drained()  # there is something at the group's offsets
        async with running(Slow(await spine.applier(), spine.kafka, spine.pool)):
            await spine.in_step()
    assert not await spine.parked()


# The journal.


async def restore_journal(spine: Kit, keep: int) -> None:
    """As a restored backup: newest rows gone, and the newest of the rest not marked yet."""
    await forget(spine, keep)
    newest = "select seq from journal where version = $1"
    await spine.pool.execute(f"delete from sent where seqs[1] in ({newest})", keep)
    await spine.pool.execute(f"insert into unsent {newest}", keep)


async def forget(spine: Kit, keep: int) -> None:
    """As a backup from before later versions were written."""
    await spine.pool.execute(APART)
    later = "select seq from journal where version > $1"
    await spine.pool.execute(f"delete from sent where seqs[1] in ({later})", keep)
    await spine.pool.execute(f"delete from unsent where seq in ({later})", keep)
    await spine.pool.execute("delete from journal where version > $1", keep)


async def written_and_restored(spine: Kit) -> set[tuple[str, int, str]]:
    cases = [uuid4() for _ in range(6)]
    async with running(spine.relay(), await spine.follower()):
        await write(spine, cases)
        await write(spine, cases, 3)
        await spine.in_step()
        await spine.drained()
    everything = await ids(spine)
    await restore_journal(spine, 2)
    assert await ids(spine) < everything
    return everything


async def test_a_journal_that_was_set_back_takes_its_events_back_before_it_writes(
    spine: Kit,
) -> None:
    everything = await written_and_restored(spine)
    assert await take_back(spine.journal, spine.kafka, spine.topic) == len(everything) - 12
    assert await ids(spine) == everything
    assert await spine.unpublished() == 6  # what it took back is known to be there
    cases = [UUID(stream.split("/")[1]) for stream, _, _ in everything]
    async with running(spine.relay(), await spine.follower()):
        await write(spine, set(cases))
        await spine.in_step()
        await spine.drained()
    assert dict_in_order(await spine.published()) == await spine.written()
    assert await ids_on_topic(spine) == await ids(spine)
    assert await take_back(spine.journal, spine.kafka, spine.topic) == 0


async def test_a_command_that_a_restored_database_forgot_is_not_carried_out_again(
    spine: Kit,
) -> None:
    case = uuid4()
    async with running(spine.relay()):
        first = await spine.write(case, "一", "二", command=KEY, digest=b"body")
        await spine.write(case, "三", command=uuid8(0, 0, 2), digest=b"other")
        await spine.drained()
    before = await ids(spine)
    await forget(spine, 0)
    await spine.pool.execute("delete from command")
    await take_back(spine.journal, spine.kafka, spine.topic)
    again = await spine.write(case, "一", "二", command=KEY, digest=b"body")
    assert again == replace(first, repeated=True)
    assert await ids(spine) == before


async def test_taking_back_that_was_killed_is_taken_up_again(spine: Kit) -> None:
    everything = await written_and_restored(spine)
    await spine.falls("take_back", "recover.took:4")
    partly = await ids(spine)
    await spine.falls("take_back", "recover.took")
    assert partly <= await ids(spine) < everything
    await take_back(spine.journal, spine.kafka, spine.topic)
    assert await ids(spine) == everything


async def test_an_empty_journal_takes_everything_back(spine: Kit) -> None:
    everything = await written_and_restored(spine)
    await forget(spine, 0)
    assert await take_back(spine.journal, spine.kafka, spine.topic) == len(everything)
    assert await ids(spine) == everything
    assert await spine.unpublished() == 0


async def test_what_is_no_event_of_ours_does_not_stop_the_taking_back(spine: Kit) -> None:
    case = uuid4()
    one, two, three = [await spine.message(case, n, str(n)) for n in (1, 2, 3)]
    spoilt: list[dict[str, Any]] = [
        {"headers": []},
        {"headers": [("ce_id", None)]},
        {"value": b"{"},
        {"value": b"\xff"},
        {"value": None},
        {"value": b'{"case": "\\u0000"}'},
    ]
    await spine.publish([one._replace(**instead) for instead in spoilt])
    await spine.publish([one, two, three])
    assert await take_back(spine.journal, spine.kafka, spine.topic) == 3
    assert await spine.written() == {stream_of(case): [1, 2, 3]}


async def test_what_is_taken_back_sets_its_timers_again(spine: Kit) -> None:
    def plan(event: Event, envelope: Envelope) -> list[Timer]:
        name = f"{envelope.stream}#{envelope.version}"
        return [Timer(name, envelope.at, envelope.stream, {"version": envelope.version})]

    case = uuid4()
    spine.journal = Journal(spine.pool, spine.codec, lambda: None, plan)
    await spine.write(case, "一", "二", "三")
    async with running(spine.relay()):
        await spine.drained()
    timers = await spine.pool.fetch("select * from timer order by id")
    await forget(spine, 1)
    await spine.pool.execute("delete from timer where id not like '%#1'")
    await take_back(spine.journal, spine.kafka, spine.topic)
    assert await spine.pool.fetch("select * from timer order by id") == timers
    assert len(timers) == 3
