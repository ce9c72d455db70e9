"""Transfers, deputies and who works what, in intake's view; who works a case is of `shared.staff` (L23)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared import blocks, staff
from shared.contracts import Recorded
from shared.contracts.intake import (
    TransferDeclined,
    TransferEffected,
    TransferProposed,
    TransferWithdrawn,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime
from shared.staff import today

TRANSFERS = """
insert into transfer (id, agency, effective_at)
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])"""
OVER = "update transfer set over = true where id = any($1::uuid[])"

DEPUTYSHIPS = """
select id, staff, deputy, begins, until from deputyship
 where agency = $1 and not ended and until >= $2 order by begins, id limit 500"""

WORKED_BY = """
select c.id from assignee a join cases c on c.id = a.case_id
 where a.agency = $1 and a.staff = $2 and a.assigned and c.status = 'open'"""
BLOCKED_AMONG = """
select (t.n - 1)::int as n
  from unnest($2::uuid[], $3::text[]) with ordinality as t(case_id, staff, n)
  join blocked b on b.agency = $1 and b.case_id = t.case_id and b.staff = t.staff and b.blocked
 order by n"""
WAITING = """
select id from transfer where agency = $1 and not over order by effective_at, id limit 100"""


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    proposed: list[tuple[UUID, str, datetime]] = []
    over: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case TransferProposed() as e:
                proposed.append((e.transfer, e.agency, e.effective_at))
            case TransferDeclined() | TransferWithdrawn() | TransferEffected() as e:
                over.append(e.transfer)
    await blocks.fold(db, events)
    await staff.fold(db, events)
    if proposed:
        await db.execute(TRANSFERS, *by_column(proposed, 3))
    if over:
        await db.execute(OVER, over)


async def deputyships(rt: Runtime, agency: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(DEPUTYSHIPS, agency, today(rt))]


async def worked_by(rt: Runtime, agency: str, worker: str) -> set[UUID]:
    """Open cases that he works himself."""
    return {row["id"] for row in await rt.reads.fetch(WORKED_BY, agency, worker)}


async def blocked_among(rt: Runtime, agency: str, pairs: list[tuple[UUID, str]]) -> list[int]:
    """Places in `pairs` of a case and a member of staff who is blocked from it."""
    rows = await rt.reads.fetch(BLOCKED_AMONG, agency, *by_column(pairs, 2))
    return [row["n"] for row in rows]


async def transfers(rt: Runtime, agency: str) -> list[UUID]:
    """That are not over, the next one first."""
    return [row["id"] for row in await rt.reads.fetch(WAITING, agency)]
