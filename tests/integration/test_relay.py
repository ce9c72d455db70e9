"""The relay: what is committed reaches the topic, in the order of its stream, whatever dies in between."""

import asyncio
import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from operate.stack import Stack
from shared import journal
from shared.broker import HEARTBEATS, Message
from shared.db import Connection
from shared.relay import JournalOutbox, Relay, unsent
from shared.relay.unsent import PENDING, RELEASE
from tests.integration._kit import Kit, context, running, stream_of, until, worry
from tests.integration._place import change_topic, execute

ROOT = Path(__file__).parents[2]
LARGE = "葛" * 100_000  # sealed 400,000 bytes
LIMIT = "200000"


async def write_much(spine: Kit, cases: Sequence[UUID], writers: int = 8, each: int = 12) -> None:
    async def writer(w: int) -> None:
        for n in range(each):
            await spine.write(cases[(w + n) % len(cases)], f"{w}.{n}", *["more"] * (n % 3))

    await asyncio.gather(*(writer(w) for w in range(writers)))


def dict_in_order(found: dict[str, list[int]]) -> dict[str, list[int]]:
    """Each stream's versions by first appearance: what is left when duplicates are dropped."""
    return {stream: list(dict.fromkeys(versions)) for stream, versions in found.items()}


async def test_all_that_is_committed_arrives_once_and_in_order(spine: Kit) -> None:
    cases = [uuid4() for _ in range(9)]
    async with running(spine.relay(), await spine.follower()):
        await write_much(spine, cases)
        await spine.in_step()
        await spine.drained()
    assert await spine.published() == await spine.written()


async def test_what_commits_late_is_sent_too(spine: Kit) -> None:
    """Its number was given before that of a row that is on the topic already."""
    late, other = uuid4(), uuid4()
    async with running(spine.relay()):
        async with spine.pool.acquire() as db, db.transaction():
            events = [worry(late, "一")]
            await spine.journal.append(db, stream_of(late), str(late), 0, events, context())
            await spine.write(other, "二")
            await spine.drained()
        spine.journal.announce()
        await spine.drained()
    assert await spine.published() == {stream_of(late): [1], stream_of(other): [1]}


async def test_a_record_says_what_its_row_says(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一", basis="consent/1@2")
    async with running(spine.relay()):
        await spine.drained()
    (record,) = await spine.on_topic()
    row = await spine.pool.fetchrow("select * from journal join place using (seq)")
    headers = {name: (value or b"").decode() for name, value in record.headers}
    assert row is not None
    assert json.loads(record.value or b"") == row["data"]
    assert record.key == row["key"].encode()
    assert (row["partition"], row["offset"]) == (record.partition, record.offset)
    assert headers["ce_id"] == str(row["id"])
    assert (headers["ce_stream"], headers["ce_version"]) == (stream_of(case), "1")
    assert headers["ce_basis"] == "consent/1@2"
    assert datetime.fromisoformat(headers["ce_time"]) == row["at"]


@pytest.mark.parametrize(
    "point",
    ["relay.compared", "relay.sending", "relay.sent", "relay.sent:3", "relay.marked"],
)
async def test_a_relay_killed_at_any_step_loses_nothing_and_nothing_is_applied_twice(
    spine: Kit, point: str
) -> None:
    cases = [uuid4() for _ in range(5)]
    await write_much(spine, cases, writers=3, each=4)
    async with running(await spine.follower()):
        falling = asyncio.create_task(spine.falls("relay", point))
        while not falling.done():
            await spine.write(uuid4(), "while it runs")
        await falling
        unmarked = await spine.unpublished()
        async with running(spine.relay()):
            await spine.drained()
            await spine.in_step()
    published = await spine.published()
    assert dict_in_order(published) == await spine.written()
    if point.startswith("relay.sent"):
        assert unmarked
        assert published != await spine.written()  # there were duplicates


async def test_a_second_relay_waits_and_takes_over_from_one_that_stands_still(spine: Kit) -> None:
    cases = [uuid4() for _ in range(3)]
    async with running(await spine.follower()), spine.child("relay") as first:
        await write_much(spine, cases, writers=2, each=3)
        await spine.drained()
        async with running(spine.relay()):
            await write_much(spine, cases, writers=2, each=3)
            first.send_signal(signal.SIGSTOP)
            await write_much(spine, cases, writers=4, each=3)
            await spine.drained()
            first.send_signal(signal.SIGCONT)
            await write_much(spine, cases, writers=4, each=3)
            await spine.in_step()
            await spine.drained()
    assert dict_in_order(await spine.published()) == await spine.written()


async def test_two_relays_at_once_send_each_row_once(spine: Kit) -> None:
    cases = [uuid4() for _ in range(5)]
    async with running(spine.relay(), spine.relay(), spine.relay()):
        await write_much(spine, cases)
        await spine.drained()
    assert await spine.published() == await spine.written()


async def test_a_relay_whose_database_sessions_are_ended_goes_on(
    spine: Kit, servers: Stack
) -> None:
    cases = [uuid4() for _ in range(5)]
    end = (
        "select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database"
        f" where l.locktype = 'advisory' and d.datname = '{spine.place.name}'"
    )
    async with running(spine.relay(), await spine.follower()):
        for _ in range(4):
            await write_much(spine, cases, writers=3, each=3)
            await execute(servers, end)
        await spine.in_step()
        await spine.drained()
    assert dict_in_order(await spine.published()) == await spine.written()


@pytest.mark.parametrize("refuses", ["client", "broker"])
async def test_a_row_too_large_is_held_and_its_stream_waits_while_others_flow(
    spine: Kit, servers: Stack, monkeypatch: pytest.MonkeyPatch, refuses: str
) -> None:
    large, other = uuid4(), uuid4()
    text = LARGE
    if refuses == "broker":
        await asyncio.to_thread(change_topic, servers, spine.topic, **{"max.message.bytes": LIMIT})
    else:
        monkeypatch.setattr(journal, "LARGEST_EVENT", 10_000_000)
        text = LARGE * 3
    await spine.write(large, "before")
    await spine.write(large, text, "after", "after")
    await spine.write(other, "一", "二")

    async def all_but_the_held() -> bool:
        return await spine.unpublished() == 3

    async with running(spine.relay(), await spine.follower()):
        await until(all_but_the_held)
        await spine.write(large, "later")
        await spine.write(other, "三")
        await spine.reached({stream_of(large): [1], stream_of(other): [1, 2, 3]})
        assert await spine.published() == {stream_of(large): [1], stream_of(other): [1, 2, 3]}
        held = await spine.pool.fetch("select stream, version, cause from held")
        assert [tuple(row) for row in held] == [(stream_of(large), 2, "MessageSizeTooLargeError")]
        # An operator raises the limit, or shortens the row, and lets it go.
        if refuses == "broker":
            await asyncio.to_thread(
                change_topic, servers, spine.topic, **{"max.message.bytes": "1048576"}
            )
        else:
            await spine.pool.execute(
                "update journal set data = (select data from journal where version = 1 limit 1)"
                " where seq in (select seq from held)"
            )
        await spine.pool.execute(RELEASE, stream_of(large))
        await spine.drained()
    assert await spine.published() == await spine.written()


async def test_full_batches_follow_each_other_and_each_row_is_sent_once(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is on its way the next is read."""
    monkeypatch.setattr(JournalOutbox, "batch", 3)
    cases = [uuid4() for _ in range(4)]
    await write_much(spine, cases, writers=2, each=5)
    async with running(spine.relay()):
        await spine.drained()
    assert await spine.published() == await spine.written()


async def test_what_was_read_ahead_waits_when_an_earlier_row_is_held(
    spine: Kit, servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JournalOutbox, "batch", 3)
    await asyncio.to_thread(change_topic, servers, spine.topic, **{"max.message.bytes": LIMIT})
    large, other = uuid4(), uuid4()
    await spine.write(large, LARGE)
    await spine.write(other, "一", "二")
    await spine.write(large, "after")
    await spine.write(other, "三")

    async def all_but_the_held() -> bool:
        return await spine.unpublished() == 2

    async with running(spine.relay()):
        await until(all_but_the_held)
        await spine.write(other, "四")
        await until(all_but_the_held)
    assert await spine.published() == {stream_of(other): [1, 2, 3, 4]}


async def test_all_arrives_when_the_broker_was_away(spine: Kit, servers: Stack) -> None:
    if servers.external:
        pytest.skip("these servers are not ours to stop")
    cases = [uuid4() for _ in range(5)]
    async with running(spine.relay(), await spine.follower()):
        await write_much(spine, cases, writers=2, each=3)
        stopping = asyncio.create_task(asyncio.to_thread(servers.stop, "kafka-1"))
        await write_much(spine, cases, writers=4, each=6)
        await stopping
        await write_much(spine, cases, writers=2, each=3)
        await asyncio.to_thread(servers.start, "kafka-1")
        await spine.in_step()
        await spine.drained()
    assert dict_in_order(await spine.published()) == await spine.written()


def migration() -> tuple[str, str]:
    """Up and down."""
    text = (ROOT / "shared" / "sql" / "0701_unsent.sql").read_text()
    up, down = text.split("-- migrate:down")
    return up, down


async def test_a_database_from_before_is_carried_over_with_every_place(spine: Kit) -> None:
    """When the rows of the journal themselves said what was sent."""
    up, down = migration()
    cases = [uuid4() for _ in range(6)]
    async with running(spine.relay()):
        await write_much(spine, cases, writers=2)
        await spine.drained()
    held, waiting = uuid4(), uuid4()
    await spine.write(held, "一", "二")
    await spine.write(waiting, "一")
    await spine.pool.execute(
        """with gone as (delete from unsent where seq = (
               select seq from journal where stream = $1 and version = 1) returning seq)
           insert into held select seq, $1, 1, 'MessageSizeTooLargeError' from gone""",
        stream_of(held),
    )
    await spine.pool.execute(
        """with lost as (update sent set "offset" = -1 where ctid = (select min(ctid) from sent)
                         returning 1) select count(*) from lost"""
    )

    async def state() -> list[Any]:
        return [
            await spine.pool.fetch(sql)
            for sql in (
                "select * from unsent order by seq",
                "select * from held order by seq",
                'select seq, topic_id, partition, "offset" from place order by seq',
            )
        ]

    before = await state()
    await spine.pool.execute(down)
    marked = "select count(*) from journal where published_at is not null and topic_id > ''"
    assert await spine.pool.fetchval(marked) == len(before[2])
    await spine.pool.execute(up)
    assert await state() == before
    runs = 'select from sent where "offset" >= 0 group by topic_id, partition having count(*) > 3'
    assert not await spine.pool.fetch(runs)
    async with running(spine.relay()):
        await spine.pool.execute(RELEASE, stream_of(held))
        await spine.drained()
    assert dict_in_order(await spine.published()) == await spine.written()


async def test_rows_of_the_journal_are_written_once(spine: Kit) -> None:
    """What is sent, marked, lost and sent again touches narrow tables only."""
    cases = [uuid4() for _ in range(3)]
    await write_much(spine, cases, writers=2, each=4)
    rows = "select ctid, xmin, xmax from journal order by seq"
    written = await spine.pool.fetch(rows)
    async with running(spine.relay()):
        await spine.drained()
        await spine.pool.execute(
            "with gone as (delete from sent returning seqs) insert into unsent select unnest(seqs) from gone"
        )
        await spine.drained()
    assert await spine.pool.fetch(rows) == written


async def test_a_look_for_what_is_next_does_not_pass_all_that_was_sent(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = uuid4()
    for _ in range(4):
        await spine.write(case, *["more"] * 1_500)
    monkeypatch.setattr(unsent, "TIDY", 500)
    async with running(spine.relay()):
        await spine.drained()
    plan = json.loads(
        await spine.pool.fetchval(f"explain (analyze, buffers, format json) {PENDING}", 500, [])
    )
    assert plan[0]["Plan"]["Shared Hit Blocks"] < 12


# Heartbeats.


async def beats(spine: Kit) -> list[dict[str, Any]]:
    found = [r for r in await spine.on_topic(HEARTBEATS) if r.key == spine.topic.encode()]
    return [json.loads(record.value or b"") for record in found]


async def test_a_drained_relay_says_so_with_what_it_has_published(spine: Kit) -> None:
    cases = [uuid4() for _ in range(6)]
    began = datetime.now(UTC)
    await write_much(spine, cases, writers=2, each=6)

    async def told() -> bool:
        return bool(await beats(spine))

    async with running(spine.relay()):
        await until(told, "a heartbeat")
    beat = (await beats(spine))[0]
    ends: dict[str, list[Any]] = {}
    rows = await spine.pool.fetch(
        'select partition, topic_id, max("offset") + 1 as "end" from place group by 1, 2'
    )
    ends = {str(row["partition"]): [row["topic_id"], row["end"]] for row in rows}
    assert {place: at for place, at in beat["offsets"].items() if at[1]} == ends
    assert beat["service"] == spine.topic
    assert began <= datetime.fromisoformat(beat["time"]) <= datetime.now(UTC)


async def test_a_heartbeat_covers_nothing_that_was_committed_after_it_looked(spine: Kit) -> None:
    committed: list[datetime] = []

    class Slow(JournalOutbox):
        """Somebody commits just after the relay has found nothing more to send."""

        async def pending(
            self, db: Connection, sending: Sequence[Any] = ()
        ) -> Sequence[tuple[Any, Message]]:
            found = await super().pending(db, sending)
            if not found and not committed:
                committed.append(datetime.now(UTC))
                await spine.write(uuid4(), "late")
            return found

    relay = Relay(spine.topic, spine.place.database, spine.kafka, Slow(spine.topic), heartbeat=True)

    async def told() -> bool:
        return bool(await beats(spine))

    async with running(relay):
        await until(told, "a heartbeat")
    beat = (await beats(spine))[0]
    assert not any(end for _, end in beat["offsets"].values())
    assert datetime.fromisoformat(beat["time"]) <= committed[0]


async def test_no_heartbeat_while_rows_wait(spine: Kit) -> None:
    class Stuck(JournalOutbox):
        """Never drained."""

        batch = 1

        async def pending(
            self, db: Connection, sending: Sequence[Any] = ()
        ) -> Sequence[tuple[Any, Message]]:
            await spine.write(uuid4(), "more")
            return await super().pending(db, sending)

    relay = Relay(
        spine.topic, spine.place.database, spine.kafka, Stuck(spine.topic), heartbeat=True
    )

    async def much() -> bool:
        sql = "select count(*) from place"
        return bool(await spine.pool.fetchval(sql) > 30)

    async with running(relay):
        await until(much)
    assert not await beats(spine)


async def test_no_heartbeat_while_something_is_held(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows it may take something back, of which nobody has heard."""
    monkeypatch.setattr("shared.relay.relay.HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(journal, "LARGEST_EVENT", 10_000_000)
    large, other = uuid4(), uuid4()

    async def all_but_the_held() -> bool:
        return await spine.unpublished() == 2

    async def told() -> bool:
        return bool(await beats(spine))

    await spine.write(large, LARGE * 3, "after")
    async with running(spine.relay()):
        for n in range(3):  # it would have said so after each
            await spine.write(other, f"{n}")
            await until(all_but_the_held)
        assert not await beats(spine)
        await spine.pool.execute(
            "update journal set data = (select data from journal where version = 2 limit 1)"
            " where seq in (select seq from held)"
        )
        await spine.pool.execute(RELEASE, stream_of(large))
        await until(told, "a heartbeat")
    assert await spine.unpublished() == 0
    (beat, *_) = await beats(spine)
    assert sum(end for _, end in beat["offsets"].values()) == 5
