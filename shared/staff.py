"""Who of an agency works a case, and who stands in for him today, as each service folds it (L23)."""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from shared.calendar import TOKYO
from shared.contracts import Recorded
from shared.contracts.intake import DeputyEnded, DeputyNamed, StaffAssigned, StaffRelieved
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

STANDS_IN = """
d.agency = {agency} and d.staff = {staff} and not d.ended and {today} between d.begins and d.until"""
"""A condition on a deputyship `d`: its deputy stands in for that member of staff that day."""
HIS = f"""
exists (select from assignee a
         where a.agency = {{agency}} and a.case_id = {{case}} and a.assigned
           and (a.staff = {{staff}}
                or exists (select from deputyship d
                            where d.deputy = {{staff}}
                              and {STANDS_IN.replace("{staff}", "a.staff")})))"""
"""A condition: he works the case, or stands in today for one who does."""


async def fold(db: Connection, events: Iterable[Recorded]) -> None:
    """Events of one stream come in their order; the last of a batch that speaks of a person counts."""
    assigned: dict[tuple[str, UUID, str], bool] = {}
    named: list[tuple[UUID, str, str, str, date, date]] = []
    ended: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case StaffAssigned() | StaffRelieved() as e:
                assigned[e.agency, e.case, e.staff] = isinstance(e, StaffAssigned)
            case DeputyNamed() as e:
                named.append((e.deputyship, e.agency, e.staff, e.deputy, e.begins, e.until))
            case DeputyEnded(deputyship=id):
                ended.append(id)
    if assigned:
        rows = [(*place, value) for place, value in assigned.items()]
        await db.execute(ASSIGNED, *by_column(rows, 4))
    if named:
        await db.execute(DEPUTIES, *by_column(named, 6))
    if ended:
        await db.execute(ENDED, ended)


def today(rt: Runtime) -> date:
    return rt.clock.now().astimezone(TOKYO).date()
