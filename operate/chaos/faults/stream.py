"""Records that come again and again, from further back, or that nobody can take."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from confluent_kafka import Message, Producer

from operate import databases
from operate.chaos.faults.processes import falls
from operate.chaos.ground import Ground
from operate.demo.records import read
from operate.install import Refused
from operate.places import SERVICES

MOST = 50
REWIND = 'update position set "offset" = floor("offset" * random())::bigint'
FOLLOWED = ("intake", "referral", "meetings")
Headers = list[tuple[str, bytes | None]]
SECONDS = 120.0


async def duplicates(ground: Ground, count: int) -> None:
    """`count` records once more, each 1 to 50 times, in any order."""
    sent = await asyncio.to_thread(_duplicates, ground, count)
    ground.faults["duplicates"] += sent


def _duplicates(ground: Ground, count: int) -> int:
    records = some_of(ground.random, read(ground.stack, [*SERVICES]), count)
    drawn: list[Message] = []
    while len(drawn) < count:
        drawn += [ground.random.choice(records)] * ground.random.randint(1, MOST)
    ground.random.shuffle(drawn)
    return send(
        ground, ((m.topic() or "", m.partition(), m.key(), m.value(), m.headers()) for m in drawn)
    )


def some_of(random: Random, records: Iterable[Message], number: int) -> list[Message]:
    """So many, each as likely as any other; all are read, no more than these are held."""
    drawn: list[Message] = []
    for n, one in enumerate(records):
        if n < number:
            drawn.append(one)
        elif (place := random.randrange(n + 1)) < number:
            drawn[place] = one
    return drawn


def send(ground: Ground, records: Iterator[tuple[str, Any, Any, Any, Any]]) -> int:
    settings = {"enable.idempotence": True, "linger.ms": 20, "message.max.bytes": 12_000_000}
    producer = Producer({**ground.stack.kafka_client(), **settings})
    sent = 0
    for topic, partition, key, value, marks in records:
        while True:
            try:
                where = {} if partition is None else {"partition": partition}
                producer.produce(topic, value=value, key=key, headers=marks, **where)
                break
            except BufferError:
                producer.poll(0.1)
        sent += 1
    if producer.flush(SECONDS):
        raise Refused("the broker did not take all records; look at its log")
    return sent


async def rewind(ground: Ground) -> None:
    """A follower's positions go back to anywhere before; its group's offsets are no longer true."""
    service = ground.random.choice(SERVICES)
    async with ground.alone("postgres", service):
        await ground.stop(service)
        await databases.execute(ground.stack.admin_database_url(service), REWIND)
        await ground.start(service)
    ground.faults["rewound"] += 1


def kinds(
    random: Random, key: bytes, value: bytes, marks: Headers
) -> dict[str, Callable[[], tuple[bytes | None, bytes | None, Headers]]]:
    """Twelve ways in which a record can be none of ours, made from one that is."""
    wire = json.loads(value)

    def marked(**changed: bytes | None) -> Headers:
        kept = [(name, v) for name, v in marks if name not in changed]
        return kept + [(name, v) for name, v in changed.items() if v is not None]

    def at(version: int, **more: bytes | None) -> Headers:
        stream = f"case/poison-{random.getrandbits(64):x}"
        return marked(ce_stream=stream.encode(), ce_version=str(version).encode(), **more)

    sealed = {name: f"{v[:-8]}AAAAAAAA" if _sealed(v) else v for name, v in wire.items()}
    ways: dict[str, Callable[[], tuple[bytes | None, bytes | None, Headers]]] = {
        "no headers": lambda: (key, value, []),
        "no stream": lambda: (key, value, marked(ce_stream=None)),
        "version in words": lambda: (key, value, marked(ce_version=b"one")),
        "version of the future": lambda: (key, value, at(random.randint(2, 9999))),
        "unknown type": lambda: (key, value, at(1, ce_type=b"jp.tsunagu.unheard.of.v9")),
        "not JSON": lambda: (key, random.randbytes(200), at(1)),
        "not UTF-8": lambda: (key, b'{"note": "\xff\xfe"}', at(1)),
        "another shape": lambda: (key, b'["not", "an", "object"]', at(1)),
        "deep JSON": lambda: (key, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, at(1)),
        "nothing": lambda: (key, None, at(1)),
        "bad tag": lambda: (key, json.dumps(sealed).encode(), at(1)),
        "large": lambda: (key, json.dumps({"x": "x" * 900_000}).encode(), at(1)),
    }
    if sealed == wire:  # nothing in it is sealed: it would be an event like any other
        del ways["bad tag"]
    return ways


def _sealed(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 40


BY_VALUE = frozenset(
    ("not JSON", "not UTF-8", "another shape", "deep JSON", "nothing", "bad tag", "large")
)
"""Kinds that only who reads the value can tell."""
LARGE_SHARE = 0.005
"""Of all poison: 900 kB each would be the test of a disk."""


async def poison(ground: Ground, count: int) -> None:
    """Records of twelve kinds, spread over the topics and over some seconds, among good ones."""
    ground.faults["poison"] += await asyncio.to_thread(_poison, ground, count)


def _poison(ground: Ground, count: int) -> int:
    samples = {topic: next(read(ground.stack, [topic])) for topic in FOLLOWED}
    records: list[tuple[str, Any, Any, Any, Any]] = []
    for number in range(count):
        topic = ground.random.choice(FOLLOWED)
        sample: Any = samples[topic]
        nobody = str(UUID(int=ground.random.getrandbits(128))).encode()  # or its case would wait
        made = kinds(ground.random, nobody, sample.value(), list(sample.headers()))
        names = list(made)
        if ground.random.random() > LARGE_SHARE:
            names.remove("large")
        name = names[number % len(names)]
        key, value, marks = made[name]()
        records.append((topic, sample.partition(), key, value, marks))
        told = dict(sample.headers())["ce_type"].decode() if name in BY_VALUE else ""
        ground.poison[topic, told] += 1
    sent = 0
    for start in range(0, len(records), 200):
        sent += send(ground, iter(records[start : start + 200]))
        time.sleep(0.1)
    return sent


async def killed_parking(ground: Ground, mode: str) -> None:
    """A follower falls while it parks."""
    service = ground.random.choice(("metrics", "views"))
    async with ground.alone(service):
        if not await falls(
            ground, service, "follow.parked", mode, partial(poison, ground, count=24)
        ):
            ground.missed[f"follow.parked {mode}"] += 1


async def killed_replaying(ground: Ground, mode: str) -> None:
    """A starting follower falls while it tries again what it has parked."""
    service = ground.random.choice(("metrics", "views"))

    async def started() -> None:
        ground.stack.kill(service)

    async with ground.alone(service):
        if not await falls(ground, service, "follow.replayed", mode, started):
            ground.missed[f"follow.replayed {mode}"] += 1
