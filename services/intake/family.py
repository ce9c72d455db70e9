"""Merges in intake's view: the cases that go on in one."""

from collections.abc import Iterable
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import CasesMerged, MergeUndone
from shared.db import Connection, by_column
from shared.runtime import Runtime

MERGED = """
insert into merges (id, merged, into_case) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])"""
UNDONE = "update merges set undone = true where id = any($1::uuid[])"
FAMILY = """
with recursive above (id) as (
         select $1::uuid union
         select m.into_case from merges m join above a on m.merged = a.id where not m.undone),
     root (id) as (
         select coalesce((select min(id::text)::uuid from above a where not exists (
                select from merges m where m.merged = a.id and not m.undone)), $1)),
     below (id) as (
         select id from root union
         select m.merged from merges m join below b on m.into_case = b.id where not m.undone)
select b.id from below b, root r order by b.id <> r.id, b.id"""


async def project(db: Connection, events: Iterable[Recorded]) -> None:
    merged: list[tuple[UUID, UUID, UUID]] = []
    undone: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case CasesMerged() as e:
                merged.append((e.merge, e.merged, e.into))
            case MergeUndone(merge=id):
                undone.append(id)
    if merged:
        await db.execute(MERGED, *by_column(merged, 3))
    if undone:
        await db.execute(UNDONE, undone)


async def family(rt: Runtime, case: UUID) -> list[UUID]:
    """The case in which this one goes on in the end, itself if in none; then all that go on there."""
    return [row["id"] for row in await rt.reads.fetch(FAMILY, case)]
