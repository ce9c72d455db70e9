"""Meetings' own view: standing in cases, and lists."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from shared import blocks, offices, staff
from shared.auth import Principal
from shared.basis import CONSENT_TYPES, Consent, World, consents, world
from shared.contracts import Recorded
from shared.contracts.intake import (
    CaseOpened,
    LeadAccepted,
    PersonJoined,
)
from shared.contracts.meetings import (
    AgendaItemAdded,
    AgendaItemRemoved,
    MatterEnded,
    MatterReviewed,
    MatterReviewOverdue,
    MatterSubmitted,
    MeetingCancelled,
    MeetingConvened,
    MeetingHeld,
    MembersCalled,
)
from shared.contracts.referral import ReferralCompleted, ReferralDeclined, ReferralRequested
from shared.db import Connection
from shared.kept import all_of, of_keys
from shared.offices import IS_MINE, LEADS, what_is_mine
from shared.runtime import Runtime
from shared.views import View

from . import agenda, tasks

ASKED = """
insert into asked (referral, case_id, receiver) select * from unnest($1::uuid[], $2::uuid[], $3::text[])
on conflict do nothing"""
PEOPLE = """
insert into person (case_id, person) select * from unnest($1::uuid[], $2::uuid[])
on conflict do nothing"""
MATTER = """
insert into matter (id, case_id, body, submitter, submitted_at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
on conflict do nothing"""
CALLED = """
insert into called (subject, matter) select * from unnest($1::text[], $2::uuid[])
on conflict do nothing"""
MEETING = """
insert into meeting (id, host, bodies, local_name, planned_on) values ($1, $2, $3, $4, $5)
on conflict do nothing"""
INVITED = """
insert into invited (agency, meeting) select * from unnest($1::text[], $2::uuid[])
on conflict do nothing"""
OVERDUE = "update matter set overdue = $2 where id = $1"
ASKED_NO_MORE = "delete from asked where referral = $1"
ENDED = "update matter set live = false where id = $1"
MET = "update meeting set status = $2, held_on = $3 where id = $1"

OF_MINE = IS_MINE.format(
    agency="c.lead", by="c.led_by", at="c.led_at", names="$4", sought="$5", passed="$6"
)
IS_PARTY = f"""
select (exists (select from cases c where c.id = $2 and {OF_MINE})
        or exists (select from asked where case_id = $2 and receiver = any($4)))
   and {blocks.NOT_BLOCKED.format(agency="$1", staff="$3", case="$2")}"""
PEOPLE_OF = "select person from person where case_id = $1"
MATTERS_OF = f"""
select id, case_id as "case", body, submitter, submitted_at, live and overdue as overdue,
       case when live then 'live' else 'ended' end as status
  from matter m
 where (submitter = $1 or body = any($2::text[])
        or body = any($3::text[])
           and exists (select from called where matter = m.id and subject = $4))
   and id > $5 and {blocks.NOT_BLOCKED.format(agency="$1", staff="$4", case="case_id")}
 order by id limit $6"""
MEETINGS_OF = """
select id, host, bodies, local_name, planned_on, held_on, status from meeting m
 where (host = $1 or exists (select from invited where meeting = m.id and agency = $1)) and id > $2
 order by id limit $3"""
STREAMS_OF_CASE = "select distinct stream from journal where key = $1 and stream like $2 order by 1"
SITTINGS = "select distinct stream from journal where stream > $1 and stream < $2 order by 1"
EVENT_AT = "select id from journal where stream = $1 and version = $2"
SHOWN_AT = """
select count(*) from journal
 where stream = any($1::text[])
   and seq <= (select seq from journal where stream = $2 and version = $3)"""

KEEPS = (*agenda.OF_WORLD, *CONSENT_TYPES)


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    cases: list[tuple[UUID, str, str, datetime]] = []
    asked: list[tuple[UUID, UUID, str]] = []
    people: list[tuple[UUID, UUID]] = []
    matters: list[tuple[UUID, UUID, str, str, datetime]] = []
    called: list[tuple[str, UUID]] = []
    invited: list[tuple[str, UUID]] = []
    for recorded in events:
        e = recorded.envelope
        match recorded.event:
            case CaseOpened(case=case, lead=lead) | LeadAccepted(case=case, lead=lead):
                cases.append((case, lead, e.actor if e.agency == lead else "", e.at))
            case PersonJoined(case=case, person=person):
                people.append((case, person))
            case ReferralRequested() as one:
                # Its sender led the case, or had received another referral: as that it is there.
                asked.append((one.referral, one.case, one.receiver))
            case MatterSubmitted() as put:
                matters.append((put.matter, put.case, put.body, e.agency, e.occurred_at))
            case MembersCalled() as call:
                called += [(member, call.matter) for member in call.members]
            case MeetingConvened() as m:
                await db.execute(MEETING, m.meeting, m.host, m.bodies, m.local_name, m.planned_on)
                invited += [(agency, m.meeting) for agency in m.invited]
    await blocks.fold(db, events)
    await staff.fold(db, events)
    await offices.fold(db, events)
    inserts: tuple[tuple[str, list[Any]], ...] = (
        (LEADS, cases),
        (ASKED, asked),
        (PEOPLE, people),
        (MATTER, matters),
        (CALLED, called),
        (INVITED, invited),
        (agenda.BASIS, sorted(agenda.bases(events))),
    )
    for sql, rows in inserts:
        if rows:
            await db.execute(sql, *map(list, zip(*rows, strict=True)))
    for recorded in events:
        await _follow(db, recorded)
    await tasks.project(db, events)


async def _follow(db: Connection, recorded: Recorded) -> None:
    """What an event changes in a row that is there already; order matters within a stream."""
    match recorded.event:
        case ReferralDeclined(referral=id) | ReferralCompleted(referral=id):
            await db.execute(ASKED_NO_MORE, id)
        case MatterReviewed(matter=id):
            await db.execute(OVERDUE, id, False)
        case MatterReviewOverdue(matter=id):
            await db.execute(OVERDUE, id, True)
        case MatterEnded(matter=id):
            await db.execute(ENDED, id)
        case MeetingHeld(meeting=id, held_on=day):
            await db.execute(MET, id, "held", day)
        case MeetingCancelled(meeting=id):
            await db.execute(MET, id, "cancelled", None)
        case AgendaItemAdded() as item:
            await agenda.put(db, item)
        case AgendaItemRemoved(meeting=id, case=case):
            await agenda.take_off(db, id, case)


def view(rt: Runtime) -> View:
    async def react(db: Connection, events: Sequence[Recorded], live: bool) -> None:
        await agenda.remove_items(rt, db, events)

    ddl = Path(__file__).with_name("sql") / "view.sql"
    topics = ("intake", "referral", "meetings")
    return View("meetings", topics, ddl, project, react, kept=frozenset(KEEPS), gathers=0.1)


async def is_party(rt: Runtime, who: Principal, case: UUID) -> bool:
    """Does his agency lead the case now, itself or under a programme that it runs (L2), or is it asked in
    it by a referral that has not ended, itself or by a desk that it has; and he not blocked from it?
    """
    mine = await what_is_mine(rt, who.agency)
    return bool(await rt.reads.fetchval(IS_PARTY, who.agency, case, who.subject, *mine))


async def people_of(rt: Runtime, case: UUID) -> set[UUID]:
    return {row["person"] for row in await rt.reads.fetch(PEOPLE_OF, case)}


async def matters_of(
    rt: Runtime,
    agency: str,
    subject: str,
    offices: Sequence[str],
    bodies: Sequence[str],
    after: UUID,
    limit: int,
) -> list[dict[str, object]]:
    """Submitted by the agency; or before a body in whose office the subject is; or called for, as a
    member of `bodies`.
    """
    rows = await rt.reads.fetch(MATTERS_OF, agency, offices, bodies, subject, after, limit)
    return [dict(row) for row in rows]


async def meetings_of(rt: Runtime, agency: str, after: UUID, limit: int) -> list[dict[str, object]]:
    """Those that the agency hosts or is invited to."""
    return [dict(row) for row in await rt.reads.fetch(MEETINGS_OF, agency, after, limit)]


async def consents_of(rt: Runtime, case: UUID) -> dict[UUID, Consent]:
    return consents(await rt.read(await of_keys(rt.reads, [str(case)], CONSENT_TYPES)))


async def the_world(rt: Runtime) -> World:
    return world(await rt.read(await all_of(rt.reads, agenda.OF_WORLD)))


async def streams_of_case(rt: Runtime, case: UUID, kind: str) -> list[str]:
    """Streams of one kind that belong to a case, from the journal: always up to date."""
    rows = await rt.pool.fetch(STREAMS_OF_CASE, str(case), f"{kind}/%")
    return [row["stream"] for row in rows]


async def sittings_of(rt: Runtime, meeting: UUID) -> list[str]:
    """Streams of the cases at one meeting, from the journal."""
    rows = await rt.pool.fetch(SITTINGS, f"sitting/{meeting}/", f"sitting/{meeting}0")
    return [row["stream"] for row in rows]


async def event_at(rt: Runtime, stream: str, version: int) -> UUID:
    """The id of one event of the journal."""
    return UUID(str(await rt.pool.fetchval(EVENT_AT, stream, version)))


async def shown_at(rt: Runtime, streams: Iterable[str], stream: str, version: int) -> int:
    """How many events of these streams there were when that one was written."""
    return int(await rt.pool.fetchval(SHOWN_AT, list(streams), stream, version))
