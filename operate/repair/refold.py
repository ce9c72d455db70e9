"""Refolding: what one number of a view has applied, taken from the journals for another number.

The promoted number's inbox says exactly which events are in it. So a number that is filled up to
the same inbox is the same fold, whatever has become of the topics; and it is never ahead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from shared.contracts import EVENTS, Envelope
from shared.db import Connection, Pool
from shared.follow import Record, Taken
from shared.sealing import envelope_of
from shared.views import name_of

CHUNK = 4_000
LACKING = """
select l.stream, coalesce(n.version, 0) as have, l.version as want
  from inbox l left join inbox n on n.view = $2 and n.stream = l.stream
 where l.view = $1 and l.version > coalesce(n.version, 0) order by l.stream"""
OF_STREAMS = f"""
select {", ".join(f"j.{name}" for name in Envelope._fields)}, j.data, j.seq
  from unnest($1::text[], $2::int[], $3::int[]) n (stream, have, want)
  join journal j on j.stream = n.stream and j.version > n.have and j.version <= n.want
 where $4::text[] is null or j.type = any($4)
 order by j.stream, j.version"""
KINDS = {event.STREAM: event.TOPIC for event in EVENTS.values()}
"""Kind of stream → the journal that it is in."""


async def lacking(db: Connection | Pool, view: str, live: int, number: int) -> list[Any]:
    """By stream, what `live` has and `number` has not: rows of stream, have, want."""
    return list(await db.fetch(LACKING, name_of(view, live), name_of(view, number)))


def events_in(lack: Sequence[Any]) -> int:
    return sum(row["want"] - row["have"] for row in lack)


def parts(lack: Sequence[Any]) -> Iterator[list[Any]]:
    """Some of it at a time, about CHUNK events."""
    part: list[Any] = []
    size = 0
    for n, row in enumerate(lack, 1):
        part.append(row)
        size += events_in([row])
        if size >= CHUNK or n == len(lack):
            yield part
            part, size = [], 0


def by_journal(part: Sequence[Any], topics: Sequence[str]) -> Iterator[tuple[str, list[list[Any]]]]:
    """Which of these streams each journal is asked for, as columns: stream, have, want. One of a kind
    that no journal of these has for its own is asked of all.
    """
    for topic in topics:
        rows = [row for row in part if _journal_of(row["stream"], topics) in (topic, None)]
        if rows:
            yield topic, [[row[name] for row in rows] for name in ("stream", "have", "want")]


def _journal_of(stream: str, topics: Sequence[str]) -> str | None:
    topic = KINDS.get(stream.partition("/")[0])
    return topic if topic in topics else None


async def chunks(
    lack: Sequence[Any], journals: Mapping[str, Pool], topics: Sequence[str]
) -> AsyncIterator[list[Taken]]:
    """Those events, about CHUNK at a time, each stream in its order."""
    for part in parts(lack):
        yield await of_part(part, journals, topics)


async def of_part(
    part: Sequence[Any], journals: Mapping[str, Pool], topics: Sequence[str]
) -> list[Taken]:
    return [
        one
        for topic, columns in by_journal(part, topics)
        for one in await taken(topic, journals[topic], columns)
    ]


async def taken(
    topic: str, journal: Pool, columns: Sequence[Any], types: Sequence[str] | None = None
) -> list[Taken]:
    """Of some types only if named."""
    return [_taken(topic, row) for row in await journal.fetch(OF_STREAMS, *columns, types)]


def _taken(topic: str, row: Any) -> Taken:
    """Its place is that in the journal; -1 is no partition of a topic."""
    envelope = envelope_of(row)
    record = Record(topic, -1, row["seq"], envelope.key.encode(), None, ())
    return record, envelope, row["data"]
