"""Merges as the journal has them: the cases that stand together, and all ids of one person."""

from collections.abc import Iterable
from uuid import UUID

from shared.contracts.intake import CasesMerged, MergeUndone
from shared.db import Connection, Pool

STANDING = f"""
standing as (
    select m.id, m.data from journal m
     where m.type = '{CasesMerged.TYPE}'
       and not exists (select from journal u where u.stream = m.stream and u.type = '{MergeUndone.TYPE}'))"""
CASES = f"""
with recursive {STANDING}, together (id) as (
    select $1::text union
    select case t.id when s.data ->> 'merged' then s.data ->> 'into' else s.data ->> 'merged' end
      from together t join standing s on t.id in (s.data ->> 'merged', s.data ->> 'into'))
select id from together order by id"""
GO_ON = f"with {STANDING} select exists (select from standing s where s.data ->> 'merged' = any($1::text[]))"
PEOPLE = f"""
with recursive {STANDING}, pairs as (
    select pair ->> 0 as one, pair ->> 1 as other
      from standing s cross join jsonb_array_elements(s.data -> 'same') pair
     where $2::uuid is null or s.id < $2),
together (id) as (
    select unnest($1::text[]) union
    select case t.id when p.one then p.other else p.one end
      from together t join pairs p on t.id in (p.one, p.other))
select id from together"""


async def cases(db: Connection | Pool, case: UUID) -> list[UUID]:
    """It, and all cases that merges which hold have joined with it, either way."""
    return [UUID(row["id"]) for row in await db.fetch(CASES, str(case))]


async def go_on(db: Connection | Pool, cases: Iterable[UUID]) -> bool:
    """Has any of them been merged into another, so that it goes on there?"""
    return bool(await db.fetchval(GO_ON, [str(case) for case in cases]))


async def same(
    db: Connection | Pool, people: Iterable[UUID], before: UUID | None = None
) -> frozenset[UUID]:
    """All ids of these people, by merges that still hold; `before`: that were said before this event."""
    rows = await db.fetch(PEOPLE, [str(person) for person in people], before)
    return frozenset(UUID(row["id"]) for row in rows)
