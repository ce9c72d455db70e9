"""A reader in a process of its own: when was the text of each record committed to its copy?

Reads one line of JSON: how many, the mark before their numbers, and either an agency's credentials
(its subscriber keeps a copy) or a topic and a login (records go into a table as they are). Says
"ready", and at the end one line of JSON: number after the mark → CLOCK_MONOTONIC in seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from agency.copy import Copy
from agency.credentials import Credentials
from agency.sealed import Change
from agency.subscriber import Subscriber
from shared.broker import consumer, describe
from shared.settings import Kafka


class Seen:
    """`mark` tells the texts of this measurement from all others."""

    def __init__(self, wanted: int, mark: str) -> None:
        self.at: dict[str, float] = {}
        self._number = re.compile(f"{mark}([0-9]+)")
        self.all = asyncio.Event()
        self._wanted = wanted

    def texts(self, texts: Sequence[str]) -> None:
        now = time.monotonic()
        for text in texts:
            for number in self._number.findall(text):
                self.at.setdefault(number, now)
        if len(self.at) >= self._wanted:
            self.all.set()

    def changes(self, changes: Sequence[Change]) -> None:
        self.texts([change.body or "" for change in changes])


async def agency(credentials: Credentials, folder: Path, seen: Seen) -> None:
    copy = Copy(folder / "copy.sqlite")
    subscriber = Subscriber(credentials, copy, on_change=seen.changes)
    task = asyncio.create_task(subscriber.run())
    await subscriber.caught_up()
    print("ready", flush=True)
    await seen.all.wait()
    task.cancel()


async def bare(topic: str, kafka: Kafka, folder: Path, seen: Seen) -> None:
    db = sqlite3.connect(folder / "copy.sqlite", isolation_level=None)
    db.executescript("pragma journal_mode = wal; pragma synchronous = normal;")
    db.execute("create table copy (topic, partition, place, body, primary key (partition, place))")
    reader = consumer(kafka, None)
    await reader.start()
    places = (await describe(kafka, [topic]))[topic].places
    reader.assign(list(places))
    await reader.seek_to_end(*places)
    for place in places:
        await reader.position(place)
    print("ready", flush=True)
    while not seen.all.is_set():
        batches = await reader.getmany(timeout_ms=500, max_records=500)
        records = [record for batch in batches.values() for record in batch]
        if records:
            db.execute("begin")
            rows = [(one.topic, one.partition, one.offset, one.value.decode()) for one in records]
            db.executemany("insert into copy values (?, ?, ?, ?)", rows)
            db.execute("commit")
            seen.texts([body for *_, body in rows])
    await reader.stop()


async def main(asked: dict[str, Any]) -> None:
    seen = Seen(asked["records"], asked["mark"])
    with TemporaryDirectory() as name:
        folder = Path(name)
        if "credentials" in asked:
            await agency(Credentials.model_validate(asked["credentials"]), folder, seen)
        else:
            await bare(asked["topic"], Kafka.model_validate(asked["kafka"]), folder, seen)
    print(json.dumps(seen.at), flush=True)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.stdin.readline())))
