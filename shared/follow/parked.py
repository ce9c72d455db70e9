"""What cannot be applied yet: kept as it came, in sight, and tried again; nothing behind it is skipped."""

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence, Set
from typing import Any

import structlog

from shared.db import Connection, Pool, by_column
from shared.kill import point

from .inbox import Overtaken
from .record import Read, Record

TOUCH = """
insert into inbox (view, stream, version) select $1, u, 0 from unnest($2::text[]) u order by u
on conflict do nothing returning stream"""
PARK = """
insert into parked (view, topic, partition, "offset", stream, version, key, value, headers, cause)
select $1, p.topic, p.partition, p.at, p.stream, p.version, p.key, p.value, p.headers::jsonb, p.cause
  from unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::int[], $7::bytea[], $8::bytea[],
              $9::text[], $10::text[])
       p (topic, partition, at, stream, version, key, value, headers, cause)
on conflict (view, topic, partition, "offset") do update
   set stream = excluded.stream, version = excluded.version, key = excluded.key,
       value = excluded.value, headers = excluded.headers, cause = excluded.cause,
       examined_at = null
 where (parked.stream, parked.version, parked.key, parked.value, parked.headers, parked.cause)
       is distinct from (excluded.stream, excluded.version, excluded.key, excluded.value,
                         excluded.headers, excluded.cause)
returning xmax = 0 as new, topic, partition, "offset" """
PARKED_STREAMS = "select distinct stream from parked where view = $1 order by stream"
PARKED_OF = "select distinct stream from parked where view = $1 and stream = any($2::text[])"
IS_PARKED = "select exists (select from parked where view = $1 and stream = $2)"
PARKED_ROWS = """
select topic, partition, "offset", key, value, headers from parked
 where view = $1 and (stream = any($2::text[]) or ($3 and stream is null)) for update"""
UNPARK = """
delete from parked p using unnest($2::text[], $3::int[], $4::bigint[]) d (topic, partition, at)
 where p.view = $1 and (p.topic, p.partition, p."offset") = (d.topic, d.partition, d.at)"""
HOW_MANY_PARKED = "select count(*) from parked where view = $1"

log = structlog.get_logger()


async def park(
    db: Connection, view: str, parked: Sequence[tuple[Read, str]], known: Set[str]
) -> list[Record]:
    """Those parked for the first time. A record of a topic made anew takes its old one's place.

    A stream that has no row yet gets one: who applies what is missing locks it, and sees it
    parked. Raises Overtaken.
    """
    if not parked:
        return []
    streams = {read.stream for read, _ in parked if read.stream} - known
    if len(await db.fetch(TOUCH, view, sorted(streams))) < len(streams):
        raise Overtaken
    rows = {read.record.place: (read, cause) for read, cause in parked}
    values = [(*read.record.place, *_parked(read), cause) for read, cause in rows.values()]
    done = await db.fetch(PARK, view, *by_column(values, 9))
    counted = Counter((read.record.topic, cause) for read, cause in rows.values())
    for (topic, cause), records in counted.items():
        log.error("event.parked", view=view, topic=topic, cause=cause, records=records)
    point("follow.parked")
    first = [(r["topic"], r["partition"], r["offset"]) for r in done if r["new"]]
    return [rows[place][0].record for place in first]


async def streams_of(pool: Pool, view: str) -> list[str]:
    """Those of which something is parked."""
    return [row["stream"] for row in await pool.fetch(PARKED_STREAMS, view)]


async def among(db: Connection, view: str, streams: Sequence[str]) -> list[str]:
    """Of these streams, those of which something is parked."""
    rows = await db.fetch(PARKED_OF, view, streams) if streams else []
    return [row["stream"] for row in rows]


async def records_of(
    db: Connection, view: str, streams: Sequence[str], unread: bool
) -> list[Record]:
    """All that is parked of these streams, locked; `unread`: also what told no stream."""
    rows = await db.fetch(PARKED_ROWS, view, streams, unread)
    return [_record(row) for row in rows]


async def unpark(db: Connection, view: str, records: Sequence[Record]) -> None:
    places = [record.place for record in records]
    await db.execute(UNPARK, view, *by_column(places, 3))


def _parked(read: Read) -> tuple[Any, ...]:
    """Stream, version, key, value and headers, as they are kept."""
    record = read.record
    headers = [
        [name.replace("\0", "�"), None if value is None else b64encode(value).decode()]
        for name, value in record.headers
    ]
    return (
        read.stream,
        read.version if read.stream else None,
        record.key,
        record.value,
        json.dumps(headers, ensure_ascii=False),
    )


def _record(row: Any) -> Record:
    headers = tuple(
        (name, None if value is None else b64decode(value)) for name, value in row["headers"]
    )
    return Record(row["topic"], row["partition"], row["offset"], row["key"], row["value"], headers)
