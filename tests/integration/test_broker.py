"""The Kafka clients: what they are set to, as a running one tells it, and what follows from that."""

from uuid import uuid4

import pytest

from shared.broker import KafkaError, Patience, consumer, producer
from tests.integration._kit import Kit, until


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
