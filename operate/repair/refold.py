"""Refolding: what one number of a view has applied, taken from the journals for another number.

The promoted number's inbox says exactly which events are in it. So a number that is filled up to
the same inbox is the same fold, whatever has become of the topics; and it is never ahead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from shared.contracts import Envelope
from shared.db import Connection, Pool
from shared.follow import Record, Taken
from shared.sealing import envelope_of
from shared.views import name_of

CHUNK = 2_000
LACKING = """
select l.stream, coalesce(n.version, 0) as have, l.version as want
  from inbox l left join inbox n on n.view = $2 and n.stream = l.stream
 where l.view = $1 and l.version > coalesce(n.version, 0) order by l.stream"""
EVENTS = f"""
select {", ".join(f"j.{name}" for name in Envelope._fields)}, j.data, j.seq
  from unnest($1::text[], $2::int[], $3::int[]) n (stream, have, want)
  join journal j on j.stream = n.stream and j.version > n.have and j.version <= n.want
 order by j.stream, j.version"""


async def lacking(db: Connection | Pool, view: str, live: int, number: int) -> list[Any]:
    """By stream, what `live` has and `number` has not: rows of stream, have, want."""
    return list(await db.fetch(LACKING, name_of(view, live), name_of(view, number)))


def events_in(lack: Sequence[Any]) -> int:
    return sum(row["want"] - row["have"] for row in lack)


async def chunks(
    lack: Sequence[Any], journals: Mapping[str, Pool], topics: Sequence[str]
) -> AsyncIterator[list[Taken]]:
    """Those events, about CHUNK at a time, each stream in its order."""
    part: list[Any] = []
    size = 0
    for n, row in enumerate(lack, 1):
        part.append(row)
        size += events_in([row])
        if size >= CHUNK or n == len(lack):
            columns = [[one[name] for one in part] for name in ("stream", "have", "want")]
            yield [
                _taken(topic, found)
                for topic in topics
                for found in await journals[topic].fetch(EVENTS, *columns)
            ]
            part, size = [], 0


def _taken(topic: str, row: Any) -> Taken:
    """Its place is that in the journal; -1 is no partition of a topic."""
    envelope = envelope_of(row)
    record = Record(topic, -1, row["seq"], envelope.key.encode(), None, ())
    return record, envelope, row["data"]
