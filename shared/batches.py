"""Records on their way to the broker, as few batches: one acknowledgement a batch, not one a record."""

import asyncio
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.broker import LARGEST_REQUEST, KafkaError, Message, TopicPartition


class At(NamedTuple):
    """Where the broker has a record; a negative `offset`: it has it, and does not say where."""

    partition: int
    offset: int


@lru_cache(100_000)
def hashed(key: bytes) -> int:
    """As every client of Kafka hashes keys; in Python this takes longer than all else of a record."""
    return int(murmur2(key)) & 0x7FFFFFFF


class Batches:
    """Takes records in order, and sends those of a partition together. `alone`: each by itself."""

    def __init__(self, sender: Any, *, alone: bool = False) -> None:
        self._sender, self._alone = sender, alone
        self._open: dict[TopicPartition, tuple[Any, list[int]]] = {}
        self._sent: list[tuple[list[int], asyncio.Future[Any]]] = []
        self._partitions: dict[str, list[int]] = {}
        self._count = 0

    async def add(self, message: Message) -> None:
        """Raises KafkaError: MessageSizeTooLargeError for what no broker would take."""
        topic, key, value, headers = message
        size = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
        if size > LARGEST_REQUEST:
            raise MessageSizeTooLargeError
        if topic not in self._partitions:
            self._partitions[topic] = sorted(await self._sender.partitions_for(topic))
        partitions = self._partitions[topic]
        place = TopicPartition(topic, partitions[hashed(key) % len(partitions)])
        batch, numbers = self._open.get(place) or self._begin(place)
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            await self._send(place)
            batch, numbers = self._begin(place)
            batch.append(timestamp=None, key=key, value=value, headers=headers)
        numbers.append(self._count)
        self._count += 1
        if self._alone:
            await self._send(place)
            await asyncio.wait([self._sent[-1][1]])

    def _begin(self, place: TopicPartition) -> tuple[Any, list[int]]:
        self._open[place] = self._sender.create_batch(), []
        return self._open[place]

    async def _send(self, place: TopicPartition) -> None:
        batch, numbers = self._open.pop(place)
        batch.close()
        try:
            sent = await self._sender.send_batch(batch, place.topic, partition=place.partition)
        except KafkaError as error:
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(error)
        self._sent.append((numbers, sent))

    async def send(self) -> None:
        for place in list(self._open):
            await self._send(place)

    async def done(self) -> list[At | BaseException]:
        """What became of each record, in the order in which they were added."""
        found: list[Any] = [None] * self._count
        batches = [asyncio.shield(sent) for _, sent in self._sent]
        results = await asyncio.gather(*batches, return_exceptions=True)
        for (numbers, _), result in zip(self._sent, results, strict=True):
            if isinstance(result, BaseException):
                for number in numbers:
                    found[number] = result
            else:
                partition, first = result.partition, result.offset
                for n, number in enumerate(numbers):
                    found[number] = At(partition, first + n if first >= 0 else first)
        return found

    @property
    def refused_together(self) -> bool:
        """Was something refused for its size that held several records? Once all are done."""
        return any(
            len(numbers) > 1 and isinstance(sent.exception(), MessageSizeTooLargeError)
            for numbers, sent in self._sent
            if not sent.cancelled()
        )
