"""Worklists of intake's view: what comes next, what waits to be read or taken; no content in them."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared.blocks import NOT_BLOCKED
from shared.contracts import Recorded
from shared.contracts.intake import (
    BasisEnded,
    BasisExpired,
    BasisReviewed,
    ContactCorrected,
    ContactRecorded,
    MessageRead,
    MessageSent,
    NextActionDone,
    NoticeClosed,
    NoticeReceived,
    NoticeTaken,
    RecordCirculated,
    RecordRead,
    UrgentAsserted,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime
from shared.staff import HIS, today

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
MESSAGES = """
insert into message (id, case_id, sender, agency, sent_at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])"""
MESSAGES_READ = "update message set read = true where id = any($1::uuid[])"
NOTICES = """
insert into notice (id, agency, received_at)
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])"""
DEALT_WITH = """
update notice n set done = true, case_id = d.case_id
  from unnest($1::uuid[], $2::uuid[]) as d(id, case_id) where n.id = d.id"""
WAITING = """
select id from notice where agency = $1 and not done order by received_at, id limit 500"""
TAKEN_INTO = "select id from notice where case_id = $1 and agency = $2 order by received_at, id"
HERE: dict[str, str] = {"agency": "$1", "staff": "$2", "case": "w.case_id", "today": "$3::date"}
OPEN = f"""
select record, case_id, due from next_action w
 where agency = $1 and asked and not done and {NOT_BLOCKED.format(**HERE)}
   and ($3::date is null or {HIS.format(**HERE)})
 order by due nulls last, record limit 500"""
OPEN_OF = """
select record, case_id, due from next_action
 where agency = $1 and case_id = any($2::uuid[]) and asked and not done
 order by due nulls last, record"""
UNREAD = f"""
select record, case_id, since from circulation w
 where agency = $1 and reader = $2 and not read and {NOT_BLOCKED.format(**HERE)}
 order by since, record limit 500"""
REVIEWS = """
insert into review (basis, case_id, review_by)
select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])"""
REVIEWED = "update review set done = true where basis = any($1::uuid[])"
UNREVIEWED = f"""
select basis, case_id, review_by from review w
 where not done and case_id in (select id from cases where lead = $1) and {NOT_BLOCKED.format(**HERE)}
 order by review_by, basis limit 500"""

UNREAD_MESSAGES = f"""
select id, case_id, sender, sent_at from message w
 where agency = $1 and not read and {NOT_BLOCKED.format(**HERE)}
 order by sent_at, id limit 500"""


async def project(db: Connection, events: Iterable[Recorded]) -> None:
    """Events of one record come in their order; the last one of a batch that speaks of it counts."""
    actions: dict[UUID, tuple[UUID, UUID, str, date | None, bool]] = {}
    done: list[UUID] = []
    circulated: list[tuple[UUID, str, UUID, str, datetime]] = []
    read: list[tuple[UUID, str]] = []
    sent: list[tuple[UUID, UUID, str, str, datetime]] = []
    messages_read: list[UUID] = []
    received: list[tuple[UUID, str, datetime]] = []
    dealt_with: list[tuple[UUID, UUID | None]] = []
    asserted: list[tuple[UUID, UUID, datetime]] = []
    reviewed: list[UUID] = []
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
            case MessageSent(message=id, case=case, to=to_agency):
                sent.append((id, case, agency, to_agency, at))
            case MessageRead(message=id):
                messages_read.append(id)
            case NoticeReceived(notice=id, to=to_agency):
                received.append((id, to_agency, at))
            case NoticeTaken(notice=id, into=case):
                dealt_with.append((id, case))
            case NoticeClosed(notice=id):
                dealt_with.append((id, None))
            case UrgentAsserted(basis=id, case=case, review_by=review_by):
                asserted.append((id, case, review_by))
            case BasisReviewed(basis=id) | BasisEnded(basis=id) | BasisExpired(basis=id):
                reviewed.append(id)
    if sent:
        await db.execute(MESSAGES, *by_column(sent, 5))
    if messages_read:
        await db.execute(MESSAGES_READ, messages_read)
    if asserted:
        await db.execute(REVIEWS, *by_column(asserted, 3))
    if reviewed:
        await db.execute(REVIEWED, reviewed)
    if received:
        await db.execute(NOTICES, *by_column(received, 3))
    if dealt_with:
        await db.execute(DEALT_WITH, *by_column(dealt_with, 2))
    if actions:
        await db.execute(ACTIONS, *by_column(list(actions.values()), 5))
    if done:
        await db.execute(DONE, done)
    if circulated:
        await db.execute(CIRCULATED, *by_column(circulated, 5))
    if read:
        await db.execute(READ, *by_column(read, 2))


async def next_actions(rt: Runtime, agency: str, staff: str, mine: bool) -> list[dict[str, Any]]:
    rows = await rt.reads.fetch(OPEN, agency, staff, today(rt) if mine else None)
    return [dict(row) for row in rows]


async def actions_of(rt: Runtime, agency: str, cases: list[UUID]) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(OPEN_OF, agency, cases)]


async def circulations(rt: Runtime, agency: str, reader: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(UNREAD, agency, reader)]


async def messages(rt: Runtime, agency: str, staff: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(UNREAD_MESSAGES, agency, staff)]


async def notices(rt: Runtime, agency: str) -> list[UUID]:
    return [row["id"] for row in await rt.reads.fetch(WAITING, agency)]


async def notices_of(rt: Runtime, case: UUID, agency: str) -> list[UUID]:
    return [row["id"] for row in await rt.reads.fetch(TAKEN_INTO, case, agency)]


async def reviews(rt: Runtime, agency: str, staff: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await rt.reads.fetch(UNREVIEWED, agency, staff)]
