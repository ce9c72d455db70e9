"""Three brokers: what was acknowledged stays, and all goes on, when one of them is killed or away."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from operate.install import Refused
from operate.stack import Stack
from shared.broker import KafkaError
from tests.conftest import free_block
from tests.integration import _kit, _place
from tests.integration._kit import Kit, running
from tests.integration._place import PARTITIONS
from tests.integration.test_relay import dict_in_order, write_much

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

THREE = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("brokers"), free_block(), brokers=THREE)
    found.up(services=False, bound=True)
    yield found
    found.remove()


@pytest.fixture(scope="module")
async def made(stack: Stack) -> AsyncIterator[None]:
    places = _place.Places(stack)
    await places.open()
    yield
    await places.close()


@pytest.fixture
async def spine(stack: Stack, made: None, tmp_path: Path) -> AsyncIterator[Kit]:
    _kit.plain_logs()
    ddl = tmp_path / "toy.sql"
    ddl.write_text(_kit.DDL)
    async with _place.fresh(stack) as place, _kit.kit_at(place, ddl) as kit:
        yield kit


def leader(stack: Stack, topic: str) -> str:
    """The part that leads a topic's first partition."""
    found = stack.kafka_admin().list_topics(topic, timeout=30).topics[topic].partitions[0].leader
    return f"kafka-{found}"


def in_sync(stack: Stack, topic: str) -> set[int]:
    """How many copies of its partitions are in sync."""
    found = stack.kafka_admin().list_topics(topic, timeout=30).topics[topic].partitions
    return {len(partition.isrs) for partition in found.values()}


async def all_in_sync(stack: Stack, topic: str) -> None:
    async def condition() -> bool:
        return await asyncio.to_thread(in_sync, stack, topic) == {THREE}

    await _kit.until(condition, "every copy in sync")


async def holds_all(spine: Kit) -> None:
    """The topic holds what the journal holds, each stream in order."""
    published: dict[str, list[int]] = {}

    async def read() -> bool:
        with suppress(KafkaError):  # a client may still wait for the broker that was away
            published.update(await spine.published())
        return bool(published)

    await _kit.until(read, "the topic can be read")
    assert dict_in_order(published) == await spine.written()


def test_the_state_names_all_three(stack: Stack) -> None:
    found = stack.status()
    assert found["healthy"]
    assert [part["name"] for part in found["parts"]] == [
        "postgres", "kafka-1", "kafka-2", "kafka-3",
    ]  # fmt: skip
    ports = [stack.base_port + 10 + n for n in range(THREE)]
    assert stack.env("intake")["KAFKA_BOOTSTRAP"] == ",".join(f"127.0.0.1:{p}" for p in ports)
    assert stack.agency("shakyo").bootstrap.count(",") == 2
    assert len(stack.kafka_admin().list_topics(timeout=30).brokers) == THREE


def test_every_topic_has_three_copies_of_which_two_must_have_a_record(stack: Stack) -> None:
    admin = stack.kafka_admin()
    there = admin.list_topics(timeout=30).topics
    copies = {len(p.replicas) for topic in there.values() for p in topic.partitions.values()}
    assert copies == {THREE}
    assert {"intake", "heartbeats", "__consumer_offsets"} <= set(there)
    resource = ConfigResource(ResourceType.TOPIC, "intake")
    config = next(iter(admin.describe_configs([resource]).values())).result()
    assert config["min.insync.replicas"].value == "2"
    assert config["unclean.leader.election.enable"].value == "false"


async def test_a_killed_leader_costs_nothing_that_was_written(spine: Kit, stack: Stack) -> None:
    cases = [uuid4() for _ in range(2 * PARTITIONS)]
    async with running(spine.relay(), await spine.follower()):
        for _ in range(THREE):
            await all_in_sync(stack, spine.topic)
            await write_much(spine, cases, writers=3, each=3)
            falls = await asyncio.to_thread(leader, stack, spine.topic)
            stack.kill(falls)
            began = time.monotonic()
            await write_much(spine, cases, writers=3, each=3)
            await spine.in_step()
            print(f"{falls} killed: all in step after {time.monotonic() - began:.1f} s")
        await spine.drained()
        await all_in_sync(stack, spine.topic)
    await holds_all(spine)


async def test_two_of_three_are_enough(spine: Kit, stack: Stack) -> None:
    cases = [uuid4() for _ in range(2 * PARTITIONS)]
    await all_in_sync(stack, spine.topic)
    async with running(spine.relay(), await spine.follower()):
        await write_much(spine, cases, writers=2, each=2)
        away = await asyncio.to_thread(leader, stack, spine.topic)
        await asyncio.to_thread(stack.stop, away)
        try:
            await write_much(spine, cases, writers=2, each=2)
            await spine.in_step()
            assert not stack.status()["healthy"]
        finally:
            await asyncio.to_thread(stack.start, away)
        await all_in_sync(stack, spine.topic)
        await write_much(spine, cases, writers=2, each=2)
        await spine.in_step()
        await spine.drained()
    await holds_all(spine)


def test_a_copy_keeps_its_number_of_brokers(stack: Stack) -> None:
    with pytest.raises(Refused, match="runs with --brokers 3; stop it first"):
        Stack(stack.state, stack.base_port, brokers=1).up(services=False)
    assert stack.status()["healthy"]
