"""A relay waits for its turn, compares with the broker, empties its outbox, and tells when it is empty."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import structlog

from shared.broker import HEARTBEATS, KafkaError, consumer, producer, stop
from shared.db import PASSING, connect
from shared.loops import pace
from shared.relay.drain import Drain
from shared.relay.outbox import Outbox
from shared.relay.topics import Topics
from shared.relay.turn import LOCK_LOST_AFTER, Turn
from shared.settings import Kafka

HEARTBEAT_SECONDS = 1.5
COMPARE_SECONDS = 5.0
IN_ORDER = {"enable_sort": "off", "datestyle": "ISO"}
"""Or a fresh backlog, of which there are no statistics, is sorted anew for each batch; and times as text."""
HELD = "select exists (select from held)"
"""What comes after it on its streams is held back too, and so not on the topic."""

log = structlog.get_logger()


class Relay:
    """One active relay a name; the others wait for its lock and take over within 5 s.

    `heartbeat` names the service whose drained state is announced on the topic `heartbeats`.
    """

    def __init__(
        self, name: str, database_url: str, kafka: Kafka, outbox: Outbox, heartbeat: bool = False
    ) -> None:
        self.name, self._url, self._kafka, self._outbox = name, database_url, kafka, outbox
        self._heartbeat = heartbeat
        self._woken = asyncio.Event()
        self._beaten = 0.0
        self._alone = False
        self.topics: Topics | None = None

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Never returns; passing trouble is waited out with a growing pause."""
        pause = 0.1
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._session()
            except (KafkaError, *PASSING) as error:
                if asyncio.get_running_loop().time() - started > 10:
                    pause = 0.1
                log.warning("relay.waits", relay=self.name, error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3)

    async def _session(self) -> None:
        async with AsyncExitStack() as stack:
            sender = producer(self._kafka)
            stack.push_async_callback(sender.stop)
            await sender.start()
            reader = consumer(self._kafka, None)
            stack.push_async_callback(stop, reader)
            await reader.start()
            db = await connect(self._url, idle_session_timeout=LOCK_LOST_AFTER, **IN_ORDER)
            stack.callback(db.terminate)
            reads = await connect(self._url, **IN_ORDER)
            stack.callback(reads.terminate)
            turn = Turn(db, self.name, self._woken)
            await turn.take()
            topics = self.topics = Topics(self.name, self._kafka, self._outbox, turn, reader)
            await topics.compare()
            await topics.probe()
            log.info("relay.active", relay=self.name)
            drain = Drain(self._outbox, turn, topics, reads, sender, self._alone)
            try:
                await self._drained(turn, topics, drain, sender)
            finally:
                self._alone = drain.alone

    async def _drained(self, turn: Turn, topics: Topics, drain: Drain, sender: Any) -> None:
        """For as long as the turn lasts."""
        together, before = pace(), drain.sent
        while True:
            await together(drain.sent - before)
            before = drain.sent
            self._woken.clear()
            sure = self._beat_is_due() and not await turn.db.fetchval(HELD)
            drained_at = datetime.now(UTC)
            while await drain.some():
                drained_at = datetime.now(UTC)
            now = asyncio.get_running_loop().time()
            if now - topics.compared_at > COMPARE_SECONDS and await topics.compare():
                self._woken.set()
            if sure and not await turn.db.fetchval(HELD):  # nor was any let go while it drained
                await self._beat(topics, sender, drained_at)
            await turn.rest()

    def _beat_is_due(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._heartbeat and now - self._beaten >= HEARTBEAT_SECONDS

    async def _beat(self, topics: Topics, sender: Any, drained_at: datetime) -> None:
        """Drained: say so, with the offsets published so far (freshness and fail-closed rest on it).

        All that was committed by `drained_at` is on the topic, below these offsets.
        """
        self._beaten = asyncio.get_running_loop().time()
        beat = {
            "service": self.name,
            "time": drained_at.isoformat(),
            "offsets": {
                str(place.partition): [topics.ids[place.topic], end]
                for place, end in topics.ends.items()
            },
        }
        await sender.send_and_wait(HEARTBEATS, json.dumps(beat).encode(), self.name.encode())
