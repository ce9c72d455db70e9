"""How far a view is in each partition: PostgreSQL says so, and not the broker."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from shared.broker import TopicPartition
from shared.db import Pool, by_column

from .record import Record

POSITIONS = 'select topic, partition, topic_id, "offset" from position where view = $1'
SET_BACK = 'update position set "offset" = 0 where view = $1 and topic = $2 and partition = $3'

Places = list[list[Any]]

log = structlog.get_logger()


def places(records: Sequence[Record], topics: Mapping[str, str]) -> Places:
    """How far these records reach in each partition, as columns."""
    ends: dict[tuple[str, int], int] = {}
    for record in records:
        place, offset = record[:2], record.offset
        if ends.get(place, 0) <= offset:
            ends[place] = offset + 1
    return by_column([(t, p, topics[t], end) for (t, p), end in ends.items()], 4)


async def positions(pool: Pool, view: str, ids: Mapping[str, str]) -> dict[TopicPartition, int]:
    """Next to read in each partition, by whichever replica; `ids`: id of each topic. A topic made
    anew starts at nothing. Ask before the ends, or they may be older than what is applied.
    """
    return {
        TopicPartition(row["topic"], row["partition"]): row["offset"]
        for row in await pool.fetch(POSITIONS, view)
        if row["topic_id"] == ids.get(row["topic"])
    }


async def set_back(pool: Pool, view: str, place: TopicPartition) -> None:
    """The partition has lost what stood below our position: it is to be read from its start."""
    log.error("topic.went_back", view=view, topic=place.topic)
    await pool.execute(SET_BACK, view, place.topic, place.partition)
