"""The follower: each event once, in order; trouble waits, poison parks its stream, nothing is skipped."""

import asyncio
import json
import random
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operate.stack import Stack
from shared import views
from shared.broker import Message
from shared.contracts import UPCASTS, Recorded, Unreadable
from shared.contracts.intake import WorriesRecorded
from shared.db import PASSING, Connection
from shared.follow import Applier, Overtaken, Record
from shared.keyring import Keyring
from shared.sealing import Codec
from tests.integration._kit import PATIENCE, Kit, running, stream_of, until
from tests.integration._place import execute

FUTURE = "jp.tsunagu.case.worries_recorded.v2"


async def streams(spine: Kit, *lengths: int) -> list[tuple[UUID, list[Message]]]:
    """Streams of so many events, that no journal holds."""
    found = []
    for length in lengths:
        case = uuid4()
        made = [await spine.message(case, n, f"{n}") for n in range(1, length + 1)]
        found.append((case, made))
    return found


def whole(made: Iterable[tuple[UUID, list[Message]]]) -> dict[str, list[int]]:
    return {stream_of(case): list(range(1, len(all_) + 1)) for case, all_ in made}


async def test_duplicates_in_any_order_are_applied_once_in_order(spine: Kit) -> None:
    made = await streams(spine, 12, 7, 1, 9)
    shuffled = [m for _, all_ in made for m in all_ for _ in range(random.randint(1, 5))]
    random.shuffle(shuffled)
    async with running(await spine.follower()):
        await spine.publish(shuffled)
        await spine.reached(whole(made))
        assert not await spine.parked()


async def test_a_gap_parks_and_heals_when_the_missing_version_comes(spine: Kit) -> None:
    made = await streams(spine, 5, 3)
    (case, gap), (_, other) = made
    async with running(follower := await spine.follower()):
        await spine.publish([gap[0], gap[2], gap[4], gap[3], *other])
        await spine.reached({**whole(made), stream_of(case): [1]})
        assert await spine.parked() == {stream_of(case): [3, 4, 5]}
        assert await follower.applier.gaps()
        await spine.publish([gap[1]])
        await spine.reached(whole(made))
        assert not await spine.parked()
        assert not await follower.applier.gaps()


async def test_what_nobody_waits_for_is_gathered_and_who_waits_has_it_at_once(spine: Kit) -> None:
    """The first is there at once; then the broker is left alone for a while."""
    spine.view = replace(spine.view, gathers=10_000.0)
    follower = await spine.follower()
    applier = follower.applier

    async def live() -> bool:
        return applier.live

    async def gathers() -> bool:
        return bool(applier._awaited._waiters)

    async with running(follower):
        await until(live)
        first, *others = await streams(spine, 1, 1, 1)
        await spine.publish(first[1])
        await spine.reached(whole([first]))
        await until(gathers)
        for _, messages in others:
            await spine.publish(messages)
        assert await follower.behind()
        await spine.reached(whole([first]))
        assert await gathers()
        applier.hurry()
        await spine.reached(whole([first, *others]))


BEGUN = """
select pid, backend_xmin is null and not exists (
           select from pg_locks l where l.pid = a.pid and l.locktype <> 'virtualxid') as unseen
  from pg_stat_activity a where datname = current_database() and state = 'idle in transaction'"""


async def test_what_is_begun_ahead_holds_nothing_up_and_is_not_missed_when_it_is_gone(
    spine: Kit,
) -> None:
    async def begun() -> Any:
        return await spine.pool.fetchrow(BEGUN)

    async with running(await spine.follower()):
        await until(begun)
        ahead = await begun()
        assert ahead["unseen"]
        first, second = await streams(spine, 1, 1)
        await spine.publish(first[1])
        await spine.reached(whole([first]))
        await until(begun)
        again = await begun()
        await spine.pool.execute("select pg_terminate_backend($1)", again["pid"])
        await spine.publish(second[1])
        await spine.reached(whole([first, second]))


# Poison.


def headers(message: Message, **instead: bytes | None) -> Message:
    found: dict[str, Any] = {**dict(message.headers), **instead}
    return message._replace(headers=list(found.items()))


def without(message: Message, name: str) -> Message:
    return message._replace(headers=[pair for pair in message.headers if pair[0] != name])


def body(message: Message, **instead: Any) -> Message:
    wire = {**json.loads(message.value or b""), **instead}
    return message._replace(value=json.dumps(wire).encode())


def raw(value: bytes | None) -> Callable[[Message], Message]:
    return lambda message: message._replace(value=value)


TELLS_ITS_STREAM: dict[str, Callable[[Message], Message]] = {
    "unknown type": lambda m: headers(m, ce_type=b"jp.tsunagu.case.unheard_of.v1"),
    "no JSON": raw(b"{"),
    "no object": raw(b"[1]"),
    "nothing": raw(b""),
    "tombstone": raw(None),
    "no UTF-8": raw(b'{"case": "\xff"}'),
    "too deep": raw(b"[" * 200_000),
    "number without end": raw(b'{"n": ' + b"1" * 5000 + b"}"),
    "field of another event": lambda m: headers(m, ce_id=str(uuid4()).encode()),
    "flipped bit": lambda m: body(m, text="AAAA" + json.loads(m.value or b"")["text"][4:]),
    "not sealed": lambda m: body(m, text="plain"),
    "sealed is too short": lambda m: body(m, text="AAAA"),
    "sealed is a number": lambda m: body(m, text=7),
    "no case": lambda m: body(m, case=None),
    "case is a list": lambda m: body(m, case=[]),
    "case with a NUL": lambda m: body(m, case="\0"),
    "case is half a character": lambda m: body(m, case="\ud800"),
    "another case": lambda m: body(m, case=str(uuid4())),
    "wrong shape": lambda m: body(m, subjects="nobody"),
}
TELLS_NONE: dict[str, Callable[[Message], Message]] = {
    "no headers": lambda m: m._replace(headers=[]),
    "no stream": lambda m: without(m, "ce_stream"),
    "empty stream": lambda m: headers(m, ce_stream=b""),
    "header without value": lambda m: headers(m, ce_stream=None),
    "header is no UTF-8": lambda m: headers(m, ce_actor=b"\xff"),
    "header with a NUL": lambda m: headers(m, ce_stream=b"case/\0"),
    "name with a NUL": lambda m: m._replace(headers=[("\0", b"")]),
    "no number": lambda m: headers(m, ce_version=b"two"),
    "version 0": lambda m: headers(m, ce_version=b"0"),
    "version below": lambda m: headers(m, ce_version=b"-2"),
    "version beyond": lambda m: headers(m, ce_version=b"99999999999"),
    "other digits": lambda m: headers(m, ce_version="２".encode()),
    "no id": lambda m: headers(m, ce_id=b"7"),
    "no time": lambda m: headers(m, ce_time=b"yesterday"),
    "time without offset": lambda m: headers(m, ce_time=b"2026-04-01T00:00:00"),
    "key is no UTF-8": lambda m: m._replace(key=b"\xff"),
}


@pytest.mark.parametrize("poison", [pytest.param(TELLS_ITS_STREAM, id="tells its stream"),
                                    pytest.param(TELLS_NONE, id="tells none")])  # fmt: skip
async def test_poison_parks_its_stream_and_others_flow_until_it_is_repaired(
    spine: Kit, poison: dict[str, Callable[[Message], Message]]
) -> None:
    ill = {name: (await streams(spine, 3))[0] for name in poison}
    sound = await streams(spine, *[2] * 6)
    batch = []
    for name, spoil in poison.items():
        one, two, three = ill[name][1]
        batch += [one, spoil(two), three]
    batch += [m for _, all_ in sound for m in all_]
    async with running(await spine.follower()):
        await spine.publish(batch)
        await spine.reached(whole(sound) | {stream_of(case): [1] for case, _ in ill.values()})
        parked = await spine.parked()
        strays = parked.pop(None, [])
        with_its_stream = {stream_of(case) for case, _ in ill.values()}
        assert parked.keys() == with_its_stream
        if poison is TELLS_NONE:
            assert strays == [None] * len(poison)
            assert set(map(tuple, parked.values())) == {(3,)}
        else:
            assert not strays
            assert set(map(tuple, parked.values())) == {(2, 3)}
        await spine.publish([all_[1] for _, all_ in ill.values()])
        await spine.reached(whole(sound) | whole(ill.values()))
        assert not (await spine.parked()).keys() - {None}


async def test_poison_waits_for_the_code_that_can_read_it(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await streams(spine, 4, 2)
    (case, future), (_, other) = made
    # As a newer release would send it; its fields are bound to its own type.
    monkeypatch.setattr(WorriesRecorded, "TYPE", FUTURE)
    future[1] = await spine.message(case, 2, "二")
    monkeypatch.undo()
    async with running(await spine.follower()):
        await spine.publish([*future, *other])
        await spine.reached(whole(made) | {stream_of(case): [1]})
    assert await spine.parked() == {stream_of(case): [2, 3, 4]}
    monkeypatch.setitem(UPCASTS, FUTURE, lambda data: (WorriesRecorded.TYPE, data))
    async with running(await spine.follower()):  # the next deployment
        await spine.reached(whole(made))
        assert not await spine.parked()


async def test_what_cannot_be_read_stays_parked_at_every_start(spine: Kit) -> None:
    made = await streams(spine, 3)
    ((case, (one, two, three)),) = made
    applier = await spine.applier()
    await deliver(applier, as_records(spine, [one, raw(b"{")(two), three]))
    for _ in range(2):
        await applier.start()
        assert await spine.parked() == {stream_of(case): [2, 3]}
    await deliver(applier, [as_record(spine, two, 3)])
    assert await spine.applied() == whole(made)
    assert not await spine.parked()


async def test_many_parked_streams_are_all_tried_again_at_a_start(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.follow.applier.TOGETHER", 2)
    made = await streams(spine, *[2] * 5)
    case, with_bad = made[2]
    with_bad[1] = await spine.message(case, 2, "bad")
    applier = await spine.applier()
    spine.toy.refuses = lambda value: True
    nameless = raw(b"{")(made[0][1][0])
    await deliver(applier, as_records(spine, [*(m for _, all_ in made for m in all_), nameless]))
    assert not await spine.applied()
    spine.toy.refuses = lambda value: value == "bad"
    await applier.start()
    assert await spine.applied() == whole(made) | {stream_of(case): [1]}
    assert (await spine.parked())[stream_of(case)] == [2]


async def test_what_the_view_refuses_parks_until_it_takes_it(spine: Kit) -> None:
    made = await streams(spine, 4, 4, 4)
    first, second = stream_of(made[0][0]), stream_of(made[1][0])
    bad = await spine.message(made[0][0], 2, "bad"), await spine.message(made[1][0], 3, "bad")
    made[0][1][1], made[1][1][2] = bad
    spine.toy.refuses = lambda value: value == "bad"
    async with running(await spine.follower()):
        await spine.publish([m for turn in zip(*(m for _, m in made), strict=True) for m in turn])
        await spine.reached(whole(made) | {first: [1], second: [1, 2]})
        assert await spine.parked() == {first: [2, 3, 4], second: [3, 4]}
    spine.toy.refuses = lambda value: False
    async with running(await spine.follower()):
        await spine.reached(whole(made))
        assert not await spine.parked()


async def test_what_waits_in_one_process_is_applied_by_another_that_gets_the_rest(
    spine: Kit,
) -> None:
    made = await streams(spine, 4)
    one, other = await spine.applier(), await spine.applier()
    await one.start()
    await other.start()
    records = as_records(spine, made[0][1])
    await deliver(one, records[0:1])
    await deliver(one, records[2:4])  # parked here
    await deliver(other, records[1:2])  # after a rebalance
    assert await spine.applied() == whole(made)
    assert not await spine.parked()


async def test_a_parked_stream_is_replayed_though_the_first_try_met_trouble(spine: Kit) -> None:
    made = await streams(spine, 3)
    calls: list[int] = []

    class Shaky(Codec):
        """Its keyring is out of reach at the fourth call: the replay's."""

        async def open(self, rows: Iterable[Any], **how: Any) -> Any:
            calls.append(1)
            if len(calls) == 4:
                raise ConnectionRefusedError
            return await super().open(rows, **how)

    applier = await spine.applier(Shaky(spine.keyring))
    records = as_records(spine, made[0][1])
    await deliver(applier, [records[0]])
    await deliver(applier, [records[2]])
    with pytest.raises(ConnectionRefusedError):
        await applier.apply([records[1]], {spine.topic: "topic"})
    await deliver(applier, [records[1]])  # as the follower does
    assert await spine.applied() == whole(made)
    assert not await spine.parked()


async def test_a_follower_that_is_given_nothing_to_read_joins_again(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the broker is just back and does not know its topics yet."""
    made = await streams(spine, 4, 2)
    await spine.publish([m for _, all_ in made for m in all_])
    assign, given_ = RangePartitionAssignor.assign, []

    def nothing_at_first(cls: Any, cluster: Any, members: Any) -> Any:
        given_.append(assign(cluster, members))
        nothing = {name: ConsumerProtocolMemberAssignment(0, [], b"") for name in members}
        return nothing if len(given_) == 1 else given_[-1]

    monkeypatch.setattr(RangePartitionAssignor, "assign", classmethod(nothing_at_first))
    monkeypatch.setattr("shared.follow.follower.SILENT_SECONDS", 1.0)
    async with running(await spine.follower()):
        await spine.reached(whole(made))
    assert len(given_) > 1


async def test_a_record_of_a_topic_made_anew_is_parked_beside_those_of_the_old(spine: Kit) -> None:
    made = await streams(spine, 2, 2)
    (_, old), (_, new) = made
    applier = await spine.applier()
    await applier.apply([as_record(spine, old[1], 5)], {spine.topic: "old topic"})
    await applier.apply([as_record(spine, new[1], 5)], {spine.topic: "new topic"})
    # The relay republishes everything to the new topic.
    again = [old[0], old[1], new[0]]
    records = [as_record(spine, message, 6 + n) for n, message in enumerate(again)]
    await applier.apply(records, {spine.topic: "new topic"})
    assert await spine.applied() == whole(made)


# Trouble that passes.


async def test_sessions_ended_in_the_middle_of_a_batch_lose_and_double_nothing(
    spine: Kit, servers: Stack
) -> None:
    made = await streams(spine, *[20] * 12)
    messages = [m for _, all_ in made for m in all_]
    random.shuffle(messages)
    await spine.publish(messages)
    ends = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        f" where datname in ('{spine.place.name}', '{spine.place.name}_keyring')"
    )

    async def applied() -> int:
        with suppress(Exception):  # our own sessions are ended as well
            return sum(map(len, (await spine.applied()).values()))
        return 0

    async with running(await spine.follower()):
        for n in (1, 40, 80, 120, 160, 200):
            await until(lambda n=n: more_than(applied, n))  # type: ignore[misc]
            await execute(servers, ends)
        await until(lambda: more_than(applied, 239))
    await spine.reached(whole(made))


async def more_than(count: Callable[[], Awaitable[int]], least: int) -> bool:
    return await count() >= least


async def test_all_goes_on_when_the_database_was_away(spine: Kit, servers: Stack) -> None:
    if servers.external:
        pytest.skip("these servers are not ours to stop")
    case = uuid4()
    async with running(spine.relay(), await spine.follower()):
        for n in range(10):
            await spine.write(case, str(n))
        await asyncio.to_thread(servers.stop, "postgres")
        await asyncio.to_thread(servers.start, "postgres")

        async def writes_again() -> bool:
            with suppress(OSError):
                return bool(await spine.write(case, "again", command=uuid4(), digest=b"again"))
            return False

        await until(writes_again)
        await spine.in_step()


async def test_while_the_keyring_is_out_of_reach_events_wait_and_none_is_parked(
    spine: Kit,
) -> None:
    made = await streams(spine, 3, 3)
    tried = asyncio.Event()
    away = True

    class Away(Keyring):
        async def fetch(
            self, ids: Iterable[str], *, make: bool = False
        ) -> dict[str, Any | Unreadable]:
            if away:
                tried.set()
                raise ConnectionRefusedError
            return await super().fetch(ids, make=make)

    keyring = spine.keyring_with(master=spine.place.master)
    keyring.__class__ = Away
    async with running(await spine.follower(codec=Codec(keyring))):
        await spine.publish([m for _, all_ in made for m in all_])
        async with asyncio.timeout(PATIENCE):
            await tried.wait()
        assert not await spine.applied()
        away = False
        await spine.reached(whole(made))
        assert not await spine.parked()


# Processes that die or stand still.


@pytest.mark.parametrize(
    "point", ["follow.applied", "follow.committed", "follow.replayed", "follow.committed:2"]
)
async def test_a_follower_killed_at_any_step_loses_and_doubles_nothing(
    spine: Kit, point: str
) -> None:
    made = await streams(spine, 6, 4)
    (case, gap), (_, other) = made
    follower = await spine.follower()
    await spine.publish([gap[0], gap[2], gap[4]])
    async with running(follower):

        async def parked() -> bool:
            return (await spine.parked()).get(stream_of(case)) == [3, 5]

        await until(parked)
    falling = asyncio.create_task(spine.falls("follow", point))
    await spine.publish([gap[1], gap[3]])
    await spine.publish([*other, gap[5]])
    while point.endswith(":2") and not falling.done():
        more = await streams(spine, 1)
        made += more
        await spine.publish(more[0][1])
    await falling
    async with running(await spine.follower()):
        await spine.reached(whole(made))
        assert not await spine.parked()


async def test_a_follower_that_stood_still_past_its_session_and_wakes_does_no_harm(
    spine: Kit,
) -> None:
    cases = [uuid4() for _ in range(8)]
    await spine.applier()

    async def write(times: int) -> None:
        for n in range(times):
            await asyncio.gather(*(spine.write(case, str(n)) for case in cases))

    async with (
        running(spine.relay()),
        spine.child("follow", INSTANCE="a") as zombie,
        spine.child("follow", INSTANCE="b"),
    ):
        await write(3)
        await spine.in_step()
        zombie.send_signal(signal.SIGSTOP)
        await write(3)
        await spine.in_step()  # the other has taken its partitions
        await write(2)
        zombie.send_signal(signal.SIGCONT)
        await write(3)
        await spine.in_step()
        assert zombie.returncode is None


# The protocol itself.


def as_record(spine: Kit, message: Message, offset: int) -> Record:
    return Record(spine.topic, 0, offset, message.key, message.value, tuple(message.headers))


def as_records(spine: Kit, messages: Sequence[Message]) -> list[Record]:
    return [as_record(spine, message, n) for n, message in enumerate(messages)]


async def deliver(applier: Applier, records: Sequence[Record]) -> None:
    while True:
        with suppress(Overtaken, *PASSING):
            await applier.apply(records, {records[0].topic: "topic"})
            return


COMMITS_WAIT = """
create function waits() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(1); return null; end $$;
create constraint trigger waits after insert on view_1.applied deferrable initially deferred
    for each row execute function waits()"""
WAITING = """
select count(*) from pg_stat_activity
 where datname = current_database() and wait_event_type = 'Lock'"""


async def deliver_at_once(spine: Kit, first: Sequence[Record], second: Sequence[Record]) -> None:
    """The second process begins when the first is about to commit."""
    await spine.pool.execute(COMMITS_WAIT)
    one, other = await spine.applier(), await spine.applier()

    async def waiting(sessions: int) -> bool:
        return bool(await spine.pool.fetchval(WAITING) >= sessions)

    async with asyncio.TaskGroup() as group, spine.pool.acquire() as db:
        await db.execute("select pg_advisory_lock(1)")
        group.create_task(deliver(one, first))
        await until(lambda: waiting(1))
        late = group.create_task(deliver(other, second))

        async def met() -> bool:
            return late.done() or await waiting(2)

        await until(met)
        await db.execute("select pg_advisory_unlock(1)")


def elsewhere(records: Iterable[Record]) -> list[Record]:
    """From another partition: no place in the topic makes the two wait for each other."""
    return [record._replace(partition=1) for record in records]


AS_IT_COMES = pytest.mark.parametrize(
    "again", [pytest.param(0, id="as a whole"), pytest.param(1, id="its first record twice")]
)


@AS_IT_COMES
async def test_two_processes_with_one_stream_apply_it_once(spine: Kit, again: int) -> None:
    made = await streams(spine, 3)
    await spine.applier()
    records = as_records(spine, made[0][1])
    await deliver_at_once(
        spine, records[:again] + records[:2], elsewhere(records[:again] + records)
    )
    await deliver(await spine.applier(), records)
    assert await spine.applied() == whole(made)


async def test_what_parks_while_its_predecessor_is_applied_is_taken_up(spine: Kit) -> None:
    made = await streams(spine, 3)
    records = as_records(spine, made[0][1])
    await deliver(await spine.applier(), records[:1])
    await deliver_at_once(spine, records[1:2], elsewhere(records[2:]))
    assert await spine.applied() == whole(made)
    assert not await spine.parked()


async def test_a_reaction_that_loses_a_race_is_tried_again(spine: Kit) -> None:
    made = await streams(spine, 2)
    tried: list[int] = []

    async def react(db: Connection, events: Sequence[Recorded], live: bool) -> None:
        tried.append(len(events))
        if len(tried) == 1:  # somebody was first
            await db.execute("insert into view (number, state) select number, state from view")

    number = await views.ensure(spine.pool, spine.view)
    view = replace(spine.view, react=react)
    applier = Applier(view, number, spine.pool, spine.codec, promoted=True)
    records = as_records(spine, made[0][1])
    with pytest.raises(Overtaken):
        await applier.apply(records, {spine.topic: "topic"})
    await deliver(applier, records)
    assert await spine.applied() == whole(made)
    assert (tried, await spine.parked()) == ([2, 2], {})


@AS_IT_COMES
async def test_effect_inbox_and_place_are_kept_together_or_not_at_all(
    spine: Kit, again: int
) -> None:
    made = await streams(spine, 3)
    away = True

    async def react(db: Connection, events: Sequence[Recorded], live: bool) -> None:
        if away:
            raise ConnectionRefusedError

    number = await views.ensure(spine.pool, spine.view)
    view = replace(spine.view, react=react)
    applier = Applier(view, number, spine.pool, spine.codec, promoted=True)
    records = as_records(spine, made[0][1])
    records = records[:again] + records
    with pytest.raises(ConnectionRefusedError):
        await applier.apply(records, {spine.topic: "topic"})
    kept = "select (select count(*) from inbox) + (select count(*) from position)"
    assert not await spine.pool.fetchval(kept)
    assert not await spine.applied()
    away = False
    await deliver(applier, records)
    assert await spine.applied() == whole(made)


async def test_what_was_there_before_the_start_is_told_as_catching_up(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.follow.follower.BATCH", 2)
    made = await streams(spine, 7)
    ((_, messages),) = made
    await spine.publish(messages[:6])
    follower = await spine.follower()

    async def live() -> bool:
        return follower.applier.live

    async with running(follower):
        await until(live)
        await spine.publish(messages[6:])
        await spine.reached(whole(made))
    reacted = await spine.pool.fetch("select version, live from view_1.reacted order by version")
    assert [tuple(row) for row in reacted] == [(n, n == 7) for n in range(1, 8)]


async def test_who_catches_up_writes_together_what_came_while_it_wrote(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.follow.follower.BATCH", 2)
    made = await streams(spine, 7)
    ((_, messages),) = made
    await spine.publish(messages)
    together: list[int] = []

    async def all_read() -> bool:
        reader = follower._reader
        return 7 in [await reader.position(place) for place in reader.assignment()]

    async def react(db: Connection, events: Sequence[Recorded], live: bool) -> None:
        together.append(len(events))
        await until(all_read, "what follows is read while this is written")

    spine.view = replace(spine.view, react=react)
    follower = await spine.follower()
    async with running(follower):
        await spine.reached(whole(made))
    assert together == [2, 5]


Arrival = list[tuple[int, int]]
LENGTHS = (4, 3, 5)
EVENTS = [(stream, n) for stream, length in enumerate(LENGTHS) for n in range(length)]


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    some=st.lists(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=8), max_size=6),
    rest=st.permutations(EVENTS),
    data=st.data(),
)
async def test_whatever_arrives_the_view_holds_the_ordered_prefix(
    spine: Kit, some: list[Arrival], rest: Arrival, data: st.DataObject
) -> None:
    made = await streams(spine, *LENGTHS)
    appliers = [await spine.applier(), await spine.applier()]
    offset = iter(range(1_000_000_000))

    def records(arrival: Arrival) -> list[Record]:
        return [as_record(spine, made[s][1][n], next(offset)) for s, n in arrival]

    def prefixes(arrived: set[tuple[int, int]]) -> dict[str, list[int]]:
        found = {}
        for stream, (case, _) in enumerate(made):
            length = next(n for n in range(99) if (stream, n) not in arrived)
            if length:
                found[stream_of(case)] = list(range(1, length + 1))
        return found

    async def ours() -> dict[str, list[int]]:
        mine = {stream_of(case) for case, _ in made}
        return {s: versions for s, versions in (await spine.applied()).items() if s in mine}

    for batch in some:
        by = data.draw(st.sampled_from(["one", "other", "both at once"]))
        there = records(batch)
        if by == "both at once":  # a zombie and its successor
            await asyncio.gather(*(deliver(applier, there) for applier in appliers))
        else:
            await deliver(appliers[by == "other"], there)
    assert await ours() == prefixes({event for batch in some for event in batch})
    half = len(rest) // 2
    await asyncio.gather(
        *(deliver(a, records(b)) for a, b in zip(appliers, (rest[:half], rest[half:]), strict=True))
    )
    assert await ours() == whole(made)
    assert not set(await spine.parked()) & {stream_of(case) for case, _ in made}
