"""Staff for whom a case is not there (L23), as each service folds it into a table of its own view."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from shared.auth import Principal
from shared.contracts import Recorded
from shared.contracts.intake import StaffBlocked, StaffUnblocked
from shared.db import Connection, Pool, by_column

TYPES = (StaffBlocked.TYPE, StaffUnblocked.TYPE)
FOLD = """
insert into blocked (agency, case_id, staff, blocked)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bool[])
on conflict (agency, staff, case_id) do update set blocked = excluded.blocked"""
NOT_BLOCKED = """
not exists (select from blocked b
             where b.agency = {agency} and b.staff = {staff} and b.case_id = {case} and b.blocked)"""
"""A condition: the case is there for that member of staff."""
FROM = """
select case_id from blocked
 where agency = $1 and staff = $2 and case_id = any($3::uuid[]) and blocked"""


async def fold(db: Connection, events: Iterable[Recorded]) -> None:
    """Events of one agency and case come in their order; the last that speaks of a person counts."""
    found: dict[tuple[str, UUID, str], bool] = {}
    for recorded in events:
        match recorded.event:
            case StaffBlocked() | StaffUnblocked() as e:
                found[e.agency, e.case, e.staff] = isinstance(e, StaffBlocked)
    if found:
        await db.execute(FOLD, *by_column([(*place, on) for place, on in found.items()], 4))


async def blocked(db: Connection | Pool, who: Principal, cases: Sequence[UUID]) -> set[UUID]:
    """Of these cases, those that are not there for him."""
    if not cases:
        return set()
    rows = await db.fetch(FROM, who.agency, who.subject, list(cases))
    return {row["case_id"] for row in rows}
