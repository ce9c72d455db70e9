"""What the broker has, and what it has lost: that counts as unsent again."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from shared.broker import Patience, TopicPartition, describe
from shared.kill import point
from shared.relay.outbox import Ack, Outbox
from shared.relay.turn import Turn
from shared.settings import Kafka

log = structlog.get_logger()


class Topics:
    """Of one relay in one turn: `ids` of its topics, and the `ends` of what it knows to be there."""

    def __init__(self, name: str, kafka: Kafka, outbox: Outbox, turn: Turn, reader: Any) -> None:
        self.name, self._kafka, self._outbox = name, kafka, outbox
        self.turn, self._reader = turn, reader
        self.ids: dict[str, str] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.compared_at = 0.0

    async def compare(self) -> bool:
        """When data went backwards on the broker: what it lost counts as unsent again; True if so.

        Also now and then while all is well: a broker that comes back without its tail is met
        again by the client libraries, and the session goes on.
        """
        topics = await self._outbox.topics(self.turn.db)
        ids: dict[str, str] = {}
        ends: dict[TopicPartition, int] = {}
        if topics:
            looking = asyncio.ensure_future(self._look(topics))
            await self.turn.ping_until(looking)
            ids, ends = looking.result()
        shorter = any(end < self.ends.get(place, 0) for place, end in ends.items())
        if changed := shorter or not self.ids or ids != self.ids:
            await self._outbox.reconcile(self.turn.db, ids, ends)
        foreign = [place.topic for place, end in ends.items() if end > self.ends.get(place, end)]
        if foreign:
            await self._outbox.overwritten(self.turn.db, foreign)
        point("relay.compared")
        self.ids, self.ends = ids, ends
        self.compared_at = asyncio.get_running_loop().time()
        return changed or bool(foreign)

    async def _look(
        self, topics: Sequence[str]
    ) -> tuple[dict[str, str], dict[TopicPartition, int]]:
        described = await describe(self._kafka, topics, lenient=self._outbox.lenient)
        places = [place for topic in described.values() for place in topic.places]
        ends = dict(await self._reader.end_offsets(places))
        return {name: topic.id for name, topic in described.items()}, ends

    async def learn(self, names: set[str]) -> None:
        """Ids of topics that were not there, or not wanted, when they were compared."""
        if unknown := names - self.ids.keys():
            made = await describe(self._kafka, unknown, lenient=self._outbox.lenient)
            self.ids |= {name: topic.id for name, topic in made.items()}

    async def probe(self) -> None:
        """A tail that was lost and has grown over again is not seen by its end: an earlier session
        may have sent below what it had marked, and ended before it knew. Is the last record that
        is marked still there? If not, all of its partition counts as unsent.
        """
        marked = await self._outbox.last(self.turn.db, self.ids, self.ends)
        if not marked:
            return
        reading = asyncio.ensure_future(self._told(marked))
        await self.turn.ping_until(reading)
        other = {
            place: 0
            for place, found in reading.result().items()
            if found is not None and found != marked[place][1]
        }
        if other:
            log.error("topic.written_anew", relay=self.name, partitions=len(other))
            await self._outbox.reconcile(self.turn.db, self.ids, other)

    async def _told(
        self, marked: Mapping[TopicPartition, tuple[int, bytes]]
    ) -> dict[TopicPartition, bytes | None]:
        """What tells the record at each of these offsets; None where compaction took it."""
        found: dict[TopicPartition, bytes | None] = {}
        reader = self._reader
        reader.assign(list(marked))
        try:
            for place, (offset, _) in marked.items():
                reader.seek(place, offset)
            patience = Patience()
            while left := [place for place in marked if place not in found]:
                batches = await reader.getmany(*left, timeout_ms=500)
                patience.got(len(batches))
                for place, records in batches.items():
                    if records:
                        same = records[0].offset == marked[place][0]
                        found[place] = self._outbox.telling(records[0]) if same else None
        finally:
            reader.unsubscribe()
        return found

    async def grown(self, acks: Sequence[Ack]) -> bool:
        """These records are there now. True if an offset was given anew: the broker came back
        without its tail, and what stood there and above counts as unsent again.
        """
        lost: dict[TopicPartition, int] = {}
        for ack in acks:
            if 0 <= ack.offset < self.ends.get(ack.place, 0):
                lost[ack.place] = min(lost.get(ack.place, ack.offset), ack.offset)
            self.ends[ack.place] = max(self.ends.get(ack.place, 0), ack.end)
        if lost:
            await self._outbox.reconcile(self.turn.db, self.ids, lost)
            self.ends |= {ack.place: ack.end for ack in acks if ack.place in lost}
        return bool(lost)
