"""What a view is fed: a record of a topic, what was made of it, and what became of a batch."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.contracts import Envelope, Recorded
from shared.sealing import Poison

BATCH, MOST = 500, 1_000
"""Records that are taken from the reader at once, and that are applied in one transaction, at most."""
GAP = "gap"
"""How the cause begins of what waits for a version that is missing."""


class Record(NamedTuple):
    """One Kafka record, with what was made of it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset


def record_of(message: Any) -> Record:
    """Of what a consumer gives: ours of aiokafka, or Faust's."""
    m = message
    told = m.topic, m.partition, m.offset, m.key, m.value, tuple(m.headers)
    return tuple.__new__(Record, told)  # as Record(…), which is a function in Python


class Read(NamedTuple):
    """What was made of a record. `event` None: of a type that is not read here. `line`: as
    `keep` takes it, if it is kept and there was no need to make it.
    """

    record: Record
    stream: str | None
    version: int
    event: Recorded | Poison | None
    line: bytes | None = None


Taken = tuple[Record, Envelope, dict[str, Any]]
"""An event of a journal; its record tells only where it is on its topic, or that it is not."""


@dataclass(slots=True)
class Outcome:
    """What one transaction did: `new` records (applied or parked here for the first time), the
    `fresh` events that were applied, and what is `parked`, with its cause.
    """

    new: list[Record]
    fresh: list[Read]
    parked: list[tuple[Read, str]]

    def invalid(self) -> int:
        """New records that can not be read or are refused; one that only came early is neither."""
        new = {id(record) for record in self.new}
        return sum(
            id(read.record) in new and not cause.startswith(GAP) for read, cause in self.parked
        )
