"""Fresh databases and a fresh topic for one test, on the servers of the run."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import ClassVar
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
OF_TESTS = "spine_"
"""So the names of what one test alone has begin."""
KEYRING = databases.OWNERS["keyring"]
SHARED = ROOT / "shared" / "sql"


async def execute(stack: Stack, *statements: str) -> None:
    """As the administrator, each in a transaction of its own."""
    await databases.execute(stack.admin_database_url(), *statements)


class Places:
    """Databases and a topic for each test, on the servers of the run; the next are made meanwhile."""

    of: ClassVar[dict[Stack, "Places"]] = {}

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._templates: dict[str, asyncio.Task[str]] = {}
        self._next: dict[str, asyncio.Task[Place]] = {}
        self._left: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        for owner in ("intake", KEYRING) if self._stack.external else ():
            await execute(self._stack, f"grant {owner} to current_user")  # we may be no superuser
        await self._migrated("spine_keyring", KEYRING, [SHARED / "keyring"])
        self.of[self._stack] = self

    async def close(self) -> None:
        del self.of[self._stack]
        for place in await asyncio.gather(*self._next.values(), return_exceptions=True):
            if isinstance(place, Place):
                self._leave(place)
        await asyncio.gather(*self._left, return_exceptions=True)

    @asynccontextmanager
    async def place(self, service: str | None, **config: str) -> AsyncIterator[Place]:
        kind = service or ""
        ahead = None if config else self._next.pop(kind, None)
        if ahead:
            await asyncio.wait([ahead])
        if ahead and not ahead.exception():
            place = ahead.result()
        else:  # none is asked for ahead, or the servers were away
            place = await self._made(kind, **config)
        if not config:
            self._next[kind] = asyncio.create_task(self._made(kind))
        yield place
        self._leave(place)

    async def _made(self, kind: str, **config: str) -> Place:
        if kind not in self._templates:
            more = [ROOT / "services" / kind / "sql"] if kind else []
            made = self._migrated(f"spine_for_{kind}", "intake", [SHARED, *more])
            self._templates[kind] = asyncio.create_task(made)
        template, name = await self._templates[kind], f"{OF_TESTS}{uuid4().hex[:12]}"
        await asyncio.gather(
            asyncio.to_thread(make_topic, self._stack, name, **config),
            execute(
                self._stack,
                f"create database {name} template {template} owner intake",
                f"create database {name}_keyring template spine_keyring owner {KEYRING}",
            ),
        )
        return Place(
            name=name,
            database=self._stack.database_url("intake", name),
            keyring=self._stack.database_url("intake", f"{name}_keyring"),
            kafka=kafka_of(self._stack),
            master=new_key(),
            codes=new_key(),
        )

    async def _migrated(self, name: str, owner: str, sql: Sequence[Path]) -> str:
        """A database from which others are copied."""
        await execute(
            self._stack, f"drop database if exists {name}", f"create database {name} owner {owner}"
        )
        await asyncio.to_thread(migrate, self._stack.database_url(owner, name), list(sql))
        return name

    def _leave(self, place: Place) -> None:
        leaving = asyncio.create_task(self._drop(place))
        self._left.add(leaving)
        leaving.add_done_callback(self._left.discard)

    async def _drop(self, place: Place) -> None:
        if self._stack.external:
            await asyncio.to_thread(drop_topic, self._stack, place.name)
        names = (place.name, f"{place.name}_keyring")
        await execute(self._stack, *(f"drop database {name} with (force)" for name in names))


def fresh(
    stack: Stack, service: str | None = None, **config: str
) -> AbstractAsyncContextManager[Place]:
    """What nobody had before; with the tables of a service, or with those that all share."""
    return Places.of[stack].place(service, **config)


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
