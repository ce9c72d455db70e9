"""Data that goes backwards: a broker without its tail or without anything, a restored database."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException

from operate import databases, topics
from operate.chaos.faults.processes import falls
from operate.chaos.faults.stream import send
from operate.chaos.ground import Ground
from operate.demo.records import headers, read
from operate.install import Refused
from operate.places import SERVICES

WINDOW = 1_000
"""Records of a partition that are mixed."""
IDS = "select id from journal"
TIME = "update simulated_clock set at = $1"
"""Time itself does not go back with the data."""
DRAINS = 0.5
"""Seconds between two looks at what a service has still to send."""
TAIL = 3
"""Record batches that each partition loses at most."""


async def kafka_deleted(ground: Ground) -> None:
    """The broker's whole data folder: topics, users, rights, offsets."""
    async with ground.alone(*SERVICES):
        began = time.monotonic()
        await ground.stop("kafka-1")
        shutil.rmtree(ground.stack.kafka.folder(0))
        ground.forgetful = True
        await asyncio.to_thread(ground.stack.kafka.prepare)
        await ground.start("kafka-1")
        await asyncio.to_thread(ground.stack.provide_topics)
        await asyncio.to_thread(ground.stack.agencies, list(ground.offices.all))
        ground.faults["kafka deleted"] += 1
        ground.notes["seconds to provide Kafka anew"] = round(time.monotonic() - began, 1)


async def tail_cut(ground: Ground) -> None:
    """What the broker acknowledged last, and had not on its disk."""
    await ground.stop("kafka-1")
    topics = [*SERVICES, *(office.topic for office in ground.offices.all.values())]
    lost = await asyncio.to_thread(cut_tails, ground, topics)
    await ground.start("kafka-1")
    ground.forgetful = True
    ground.faults["tail cut"] += 1
    ground.faults["acknowledged batches taken away"] += lost


def cut_tails(ground: Ground, topics: Sequence[str]) -> int:
    data = ground.stack.kafka.folder(0) / "data"
    (data / ".kafka_cleanshutdown").unlink(missing_ok=True)  # or it would trust its files
    lost = 0
    for folder in sorted(data.iterdir()):
        topic = folder.name.rpartition("-")[0]
        logs = sorted(folder.glob("*.log")) if topic in topics else []
        for log in logs[-1:]:
            away = ground.random.randint(0, TAIL)
            ends = batches(log)
            kept = max(0, len(ends) - 1 - away)
            os.truncate(log, ends[kept])
            lost += len(ends) - 1 - kept
    return lost


def batches(log: Path) -> list[int]:
    """Where each record batch of a segment ends; first 0."""
    content = log.read_bytes()
    ends, at = [0], 0
    while at < len(content) and (length := int.from_bytes(content[at + 8 : at + 12])):
        at += 12 + length
        ends.append(at)
    return ends


async def reorder(ground: Ground) -> None:
    """New topics, their records in any order within a window, read by followers of yesterday."""
    async with ground.alone(*SERVICES):
        await asyncio.gather(*(_stop(ground, service) for service in SERVICES))
        ground.forgetful = True
        ground.faults["reordered"] += await asyncio.to_thread(_reorder, ground)
        for service in ("metrics", "views"):
            await _set_back(ground, service)
        await asyncio.gather(*(ground.start(service) for service in SERVICES))


def _reorder(ground: Ground) -> int:
    partitions = defaultdict(list)
    for m in read(ground.stack, [*SERVICES]):
        partitions[m.topic() or "", m.partition()].append((m.key(), m.value(), m.headers()))
    topics.remove(ground.stack.kafka_admin(), [*SERVICES])
    ground.stack.provide_topics()
    sent = 0
    for (topic, partition), records in partitions.items():
        for start in range(0, len(records), WINDOW):
            window = records[start : start + WINDOW]
            ground.random.shuffle(window)
            sent += send(ground, ((topic, partition, *record) for record in window))
    return sent


async def snapshot(ground: Ground) -> None:
    """Yesterday's copy of every service's database, taken one after the other."""
    for service in SERVICES:
        async with ground.alone("postgres", service):
            await ground.stop(service)
            await databases.execute(
                ground.stack.admin_database_url(),
                f"drop database if exists {service}_yesterday",
                f"create database {service}_yesterday template {service} owner {service}",
            )
            await ground.start(service)


async def database_back(ground: Ground) -> None:
    """One writer's database is yesterday's."""
    service = ground.random.choice(("intake", "referral", "meetings"))
    async with ground.alone("postgres", service):
        await _back(ground, service)
    ground.faults["database set back"] += 1


async def follower_back(ground: Ground) -> None:
    """One follower's database is yesterday's: metrics, or views with all it disclosed."""
    service = ground.random.choice(("metrics", "views"))
    async with ground.alone("postgres", service):
        await _back(ground, service)
    ground.faults["follower's database set back"] += 1


async def killed_taking_back(ground: Ground, mode: str) -> None:
    """A writer whose database is yesterday's falls while it takes its events back; intake always
    has some.
    """
    service = "intake"
    async with ground.alone("postgres", service):
        if not await falls(ground, service, "recover.took", mode, partial(_back, ground, service)):
            ground.missed[f"recover.took {mode}"] += 1


async def _back(ground: Ground, service: str) -> None:
    await _stop(ground, service)
    await _set_back(ground, service)
    await ground.start(service)


async def _stop(ground: Ground, service: str) -> None:
    """When all of its journal is on its topic: what is in neither would be gone for good."""
    await ground.stop(service)
    while await _unsent(ground, service):
        await ground.drain(service)
        while await _unsent(ground, service):  # noqa: ASYNC110 (a topic is waited for)
            await asyncio.sleep(DRAINS)
        await ground.stop(service)


async def _unsent(ground: Ground, service: str) -> bool:
    """Is there an event that the topic has not? A broker that is away has none, and one that has
    lost its tail has less than the journal has marked.
    """
    url = ground.stack.admin_database_url(service)
    written = {str(row["id"]) for row in await databases.fetch(url, IDS)}
    try:
        sent = await asyncio.to_thread(_sent, ground, service)
    except (KafkaException, Refused):
        return True
    return not written <= sent


def _sent(ground: Ground, service: str) -> set[str]:
    found = set()
    for message in read(ground.stack, [service]):
        with suppress(UnicodeDecodeError):  # poison of the harness
            found.add(headers(message).get("ce_id", ""))
    return found


async def _set_back(ground: Ground, service: str) -> None:
    await databases.execute(
        ground.stack.admin_database_url(),
        f"drop database {service} with (force)",
        f"create database {service} template {service}_yesterday owner {service}",
    )
    await asyncio.to_thread(ground.stack.provide_databases)
    url = ground.stack.admin_database_url(service)
    await databases.fetch(url, TIME, ground.clock.latest)
