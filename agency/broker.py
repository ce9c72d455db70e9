"""The Kafka client, set up in one place: what certification reads, the subscriber reads."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer

from agency.credentials import Credentials
from agency.sealed import Record


def consumer(credentials: Credentials, group: str | None) -> AIOKafkaConsumer:
    """Nothing is committed by itself; what is not yet certain on the broker is not shown."""
    return AIOKafkaConsumer(
        **credentials.login(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=500,
        metadata_max_age_ms=10_000,
    )


def record_of(message: Any) -> Record:
    return Record(message.offset, message.key, message.value, tuple(message.headers))


@contextmanager
def slips() -> Iterator[None]:
    """The client lets the CancelledError of a task of its own slip, when it is stopped a moment after it
    was started: in a task group that would end the caller without a word.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
