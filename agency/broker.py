"""The Kafka client, set up in one place: what certification reads, the subscriber reads."""

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
