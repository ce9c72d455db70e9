"""Cover sheets on their way: what waits to be sent, and what went astray."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.auth import Principal
from shared.contracts.views import (
    CoverBounced,
    CoverIssued,
    CoverNotSent,
    CoverSent,
    CoverUsed,
)
from shared.db import Connection
from shared.runtime import Runtime

from ..account import LEAD, LEADS

CoverEvent = CoverIssued | CoverUsed | CoverSent | CoverNotSent | CoverBounced

ISSUED = """
with seen as (delete from cover_post where (agency, case_id) = ($2, $3) and state <> 'waiting')
insert into cover_post (cover, agency, case_id) values ($1, $2, $3) on conflict (cover) do nothing"""
"""A new sheet is what a person did about those that went astray."""
USED = "delete from cover_post where cover = $1 and state <> 'waiting'"
STATE = """
update cover_post set state = $2, leased_until = null where cover = $1"""
TAKE = """
update cover_post p set leased_until = now() + interval '3 minutes'
  from (select cover from cover_post w
         where state = 'waiting' and (leased_until is null or leased_until < now())
           and (retry_at is null or retry_at < now())
           and not exists (select from subscription s where s.agency = w.agency and s.quarantined)
         order by cover limit $1 for update skip locked) due
 where p.cover = due.cover
returning p.*"""
"""Replicas share by the lease, which outlives a sending."""
BEGIN = "update cover_post set begun = true where cover = $1 and leased_until = $2 returning true"
"""Nothing, if another has the lease by now."""
LATER = """
update cover_post set begun = false, failures = failures + 1, leased_until = null,
       retry_at = now() + make_interval(secs => $2)
 where cover = $1 and leased_until = $3"""
OF = "select agency, case_id from cover_post where cover = $1"
ASTRAY = f"""
select p.cover, p.agency, p.case_id
  from cover_post p cross join lateral (select p.case_id::text as key) j
 where p.state in ('given_up', 'bounced') and ({LEAD}) = $1 and p.case_id <> all($3::uuid[])
   and p.cover > $4
 order by p.cover limit $5"""


async def fold(db: Connection, event: CoverEvent) -> None:
    match event:
        case CoverIssued(cover=cover, agency=agency, case=case) if event.place:
            await db.execute(ISSUED, cover, agency, case)
        case CoverUsed(cover=cover):
            await db.execute(USED, cover)
        case CoverSent(cover=cover):
            await db.execute(STATE, cover, "sent")
        case CoverNotSent(cover=cover, final=True):
            await db.execute(STATE, cover, "given_up")
        case CoverBounced(cover=cover):
            await db.execute(STATE, cover, "bounced")
        case _:
            pass


async def place_of(rt: Runtime, cover: UUID) -> tuple[str, UUID] | None:
    """Agency and case of a sheet that a machine sent."""
    row = await rt.pool.fetchrow(OF, cover)
    return (row["agency"], row["case_id"]) if row else None


async def astray(
    rt: Runtime, who: Principal, hidden: Sequence[UUID], after: UUID, limit: int
) -> Sequence[Any]:
    """Of cases that his agency leads now."""
    rows: Sequence[Any] = await rt.reads.fetch(
        ASTRAY, who.agency, LEADS, list(hidden), after, limit
    )
    return rows
