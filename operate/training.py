"""Makes the broker's AOT cache: runs a broker of its own once, and keeps what it has loaded."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from operate.install import Refused
from operate.kafka import Kafka, listening
from operate.places import Places, kafka_ports


def train(kafka: Kafka, archive: Path) -> None:
    """Makes the AOT cache by running a broker of its own once, in an empty state folder."""
    kafka.places.make()
    kafka.prepare()
    draft = archive.with_name("aot.part")  # beside it the JVM keeps notes of its own
    broker = subprocess.Popen(
        kafka.command(f"-XX:AOTCacheOutput={draft}"), env={**os.environ, **kafka.environment()},
        cwd=kafka.folder(0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        kafka.wait(60, lambda: broker.poll() is None)
        exercise(kafka)
    finally:
        broker.terminate()
        broker.wait()
    draft.replace(archive)
    for old in {*archive.parent.glob("*.aot"), *archive.parent.glob("aot.part*")} - {archive}:
        old.unlink(missing_ok=True)


def exercise(kafka: Kafka) -> None:
    """Makes the broker load the classes of an ordinary day."""
    admin = AdminClient(kafka.client())
    for future in admin.create_topics([NewTopic("day", 12)]).values():
        future.result(10)
    producer = Producer(kafka.client(**{"enable.idempotence": True}))
    producer.produce("day", b"value", b"key")
    producer.flush(10)
    consumer = Consumer(kafka.client(**{"group.id": "day", "auto.offset.reset": "earliest"}))
    consumer.subscribe(["day"])
    consumer.poll(10)
    consumer.close()


def free_base() -> int:
    """A base port whose three Kafka ports nobody uses just now."""
    for base in random.sample(range(20_000, 30_000, 50), 50):
        if not any(listening(port) for port in kafka_ports(base, 1)[0].values()):
            return base
    raise Refused("no free ports were found")


def main() -> None:
    """Makes the AOT cache unless somebody does so already; the argument is an empty folder."""
    kafka = Kafka(Places(Path(sys.argv[1])), free_base())
    archive = kafka.archive
    if os.access(archive.parent, os.W_OK):
        handle = os.open(archive.parent, os.O_RDONLY)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            train(kafka, archive)


if __name__ == "__main__":
    main()
