"""Watches in intake's view: whose they are, how they stand, in which month the last call was answered."""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from shared.calendar import TOKYO
from shared.contracts import Recorded
from shared.contracts.intake import (
    WatchCalled,
    WatchRegistered,
    WatchRemoved,
    WatchResumed,
    WatchSuspended,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

REGISTERED = """
insert into watch (id, agency, kind) select * from unnest($1::uuid[], $2::text[], $3::text[])"""
STATUS = """
update watch w set status = s.status from unnest($1::uuid[], $2::text[]) as s(id, status)
 where w.id = s.id"""
CALLED = """
update watch w set called_in = greatest(w.called_in, c.month)
  from unnest($1::uuid[], $2::date[]) as c(id, month) where w.id = c.id"""
WATCHES = """
select id from watch
 where agency = $1 and id > $2 and ($3::text is null or kind = $3)
   and ($4::text is null or status = $4)
 order by id limit $5"""
CALLS_DUE = """
select id from watch
 where agency = $1 and kind = 'alarm_unit' and status = 'in_use'
   and (called_in is null or called_in < $2)
 order by called_in nulls first, id limit 500"""
AFTER = {WatchSuspended: "suspended", WatchResumed: "in_use", WatchRemoved: "removed"}


async def project(db: Connection, events: Iterable[Recorded]) -> None:
    registered: list[tuple[UUID, str, str]] = []
    status: dict[UUID, str] = {}
    called: dict[UUID, date] = {}
    for recorded in events:
        match recorded.event:
            case WatchRegistered() as e:
                registered.append((e.watch, e.agency, e.kind))
            case WatchSuspended() | WatchResumed() | WatchRemoved() as e:
                status[e.watch] = AFTER[type(e)]
            case WatchCalled(watch=id):
                month = recorded.envelope.occurred_at.astimezone(TOKYO).date().replace(day=1)
                called[id] = max(month, called.get(id, month))
    if registered:
        await db.execute(REGISTERED, *by_column(registered, 3))
    if status:
        await db.execute(STATUS, list(status), list(status.values()))
    if called:
        await db.execute(CALLED, list(called), list(called.values()))


async def watches(
    rt: Runtime, agency: str, after: UUID, kind: str | None, status: str | None, limit: int
) -> list[UUID]:
    rows = await rt.reads.fetch(WATCHES, agency, after, kind, status, limit)
    return [row["id"] for row in rows]


async def calls_due(rt: Runtime, agency: str) -> list[UUID]:
    """Units in use of which nobody was reached this month, longest ago first."""
    month = rt.clock.now().astimezone(TOKYO).date().replace(day=1)
    return [row["id"] for row in await rt.reads.fetch(CALLS_DUE, agency, month)]
