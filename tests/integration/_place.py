"""Fresh databases and a fresh topic for one test, on the servers of the run."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from operate import databases, topics
from operate.chaos.faults.backwards import batches
from operate.install import ROOT
from operate.postgres import migrate
from operate.stack import Stack
from tests.integration._kit import Place, new_key

PARTITIONS = 3
OWNERS = {"spine": "intake", "spine_keyring": databases.OWNERS["keyring"]}
SQL = {"spine": ROOT / "shared" / "sql", "spine_keyring": ROOT / "shared" / "sql" / "keyring"}


async def execute(stack: Stack, *statements: str) -> None:
    """As the administrator, each in a transaction of its own."""
    await databases.execute(stack.admin_database_url(), *statements)


async def make_templates(stack: Stack) -> None:
    """Databases with all migrations, from which those of the tests are copied."""
    for name, owner in OWNERS.items():
        if stack.external:  # on a server of others we may be no superuser
            await execute(stack, f"grant {owner} to current_user")
        await execute(
            stack, f"drop database if exists {name}", f"create database {name} owner {owner}"
        )
        await asyncio.to_thread(migrate, stack.database_url(owner, name), [SQL[name]])


def kafka_of(stack: Stack) -> dict[str, str]:
    """Settings of a client that logs in as the administrator, who may use every topic."""
    client = stack.kafka_client()
    return {
        "bootstrap": str(client["bootstrap.servers"]),
        "username": str(client["sasl.username"]),
        "password": str(client["sasl.password"]),
        "mechanism": str(client["sasl.mechanism"]),
        "security_protocol": str(client["security.protocol"]),
    }


def make_topic(stack: Stack, name: str, **config: str) -> None:
    admin = stack.kafka_admin()
    for future in admin.create_topics([NewTopic(name, PARTITIONS, config=config)]).values():
        future.result(30)
    topics.wait_for_leaders(admin, [name])


def drop_topic(stack: Stack, name: str) -> None:
    topics.remove(stack.kafka_admin(), [name])


def change_topic(stack: Stack, name: str, **config: str) -> None:
    admin = stack.kafka_admin()
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)


@asynccontextmanager
async def fresh(stack: Stack, **config: str) -> AsyncIterator[Place]:
    name = f"spine_{uuid4().hex[:12]}"
    keyring = f"{name}_keyring"
    await asyncio.gather(
        asyncio.to_thread(make_topic, stack, name, **config),
        execute(
            stack,
            f"create database {name} template spine owner {OWNERS['spine']}",
            f"create database {keyring} template spine_keyring owner {OWNERS['spine_keyring']}",
        ),
    )
    yield Place(
        name=name,
        database=stack.database_url("intake", name),
        keyring=stack.database_url("intake", keyring),
        kafka=kafka_of(stack),
        master=new_key(),
        codes=new_key(),
    )
    if stack.external:
        await asyncio.to_thread(drop_topic, stack, name)
    await execute(
        stack, f"drop database {name} with (force)", f"drop database {keyring} with (force)"
    )


def cut_tail(stack: Stack, topic: str, keep: int) -> int:
    """Shorten each partition of a stopped embedded broker to `keep` batches, as a power cut does to
    what was acknowledged and not yet on the disk. Returns the number of batches lost.
    """
    data = stack.kafka.folder(0) / "data"
    (data / ".kafka_cleanshutdown").unlink()  # or it would trust its files
    lost = 0
    for partition in range(PARTITIONS):
        log = data / f"{topic}-{partition}" / f"{0:020}.log"
        ends = batches(log)
        os.truncate(log, ends[min(keep, len(ends) - 1)])
        lost += max(0, len(ends) - 1 - keep)
    return lost
