"""Records on their way to the broker, as few batches: one acknowledgement a batch, not one a record."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.broker import LARGEST_REQUEST, KafkaError, Message, TopicPartition


@lru_cache(100_000)
def hashed(key: bytes) -> int:
    """As every client of Kafka hashes keys; in Python this takes longer than all else of a record."""
    return int(murmur2(key)) & 0x7FFFFFFF


@dataclass(slots=True)
class Batch:
    """Records of one partition that go together, named by their tokens. When it was sent: the `offset`
    of the first (negative: the broker has them, and does not say where), or the `error`.
    """

    place: TopicPartition
    records: Any
    tokens: list[Any] = field(default_factory=list)
    offset: int = -1
    error: BaseException | None = None


class Batches:
    """Takes records in order, then sends those of a partition together. `alone`: each by itself, and
    none behind one that was refused.
    """

    def __init__(self, sender: Any, *, alone: bool = False) -> None:
        self._sender, self._alone = sender, alone
        self._open: dict[TopicPartition, Batch] = {}
        self.places: dict[str, list[TopicPartition]] = {}
        self._asked: list[tuple[Batch, asyncio.Future[Any]]] = []
        self.tokens: list[Any] = []
        self.batches: list[Batch] = []

    async def reach(self, topic: str) -> None:
        """Call before the first record of a topic is added. Raises KafkaError."""
        if topic in self.places:
            return
        partitions = sorted(await self._sender.partitions_for(topic))
        self.places[topic] = [TopicPartition(topic, partition) for partition in partitions]

    def add(self, token: Any, message: Message) -> None:
        """Raises MessageSizeTooLargeError for what no broker would take."""
        topic, key, value, headers = message
        places = self.places[topic]
        place = places[hashed(key) % len(places)]
        batch = self._open.get(place)
        if batch is None or not _append(batch, message):
            size = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
            if size > LARGEST_REQUEST:
                raise MessageSizeTooLargeError
            batch = self._begin(place)
            _append(batch, message)
        batch.tokens.append(token)
        self.tokens.append(token)

    def _begin(self, place: TopicPartition) -> Batch:
        batch = Batch(place, self._sender.create_batch())
        self.batches.append(batch)
        if not self._alone:
            self._open[place] = batch
        return batch

    async def send(self, sure: Callable[[], Awaitable[None]] | None = None) -> None:
        """`sure` is called before each batch, and raises when nothing more may be sent."""
        for batch in self.batches:
            if sure:
                await sure()
            batch.records.close()
            try:
                asked = await self._sender.send_batch(
                    batch.records, batch.place.topic, partition=batch.place.partition
                )
            except KafkaError as error:
                asked = asyncio.get_running_loop().create_future()
                asked.set_exception(error)
            self._asked.append((batch, asked))
            if self._alone:
                await asyncio.wait([asked])
                if asked.exception():
                    break

    async def done(self) -> Sequence[Batch]:
        """What was sent, when all of it is answered."""
        shielded = [asyncio.shield(asked) for _, asked in self._asked]
        results = await asyncio.gather(*shielded, return_exceptions=True)
        for (batch, _), result in zip(self._asked, results, strict=True):
            if isinstance(result, BaseException):
                batch.error = result
            else:
                batch.offset = result.offset
        return [batch for batch, _ in self._asked]

    @property
    def refused_together(self) -> bool:
        """Was something refused for its size that held several records? Once all are done."""
        return any(
            len(batch.tokens) > 1 and isinstance(batch.error, MessageSizeTooLargeError)
            for batch in self.batches
        )


def _append(batch: Batch, message: Message) -> bool:
    """False: it is full."""
    _, key, value, headers = message
    return batch.records.append(timestamp=None, key=key, value=value, headers=headers) is not None
