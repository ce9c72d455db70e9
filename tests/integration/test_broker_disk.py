"""What was taken back leaves the broker's disk: the files of an agency's topic are searched for its bytes."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from operate import topics
from operate.stack import Stack
from services.views.delivery import HEARTBEAT_SECONDS
from tests.integration._kit import until
from tests.integration._place import change_topic
from tests.integration.test_agency_kit import Topic

pytestmark = pytest.mark.slow
CLEANER_SECONDS, DELETED_SECONDS = 15, 60
"""Kafka's own: between two looks of its cleaner, and until a file that was replaced is deleted."""
TWO_HOURS = 2 * 3600
SHORT = {"segment.ms": "500", "max.compaction.lag.ms": "500", "file.delete.delay.ms": "100"}
BACK_OFF = "log.cleaner.backoff.ms"


def cleaner(stack: Stack, backoff: str | None) -> None:
    """How often the broker looks for what to compact; None: as it was."""
    how = AlterConfigOpType.SET if backoff else AlterConfigOpType.DELETE
    entry = ConfigEntry(BACK_OFF, backoff or "", incremental_operation=how)
    admin = stack.kafka_admin()
    for broker in admin.list_topics(timeout=30).brokers:
        resource = ConfigResource(ResourceType.BROKER, str(broker), incremental_configs=[entry])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(30)


def on_disk(folder: Path, what: bytes) -> bool:
    """In any file of the partition, those included that wait to be deleted."""
    found = False
    for path in folder.iterdir():
        try:
            found |= what in path.read_bytes()
        except FileNotFoundError:
            continue  # deleted while we looked
    return found


def test_the_settings_of_an_agencys_topic_leave_nothing_longer_than_two_hours() -> None:
    """What `topics verify` holds every topic against: a heartbeat closes the segment, its oldest record
    comes of age, the cleaner looks, the file is deleted.
    """
    config = topics.topic(topics.declaration()["agency"]["topic"]).config
    assert config["cleanup.policy"] == "compact"
    seconds = (int(config["segment.ms"]) + int(config["max.compaction.lag.ms"])) / 1000
    assert seconds + HEARTBEAT_SECONDS + 2 * CLEANER_SECONDS + DELETED_SECONDS < TWO_HOURS


async def test_a_document_that_was_taken_back_leaves_the_disk_of_a_quiet_broker(
    servers: Stack,
) -> None:
    """Also where nothing but heartbeats is sent afterwards; what others hold stays."""
    if servers.external:
        pytest.skip("the disk of a broker of others is not ours to read")
    code = f"disk-{uuid4().hex[:8]}"
    topic = Topic(servers, code)
    folder = servers.kafka.folder(0) / "data" / f"{topic.given.topic}-0"
    secret, kept = f"secret-{uuid4()}".encode(), f"kept-{uuid4()}".encode()
    a, b = str(uuid4()), str(uuid4())
    change_topic(servers, topic.given.topic, **SHORT)
    cleaner(servers, "200")
    try:
        await topic.send((a, 1, 1, secret), (b, 1, 1, kept))
        assert on_disk(folder, secret)
        await topic.send((a, 2, 1, b"nothing is left in it"), (a, 2, 1, None))

        async def gone() -> bool:
            await topic.send(("_heartbeat", 0, 0, b'{"at": "2026-04-02T00:00:00Z"}'))
            await asyncio.sleep(0.3)
            return not on_disk(folder, secret)

        await until(gone)
        assert on_disk(folder, kept)
    finally:
        cleaner(servers, None)
