"""Hearing the services that carry bases: heartbeats at most 5 s old, everything they cover applied."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from shared.broker import HEARTBEATS, KafkaError, TopicPartition, consumer, stop
from shared.runtime import Runtime

HEARD_SECONDS = 5.0
BASIS_SERVICES = ("intake", "meetings", "referral")
"""Whence consents and grounds, pools and matters, and who runs which programme."""
log = structlog.get_logger()

Position = tuple[str, int, str, int]
"""Topic, partition, the topic's id, next offset: how far this view is."""


@dataclass(frozen=True)
class Beat:
    """What a service said of itself: when (real time, by no clock later than ours), and its offsets by
    partition.
    """

    at: datetime
    offsets: dict[int, tuple[str, int]]


class Heard:
    """What this process has heard since it started."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._beats: dict[str, Beat] = {}

    def all(self, positions: Iterable[Position]) -> bool:
        """Are all of them heard, and is everything applied that they told of?"""
        limit = datetime.now(UTC) - timedelta(seconds=HEARD_SECONDS)
        beats = {name: self._beats.get(name) for name in BASIS_SERVICES}
        if any(beat is None or beat.at < limit for beat in beats.values()):
            return False
        done = {(topic, partition): (id, offset) for topic, partition, id, offset in positions}
        for name, beat in beats.items():
            for partition, (topic_id, end) in (beat.offsets if beat else {}).items():
                at_id, at = done.get((name, partition), (topic_id, 0))
                if end and (at_id != topic_id or at < end):
                    return False
        return True

    async def listen(self) -> None:
        """Hear the heartbeats of the other services, for as long as the process lives."""
        place = TopicPartition(HEARTBEATS, 0)
        while True:
            reader = consumer(self._rt.kafka, None)
            try:
                await reader.start()
                reader.assign([place])
                await reader.seek_to_beginning(place)
                while True:
                    for records in (await reader.getmany(timeout_ms=500)).values():
                        for record in records:
                            self.hear(record.value)
            except (KafkaError, OSError) as error:
                log.warning("heartbeats.wait", error=type(error).__name__)
                await asyncio.sleep(0.5)
            finally:
                await stop(reader)

    def hear(self, value: bytes | None) -> None:
        """Whatever it is: anybody who may write there may write anything."""
        try:
            beat = json.loads(value or b"")
            offsets = {int(p): (str(id), int(end)) for p, (id, end) in beat["offsets"].items()}
            at = min(datetime.fromisoformat(beat["time"]), datetime.now(UTC))
            self._beats[beat["service"]] = Beat(at, offsets)
        except Exception as error:
            log.error("heartbeat.unreadable", error=type(error).__name__)
