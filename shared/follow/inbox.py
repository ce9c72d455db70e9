"""The newest version that a view has applied of each stream; what is next, and what is not."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import asyncpg

from shared.db import DISK, UNWAITED, Connection, Pool
from shared.sealing import Poison
from shared.views import Asked

from .place import Places
from .record import GAP, Read

TAKE = "select * from take($1, $2, $3, $4, $5, $6, $7, $8, $9)"
FOLD = f"select t.* from take($1, $2, $3, $4, $5, $6, $7, $8, $9) t, {DISK} where {UNWAITED}"
"""Who only folds does not wait for the disk: his place is lost with what he folded, and is read again."""
TAKE_AND_ASK = """
select t.*, a.* from take($1, $2, $3, $4, $5, $6, $7, $8, $9) t left join lateral {} a on t.advanced"""
KNOWN = """
select stream, version from inbox where view = $1 and stream = any($2::text[])
 order by stream for update"""
ADVANCE = """
insert into inbox as i (view, stream, version)
select $1, n.stream, n.version
  from unnest(string_to_array($2, chr(10)), string_to_array($3, chr(10))::int[]) n (stream, version)
 order by n.stream
on conflict (view, stream) do update set version = excluded.version
 where i.version = coalesce(($4::jsonb ->> i.stream)::int, 0)"""
APPLIED = "select version from inbox where view = $1 and stream = $2"

Spans = dict[str, tuple[int, int]]


class Overtaken(Exception):
    """Another process advanced the same stream in between: look again."""


def spans(reads: Iterable[Read]) -> Spans | None:
    """Version before and at the end of each stream; None if it cannot be applied as a whole."""
    found: Spans = {}
    for read in reads:
        _, stream, version, event, _ = read
        if stream is None or isinstance(event, Poison):
            return None
        before, end = found.get(stream, (version - 1, version - 1))
        if version != end + 1:
            return None
        found[stream] = before, version
    return found


async def take(
    db: Connection,
    service: str,
    place: Places,
    streams: Sequence[str],
    whole: Spans | None,
    kept: str,
    asked: Asked | None,
    folds: bool,
) -> list[asyncpg.Record]:
    """How a batch begins, in one trip: its places move, its streams are locked, and if it is the next of all
    of them, as `whole` says, the inbox advances, what is `kept` is kept, and `asked` is answered: in the
    columns of what it asks, with those of `take` before them in each row. Raises Overtaken.
    """
    befores = versions = None
    if whole:
        befores = {stream: before for stream, (before, _) in whole.items() if before}
        versions = "\n".join([str(whole[stream][1]) for stream in streams])
    statement = FOLD if folds else TAKE_AND_ASK.format(asked.of) if asked else TAKE
    values = asked.values if asked else ()
    try:
        return list(
            await db.fetch(
                statement, service, *place, "\n".join(streams), befores, versions, kept, *values
            )
        )
    except asyncpg.SerializationError as race:
        raise Overtaken from race


async def known(db: Connection, view: str, reads: Sequence[Read]) -> dict[str, int]:
    """The version of each stream of these that has any, locked."""
    streams = sorted({read.stream for read in reads if read.stream})
    return {row["stream"]: row["version"] for row in await db.fetch(KNOWN, view, streams)}


async def advance(
    db: Connection, view: str, reads: Sequence[Read], known: Mapping[str, int]
) -> None:
    """From what is `known` to what these make of it. Raises Overtaken."""
    newest = {read.stream: read.version for read in reads if read.stream}
    await move(db, view, newest, {stream: known.get(stream, 0) for stream in newest})


async def move(
    db: Connection, view: str, versions: Mapping[str, int], seen: Mapping[str, int]
) -> None:
    """Each stream to its version from where it was `seen`. Raises Overtaken."""
    streams, ends = "\n".join(versions), "\n".join(map(str, versions.values()))
    befores = {stream: version for stream, version in seen.items() if version}
    done = await db.execute(ADVANCE, view, streams, ends, befores)
    if int(done.rpartition(" ")[2]) != len(versions):
        raise Overtaken


def told_apart(
    reads: Iterable[Read], known: Mapping[str, int], again: Callable[[], None]
) -> tuple[list[Read], list[tuple[Read, str]]]:
    """What is next, and what has to wait, with its cause. Calls `again` for each that was applied."""
    ready: list[Read] = []
    parked: list[tuple[Read, str]] = []
    seen = dict(known)
    for read in reads:
        have = seen.get(read.stream, 0) if read.stream else 0
        if read.stream and read.version <= have:
            again()
        elif isinstance(read.event, Poison):
            parked.append((read, str(read.event)))
        elif read.stream and read.version > have + 1:
            parked.append((read, f"{GAP}: version {have + 1} is missing"))
        elif read.stream:
            seen[read.stream] = read.version
            ready.append(read)
    return ready, parked


async def applied(pool: Pool, view: str, stream: str) -> int:
    return await pool.fetchval(APPLIED, view, stream) or 0
