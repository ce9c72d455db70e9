"""Worklists of intake's view: what comes next, and what waits to be read. No content stands in them."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import (
    ContactCorrected,
    ContactRecorded,
    NextActionDone,
    RecordCirculated,
    RecordRead,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

ACTIONS = """
insert into next_action (record, case_id, agency, due, asked)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::bool[])
on conflict (record) do update set due = excluded.due, asked = excluded.asked"""
DONE = "update next_action set done = true where record = any($1::uuid[])"
CIRCULATED = """
insert into circulation (record, reader, case_id, agency, since)
select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[])
on conflict do nothing"""
READ = """
update circulation c set read = true from unnest($1::uuid[], $2::text[]) as r(record, reader)
 where c.record = r.record and c.reader = r.reader"""
OPEN = """
select record, case_id, due from next_action
 where agency = $1 and asked and not done order by due nulls last, record limit 500"""
UNREAD = """
select record, case_id, since from circulation
 where agency = $1 and reader = $2 and not read order by since, record limit 500"""


async def project(db: Connection, events: Iterable[Recorded]) -> None:
    """Events of one record come in their order; the last one of a batch that speaks of it counts."""
    actions: dict[UUID, tuple[UUID, UUID, str, date | None, bool]] = {}
    done: list[UUID] = []
    circulated: list[tuple[UUID, str, UUID, str, datetime]] = []
    read: list[tuple[UUID, str]] = []
    for recorded in events:
        agency, at = recorded.envelope.agency, recorded.envelope.occurred_at
        match recorded.event:
            case ContactRecorded() | ContactCorrected() as line:
                asked = line.next_action is not None
                if asked or isinstance(line, ContactCorrected):
                    row = (line.record, line.case, agency, line.next_on, asked)
                    actions[line.record] = row
            case NextActionDone(record=id):
                done.append(id)
            case RecordCirculated(record=id, case=case, to=to):
                circulated += [(id, reader, case, agency, at) for reader in to]
            case RecordRead(record=id, reader=reader):
                read.append((id, reader))
    if actions:
        await db.execute(ACTIONS, *by_column(list(actions.values()), 5))
    if done:
        await db.execute(DONE, done)
    if circulated:
        await db.execute(CIRCULATED, *by_column(circulated, 5))
    if read:
        await db.execute(READ, *by_column(read, 2))


async def next_actions(rt: Runtime, agency: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(OPEN, agency)]


async def circulations(rt: Runtime, agency: str, reader: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(UNREAD, agency, reader)]
