"""Records on the broker, read and sent as its administrator: for the checks and the mishaps only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from operate.install import Refused
from operate.stack import Stack

SECONDS, WAIT = 120.0, 0.05
"""A broker that was ended may be away for long on a busy machine."""
PASSING = {  # of a broker that has just come back: it leads again in a moment
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
}
BATCH = 2000


def _consumer(stack: Stack) -> Consumer:
    settings = {"group.id": "demo-check", "enable.auto.commit": False, "fetch.wait.max.ms": 20,
                "queued.min.messages": 100_000}  # fmt: skip
    return Consumer({**stack.kafka_client(), **settings})


def ends(stack: Stack, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """First and next offset by topic and partition."""
    reader = _consumer(stack)
    try:
        return _ends(reader, topics)
    finally:
        reader.close()


def _ends(reader: Consumer, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    there = reader.list_topics(timeout=SECONDS).topics
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for topic in topics:
        for partition in there[topic].partitions if topic in there else ():
            found[topic, partition] = _watermarks(reader, TopicPartition(topic, partition))
    return found


def _watermarks(reader: Consumer, place: TopicPartition) -> tuple[int, int]:
    until = time.monotonic() + SECONDS
    while True:
        try:
            return reader.get_watermark_offsets(place, timeout=SECONDS)
        except KafkaException as refused:
            if refused.args[0].code() not in PASSING or time.monotonic() > until:
                raise
            reader.list_topics(timeout=SECONDS)  # who leads now
            time.sleep(WAIT)


def read(stack: Stack, topics: Sequence[str], last: int = 0) -> Iterator[Message]:
    """Every record that these topics hold now; with `last`, only that many of each partition."""
    reader = _consumer(stack)
    try:
        left = {place: end for place, (first, end) in _ends(reader, topics).items() if end > first}
        starts = [
            TopicPartition(topic, partition, max(0, end - last) if last else 0)
            for (topic, partition), end in left.items()
        ]
        reader.assign(starts)
        until = time.monotonic() + SECONDS
        while left:
            if time.monotonic() > until:
                raise Refused("the broker did not give all its records; look at its log")
            for message in reader.consume(BATCH, timeout=WAIT):  # waits for BATCH that long
                error = message.error()
                if error is not None and error.code() in {*PASSING, KafkaError._PARTITION_EOF}:
                    continue
                if error is not None:
                    raise Refused(f"the broker refused to be read: {error.str()}")
                until = time.monotonic() + SECONDS
                place, offset = _place(message), message.offset() or 0
                if offset < left.get(place, 0):
                    yield message
                if offset + 1 >= left.get(place, 0):
                    left.pop(place, None)
    finally:
        reader.close()


def _place(message: Message) -> tuple[str, int]:
    topic, partition = message.topic(), message.partition()
    assert topic is not None
    assert partition is not None
    return topic, partition


def send_again(stack: Stack, records: Sequence[Message]) -> None:
    """The same bytes to the same partitions."""
    producer = Producer({**stack.kafka_client(), "enable.idempotence": True, "linger.ms": 5})
    for record in records:
        topic, partition = _place(record)
        headers: Any = record.headers()
        producer.produce(
            topic, value=record.value(), key=record.key(), headers=headers, partition=partition
        )
    if producer.flush(SECONDS):
        raise Refused("the broker did not take the repeated records; look at its log")


def headers(message: Message) -> dict[str, str]:
    found: Any = message.headers() or ()
    return {name: value.decode() for name, value in found if value is not None}
