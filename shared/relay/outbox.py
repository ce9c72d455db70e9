"""An outbox: what a relay empties, and is told about what it sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from shared.broker import KafkaError, Message, TopicPartition
from shared.db import Connection


class Ack(NamedTuple):
    """Records that the broker has, one after another from `offset`; a negative one: it does not say
    where. `tokens` name them in the words of their outbox.
    """

    tokens: Sequence[Any]
    topic: str
    topic_id: str
    partition: int
    offset: int

    @property
    def place(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)

    @property
    def end(self) -> int:
        """The offset after the last."""
        return self.offset + len(self.tokens) if self.offset >= 0 else 0

    def each(self) -> Iterator[tuple[Any, int]]:
        """Tokens with their offsets."""
        for n, token in enumerate(self.tokens):
            yield token, self.offset + n if self.offset >= 0 else self.offset


class Outbox(Protocol):
    """All methods run on the relay's one connection.

    `lenient`: a destination that is not there is refused, and the others flow.
    """

    lenient: bool
    batch: int
    """A batch of fewer was all there is."""

    async def topics(self, db: Connection) -> Sequence[str]:
        """Destinations to compare with the broker at each connection."""

    async def reconcile(
        self, db: Connection, ids: Mapping[str, str], ends: Mapping[TopicPartition, int]
    ) -> None:
        """Count as unsent what the broker no longer has."""

    async def last(
        self, db: Connection, ids: Mapping[str, str], places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, bytes]]:
        """The highest offset that is marked in each partition, and what tells the record there."""

    def telling(self, record: Any) -> bytes | None:
        """What tells a record from others at its place."""

    async def pending(
        self, db: Connection, sending: Sequence[Any] = ()
    ) -> Sequence[tuple[Any, Message]]:
        """The next batch with its tokens, in order, without those that are on their way; empty when
        drained, or when it is better to ask again after them. With `sending`, on a second connection.
        """

    async def mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        """Remember what the broker acknowledged."""

    async def refuse(self, db: Connection, token: Any, error: KafkaError) -> bool:
        """Hold one message back for good; False if the trouble may pass and all shall wait."""

    async def overwritten(self, db: Connection, topics: Sequence[str]) -> None:
        """Somebody else wrote to these topics: a relay that stood still while it sent."""
