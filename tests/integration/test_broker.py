"""The Kafka clients: what they are set to, as a running one tells it, and what follows from that."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.protocol.fetch import FetchRequest

from shared.broker import KafkaError, Patience, consumer, producer
from tests.integration._kit import Kit, until

LATE_SECONDS = 0.3
"""Longer than the library waits for what it has fetched to be taken (0.1)."""


async def test_a_producer_waits_for_all_replicas_and_never_sends_twice(spine: Kit) -> None:
    sender = producer(spine.kafka)
    await sender.start()
    try:
        assert sender._sender._acks == -1  # all
        assert sender._txn_manager.has_pid()  # idempotent: the broker numbers its records
    finally:
        await sender.stop()


async def test_a_consumer_begins_at_the_beginning_and_commits_nothing_by_itself(spine: Kit) -> None:
    case, group = uuid4(), f"{spine.topic}-reader"
    await spine.publish([await spine.message(case, n, str(n)) for n in (1, 2, 3)])
    assert await read_by(spine, group) == [0, 1, 2]
    assert await read_by(spine, group) == [0, 1, 2]  # no place was kept


async def test_what_follows_a_record_that_was_taken_late_is_not_held_up(spine: Kit) -> None:
    """The partition was fetched with the others while it waited, or it would wait for their fetch to end."""
    case, reader = uuid4(), consumer(spine.kafka, f"{spine.topic}-late")
    reader._fetch_max_wait_ms = 30_000
    reader.subscribe([spine.topic])
    await reader.start()
    try:
        await spine.publish([await spine.message(case, 1, "1")])

        async def late() -> bool:
            waiting = list(reader._fetcher._records.values())
            return bool(waiting) and time.monotonic() - waiting[0]._created > LATE_SECONDS

        await until(late)
        assert await reader.getmany(timeout_ms=1000)
        await spine.publish([await spine.message(case, 2, "2")])
        assert await reader.getmany(timeout_ms=10_000)
    finally:
        await reader.stop()


async def test_a_reader_in_a_session_names_what_changed_and_gets_all_whatever_it_does(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after it went back, passed a partition over for a while, and when the broker has forgotten it."""
    cases, reader = [uuid4() for _ in range(24)], consumer(spine.kafka, f"{spine.topic}-session")
    await reader.start()
    named: list[int] = []
    fetches = reader._fetcher._client
    send = fetches._client.send

    async def spied(node: int, request: Any, **more: Any) -> Any:
        if isinstance(request, FetchRequest):
            named.append(sum(len(partitions) for _, partitions in request.topics))
        return await send(node, request, **more)

    monkeypatch.setattr(fetches._client, "send", spied)
    reader.subscribe([spine.topic])
    got: list[tuple[int, int]] = []

    async def all_of(count: int) -> None:
        async def read() -> bool:
            for place, records in (await reader.getmany(timeout_ms=100)).items():
                got.extend((place.partition, record.offset) for record in records)
            return len(got) >= count

        await until(read)
        assert len(got) == len(set(got)) == count
        got.clear()

    async def tell(version: int, some: Sequence[UUID] = cases) -> None:
        await spine.publish([await spine.message(case, version, "") for case in some])

    try:
        await tell(1)
        await all_of(24)
        for version in (2, 3):
            await tell(version, cases[:1])
            await all_of(1)
        places = sorted(reader.assignment())
        assert max(named) == named[0] == len(places)
        assert min(named) <= 1

        for place in places:
            reader.seek(place, 0)
        await all_of(26)

        apart, *_ = [place for place in places if await reader.position(place)]
        reader.pause(apart)
        await tell(4)
        ends = await reader.end_offsets([apart])
        waiting = ends[apart] - await reader.position(apart)
        await all_of(24 - waiting)
        reader.resume(apart)
        await all_of(waiting)

        for node, session in fetches._sessions.items():
            fetches._sessions[node] = session._replace(id=session.id ^ 1)
        await tell(5)
        await all_of(24)
    finally:
        await reader.stop()


def test_a_broker_that_stays_silent_is_trouble_and_one_that_gives_is_not() -> None:
    waiting, calm = Patience(seconds=-1), Patience(seconds=60)
    calm.got(0)
    waiting.got(1)
    with pytest.raises(KafkaError):
        waiting.got(0)


async def read_by(spine: Kit, group: str) -> list[int]:
    """Offsets of the first three records that a new member of the group gets."""
    reader = consumer(spine.kafka, group)
    await reader.start()
    try:
        reader.subscribe([spine.topic])
        read: list[int] = []

        async def three() -> bool:
            for records in (await reader.getmany(timeout_ms=100)).values():
                read.extend(record.offset for record in records)
            return len(read) >= 3

        await until(three)
        return read
    finally:
        await reader.stop()
