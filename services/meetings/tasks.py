"""Tasks of sittings in meetings' view: by when, whose, and who answers for each today."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from shared.auth import Principal
from shared.blocks import NOT_BLOCKED
from shared.contracts import Recorded
from shared.contracts.intake import CaseDisposed
from shared.contracts.meetings import (
    TaskAgreed,
    TaskCorrected,
    TaskDone,
    TaskDropped,
    TaskDueChanged,
    TaskOverdue,
    TaskReopened,
    TaskTakenOn,
)
from shared.db import Connection
from shared.runtime import Runtime
from shared.staff import STANDS_IN, today

AGREED = """
insert into task (id, meeting, case_id, host, owner, staff, due, matter)
values ($1, $2, $3, $4, $5, $6, $7, $8)"""
CORRECTED = """
update task set owner = $2, staff = $3, overdue = overdue and due = $4, due = $4 where id = $1"""
TAKEN = "update task set staff = $2 where id = $1"
DUE = "update task set due = $2, overdue = false where id = $1"
REOPENED = "update task set status = 'open', due = $2, overdue = false where id = $1"
OVERDUE = "update task set overdue = true where id = $1"
DISPOSED = "insert into disposed (case_id) values ($1) on conflict do nothing"
OVER = "update task set status = $2 where id = $1"

WORKED = "select a.staff from assignee a where a.agency = t.owner and a.case_id = t.case_id and a.assigned"
ANSWERING = f"""
task t cross join lateral (
    with his as (
         {WORKED}
          union all
         select t.staff where t.staff is not null and not exists ({WORKED})
            and {NOT_BLOCKED.format(agency="t.owner", staff="t.staff", case="t.case_id")})
    select coalesce(array_agg(distinct p.staff order by p.staff), '{{}}') as persons
      from (select staff from his
             union all
            select d.deputy from his join deputyship d
              on {STANDS_IN.format(agency="t.owner", staff="his.staff", today="$1::date")}) p
     where {NOT_BLOCKED.format(agency="t.owner", staff="p.staff", case="t.case_id")}) who"""
"""Tasks with who answers for each at its agency on that day: who works the case, else who took it on, and
who stands in for them. Nobody: the desk.
"""
THERE = f"""
not exists (select from disposed where case_id = t.case_id)
   and {NOT_BLOCKED.format(agency="$2", staff="$3", case="t.case_id")}"""
"""A condition: the case is there for that member of staff."""
TASKS = f"""
select t.*, who.persons from {ANSWERING}
 where t.owner = $2 and t.status = 'open' and {THERE}
   and (not $4 or $3 = any(who.persons)) and (not $5 or t.overdue)
   and (t.due, t.id) > ($6, $7)
 order by t.due, t.id limit $8"""
OF_MEETING = f"""
select t.*, who.persons from {ANSWERING}
 where t.meeting = $4 and $2 in (t.host, t.owner) and {THERE}
 order by t.due, t.id"""
ONE = f"select t.*, who.persons from {ANSWERING} where t.id = $2"


async def project(db: Connection, events: Iterable[Recorded]) -> None:
    """Events of one task come in their order."""
    for recorded in events:
        match recorded.event:
            case TaskAgreed() as e:
                of = e.task, e.meeting, e.case, recorded.envelope.agency
                await db.execute(AGREED, *of, e.owner, e.staff, e.due, e.matter)
            case TaskCorrected() as e:
                await db.execute(CORRECTED, e.task, e.owner, e.staff, e.due)
            case TaskTakenOn(task=id, staff=staff):
                await db.execute(TAKEN, id, staff)
            case TaskDueChanged(task=id, due=day):
                await db.execute(DUE, id, day)
            case TaskReopened(task=id, due=day):
                await db.execute(REOPENED, id, day)
            case TaskOverdue(task=id):
                await db.execute(OVERDUE, id)
            case TaskDone(task=id):
                await db.execute(OVER, id, "done")
            case TaskDropped(task=id):
                await db.execute(OVER, id, "dropped")
            case CaseDisposed(case=case):
                await db.execute(DISPOSED, case)


async def open_tasks(
    rt: Runtime,
    who: Principal,
    mine: bool,
    overdue: bool,
    after: tuple[date, UUID],
    limit: int,
) -> list[dict[str, Any]]:
    """Of his agency, in cases that are there for him; `mine`: that he answers for today."""
    given = who.agency, who.subject, mine, overdue, *after, limit
    return [dict(row) for row in await rt.reads.fetch(TASKS, today(rt), *given)]


async def tasks_of(rt: Runtime, who: Principal, meeting: UUID) -> list[dict[str, Any]]:
    """Of a meeting, those that his agency agreed as its host or is to do."""
    rows = await rt.reads.fetch(OF_MEETING, today(rt), who.agency, who.subject, meeting)
    return [dict(row) for row in rows]


async def answering(rt: Runtime, task: UUID) -> list[str]:
    """Who answers for it today; nobody also where the view does not know it yet."""
    row = await rt.reads.fetchrow(ONE, today(rt), task)
    return list(row["persons"]) if row else []
