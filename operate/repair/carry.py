"""From journals to a number, without an event for what is only kept: it goes over as it stands.

What a view has applied was opened and checked then, so that nothing is checked again (decision 0040).
Whatever is not plain (a version that is not there, a type that this code does not know, something
that the view refuses) goes the long way, one event after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

from operate.repair import refold
from shared.contracts import EVENTS, Envelope, Recorded
from shared.db import Connection, Pool
from shared.follow import Applier, Read, inbox

COLUMNS = (*Envelope._fields, "data")
OF = """
  from unnest($1::text[], $2::int[], $3::int[]) n (stream, have, want)
  join journal j on j.stream = n.stream and j.version > n.have and j.version <= n.want"""
KNOWN = f"""
select count(*) as events,
       array_agg(distinct j.data ->> 'case') filter (where j.type = any($5::text[])) as cases {OF}
 where j.type = any($4::text[])"""
KEPT = f"select {', '.join(f'j.{name}' for name in COLUMNS)} {OF} where j.type = any($4::text[])"


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
    known, kept, projected = list(EVENTS), list(view.kept), list(view.projected)
    carried, cases, reads, events = [], set[UUID](), list[Read](), 0
    for topic, columns in refold.by_journal(part, view.topics):
        async with journals[topic].acquire() as db:
            found = await db.fetchrow(KNOWN, *columns, known, kept)
            assert found is not None
            events += found["events"]
            cases |= {UUID(case) for case in found["cases"] or () if case}
            if kept and found["events"]:
                blocks: list[bytes] = []
                await db.copy_from_query(
                    KEPT, *columns, kept, output=_into(blocks), format="binary"
                )
                carried.append(b"".join(blocks))
        taken = await refold.taken(topic, journals[topic], columns, projected)
        reads += await builder.opened(taken, again=True)
    plain = events == refold.events_in(part) and all(isinstance(r.event, Recorded) for r in reads)
    return Load(part, carried, cases, reads) if plain else None


def _into(blocks: list[bytes]) -> Any:
    async def take(block: bytes) -> None:
        blocks.append(block)

    return take


async def fold(db: Connection, builder: Applier, load: Load) -> int:
    """In the caller's transaction, on the number's tables; how many events were applied. Raises what
    the view does, and Overtaken.
    """
    view = builder.view
    for rows in load.kept:
        await db.copy_to_table("kept", source=BytesIO(rows), columns=COLUMNS, format="binary")
    events = [read.event for read in load.reads if isinstance(read.event, Recorded)]
    if events:
        await view.project(db, events)
    if load.cases:
        await view.touch(db, load.cases)
    have = {row["stream"]: row["have"] for row in load.part}
    await inbox.move(db, builder.name, {row["stream"]: row["want"] for row in load.part}, have)
    return refold.events_in(load.part)
