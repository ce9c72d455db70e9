"""A consumer in a process of its own: when did each record become visible?

Reads one line of JSON: topic, how many records, settings of the broker. Says "ready", and at the
end one line of JSON: id → CLOCK_MONOTONIC in seconds, which all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import uvloop

from shared.broker import consumer, describe
from shared.settings import Kafka


async def watch(topic: str, records: int, kafka: Kafka) -> None:
    reader = consumer(kafka, None)
    await reader.start()
    places = (await describe(kafka, [topic]))[topic].places
    reader.assign(places)
    await reader.seek_to_end(*places)
    for place in places:
        await reader.position(place)
    print("ready", flush=True)
    seen: dict[str, float] = {}
    while len(seen) < records:
        for batch in (await reader.getmany(timeout_ms=1_000)).values():
            now = time.monotonic()
            for record in batch:
                headers = dict(record.headers)
                seen.setdefault(headers["ce_id"].decode(), now)
    print(json.dumps(seen), flush=True)
    await reader.stop()


def main() -> None:
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    kafka = Kafka.model_validate(asked["kafka"])
    uvloop.run(watch(asked["topic"], asked["records"], kafka))


if __name__ == "__main__":
    main()
