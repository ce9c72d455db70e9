"""Whose case it is, in intake's view: assigned staff, deputies by period, and who is blocked (L23)."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from shared.calendar import TOKYO
from shared.contracts import Recorded
from shared.contracts.intake import (
    DeputyEnded,
    DeputyNamed,
    StaffAssigned,
    StaffBlocked,
    StaffRelieved,
    StaffUnblocked,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

ASSIGNED = """
insert into assignee (agency, case_id, staff, assigned)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bool[])
on conflict (agency, staff, case_id) do update set assigned = excluded.assigned"""
BLOCKED = """
insert into blocked (agency, case_id, staff, blocked)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bool[])
on conflict (agency, staff, case_id) do update set blocked = excluded.blocked"""
DEPUTIES = """
insert into deputyship (id, agency, staff, deputy, begins, until)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::date[], $6::date[])"""
ENDED = "update deputyship set ended = true where id = any($1::uuid[])"

NOT_BLOCKED = """
not exists (select from blocked b
             where b.agency = {agency} and b.staff = {staff} and b.case_id = {case} and b.blocked)"""
"""A condition: the case is there for that member of staff."""
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


async def project(db: Connection, events: Iterable[Recorded]) -> None:
    """Events of one stream come in their order; the last of a batch that speaks of a person counts."""
    assigned: dict[tuple[str, UUID, str], bool] = {}
    blocked: dict[tuple[str, UUID, str], bool] = {}
    named: list[tuple[UUID, str, str, str, date, date]] = []
    ended: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case StaffAssigned() | StaffRelieved() as e:
                assigned[e.agency, e.case, e.staff] = isinstance(e, StaffAssigned)
            case StaffBlocked() | StaffUnblocked() as e:
                blocked[e.agency, e.case, e.staff] = isinstance(e, StaffBlocked)
            case DeputyNamed() as e:
                named.append((e.deputyship, e.agency, e.staff, e.deputy, e.begins, e.until))
            case DeputyEnded(deputyship=id):
                ended.append(id)
    for statement, found in ((ASSIGNED, assigned), (BLOCKED, blocked)):
        if found:
            rows = [(*place, value) for place, value in found.items()]
            await db.execute(statement, *by_column(rows, 4))
    if named:
        await db.execute(DEPUTIES, *by_column(named, 6))
    if ended:
        await db.execute(ENDED, ended)


def today(rt: Runtime) -> date:
    return rt.clock.now().astimezone(TOKYO).date()


async def deputyships(rt: Runtime, agency: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(DEPUTYSHIPS, agency, today(rt))]
