"""Whose case it is, in intake's view: assigned staff, deputies, transfers, who is blocked (L23)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared import blocks
from shared.calendar import TOKYO
from shared.contracts import Recorded
from shared.contracts.intake import (
    DeputyEnded,
    DeputyNamed,
    StaffAssigned,
    StaffRelieved,
    TransferDeclined,
    TransferEffected,
    TransferProposed,
    TransferWithdrawn,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

ASSIGNED = """
insert into assignee (agency, case_id, staff, assigned)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bool[])
on conflict (agency, staff, case_id) do update set assigned = excluded.assigned"""
DEPUTIES = """
insert into deputyship (id, agency, staff, deputy, begins, until)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::date[], $6::date[])"""
ENDED = "update deputyship set ended = true where id = any($1::uuid[])"

TRANSFERS = """
insert into transfer (id, agency, effective_at)
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])"""
OVER = "update transfer set over = true where id = any($1::uuid[])"

HIS = """
exists (select from assignee a
         where a.agency = {agency} and a.case_id = {case} and a.assigned
           and (a.staff = {staff}
                or exists (select from deputyship d
                            where d.agency = {agency} and d.staff = a.staff and d.deputy = {staff}
                              and not d.ended and {today} between d.begins and d.until)))"""
"""A condition: he works the case, or stands in today for one who does."""
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
    """Events of one stream come in their order; the last of a batch that speaks of a person counts."""
    assigned: dict[tuple[str, UUID, str], bool] = {}
    named: list[tuple[UUID, str, str, str, date, date]] = []
    ended: list[UUID] = []
    proposed: list[tuple[UUID, str, datetime]] = []
    over: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case StaffAssigned() | StaffRelieved() as e:
                assigned[e.agency, e.case, e.staff] = isinstance(e, StaffAssigned)
            case DeputyNamed() as e:
                named.append((e.deputyship, e.agency, e.staff, e.deputy, e.begins, e.until))
            case DeputyEnded(deputyship=id):
                ended.append(id)
            case TransferProposed() as e:
                proposed.append((e.transfer, e.agency, e.effective_at))
            case TransferDeclined() | TransferWithdrawn() | TransferEffected() as e:
                over.append(e.transfer)
    await blocks.fold(db, events)
    if assigned:
        rows = [(*place, value) for place, value in assigned.items()]
        await db.execute(ASSIGNED, *by_column(rows, 4))
    if named:
        await db.execute(DEPUTIES, *by_column(named, 6))
    if ended:
        await db.execute(ENDED, ended)
    if proposed:
        await db.execute(TRANSFERS, *by_column(proposed, 3))
    if over:
        await db.execute(OVER, over)


def today(rt: Runtime) -> date:
    return rt.clock.now().astimezone(TOKYO).date()


async def deputyships(rt: Runtime, agency: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(DEPUTYSHIPS, agency, today(rt))]


async def worked_by(rt: Runtime, agency: str, staff: str) -> set[UUID]:
    """Open cases that he works himself."""
    return {row["id"] for row in await rt.reads.fetch(WORKED_BY, agency, staff)}


async def blocked_among(rt: Runtime, agency: str, pairs: list[tuple[UUID, str]]) -> list[int]:
    """Places in `pairs` of a case and a member of staff who is blocked from it."""
    rows = await rt.reads.fetch(BLOCKED_AMONG, agency, *by_column(pairs, 2))
    return [row["n"] for row in rows]


async def transfers(rt: Runtime, agency: str) -> list[UUID]:
    """That are not over, the next one first."""
    return [row["id"] for row in await rt.reads.fetch(WAITING, agency)]
