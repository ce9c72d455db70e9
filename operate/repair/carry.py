"""From journals to a number, without an event for what is only kept: it goes over as it stands.

What a view has applied was opened and checked then, so that nothing is checked again (decision 0040).
Whatever is not plain (a version that is not there, a type that this code does not know, something
that the view refuses) goes the long way, one event after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from asyncpg.pgproto.pgproto import UUID  # made in C
from pydantic_core import from_json

from operate.repair import refold
from shared.broker import envelope_told
from shared.contracts import EVENTS, Envelope, Recorded
from shared.db import Connection, Pool, copy
from shared.follow import Applier, Read, Record, Taken, inbox
from shared.kept import FIELDS

TOLD = (
    f"concat_ws(chr(31), {', '.join(f'coalesce({name}::text, $$$$)' for name in Envelope._fields)})"
)
READ = f"""
with lacking as materialized (
         select {", ".join(f"j.{name}" for name in FIELDS)}, j.seq
           from unnest($1::text[], $2::int[], $3::int[]) n (stream, have, want)
           join journal j on j.stream = n.stream and j.version > n.have and j.version <= n.want)
select {", ".join(f"null as {name}" for name in Envelope._fields)}, jsonb_build_object(
       'types', (select jsonb_object_agg(type, n)
                   from (select type, count(*) as n from lacking group by type) t),
       'cases', (select jsonb_agg("case")
                   from (select distinct data ->> 'case' as "case" from lacking
                          where type = any($4::text[])) c),
       'projected', (select jsonb_agg(jsonb_build_array(seq, {TOLD}, data) order by stream, version)
                       from lacking where type = any($5::text[]))) as data
 union all
select {", ".join(FIELDS)} from lacking where type = any($4::text[])"""
"""One reading for all that is asked: what there is stands in the first row, what is kept comes behind it."""
HEADER = 19
"""Bytes before the first row of the binary form of COPY. A row: how many columns; of each, how many bytes."""
COUNT, SIZE = struct.Struct("!h"), struct.Struct("!i")


class Load(NamedTuple):
    """Of some streams: `kept` rows as the driver's binary form of COPY, one text a journal."""

    part: Sequence[Any]
    kept: list[bytes]
    cases: set[UUID]
    reads: list[Read]


async def load(builder: Applier, part: Sequence[Any], journals: Mapping[str, Pool]) -> Load | None:
    """What these streams lack; None if it is not plain."""
    view = builder.view
    if view.projected is None:
        return None
    kept, projected = list(view.kept), list(view.projected)
    carried, cases, taken, events = [], set[UUID](), list[Taken](), 0
    for topic, columns in refold.by_journal(part, view.topics):
        blocks: list[bytes] = []
        async with journals[topic].acquire() as db:
            await db.copy_from_query(
                READ, *columns, kept, projected, output=_into(blocks), format="binary"
            )
        there, rows = _parted(b"".join(blocks))
        events += sum(n for type_, n in (there["types"] or {}).items() if type_ in EVENTS)
        cases |= {UUID(case) for case in there["cases"] or () if case}
        taken += [_taken(topic, *one) for one in there["projected"] or ()]
        carried.append(rows)
    reads = await builder.opened(taken, again=True)
    plain = events == refold.events_in(part) and all(isinstance(r.event, Recorded) for r in reads)
    return Load(part, carried, cases, reads) if plain else None


def _into(blocks: list[bytes]) -> Any:
    async def take(block: bytes) -> None:
        blocks.append(block)

    return take


def _parted(rows: bytes) -> tuple[dict[str, Any], bytes]:
    """What the first row says, and the others as they came."""
    at, value = HEADER + COUNT.size, b""
    for _ in FIELDS:
        (size,) = SIZE.unpack_from(rows, at)
        at += SIZE.size
        value = rows[at : at + max(size, 0)]
        at += len(value)
    there: dict[str, Any] = from_json(value[1:])  # behind the version of jsonb's own form
    return there, rows[:HEADER] + rows[at:]


def _taken(topic: str, seq: int, told: str, wire: dict[str, Any]) -> Taken:
    """Its place is that in the journal; -1 is no partition of a topic."""
    envelope = envelope_told(told.encode())
    return Record(topic, -1, seq, envelope.key.encode(), None, ()), envelope, wire


async def fold(db: Connection, builder: Applier, load: Load) -> int:
    """In the caller's transaction, on the number's tables; how many events were applied. Raises what
    the view does, and Overtaken.
    """
    view = builder.view
    for rows in load.kept:
        await copy(db, "kept", rows, FIELDS, format="binary")
    events = [read.event for read in load.reads if isinstance(read.event, Recorded)]
    if events:
        await view.project(db, events)
    if load.cases:
        await view.touch(db, load.cases)
    have = {row["stream"]: row["have"] for row in load.part}
    await inbox.move(db, builder.name, {row["stream"]: row["want"] for row in load.part}, have)
    return refold.events_in(load.part)
