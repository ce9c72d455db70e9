"""Intake's own view: which cases there are, who has standing in them, the directory."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from shared import offices
from shared.auth import Principal
from shared.basis import DIRECTORY_TYPES, POOL_TYPES, World, world
from shared.blocks import NOT_BLOCKED
from shared.contracts import Envelope, Recorded
from shared.contracts.intake import (
    CaseClosed,
    CaseDisposed,
    CaseOpened,
    CaseReopened,
    LeadAccepted,
    LeadOffered,
    NoticeTaken,
)
from shared.contracts.referral import ReferralRequested
from shared.db import Connection
from shared.kept import all_of
from shared.runtime import Runtime
from shared.staff import HIS, today
from shared.views import View

from . import family, index, matching, outreach, staffing, watching, worklist

OPENED = """
insert into cases (id, lead, status, opened_at, household, led_by, led_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[], $6::text[],
                     $7::timestamptz[])
on conflict do nothing"""
STATUS = "update cases set status = $2 where id = $1"
LEAD = "update cases set lead = $2, led_by = $3, led_at = $4 where id = $1"
PARTY = """
insert into party (agency, case_id) select * from unnest($1::text[], $2::uuid[])
on conflict do nothing"""
HERE: dict[str, str] = {"agency": "$1", "staff": "$5", "case": "c.id", "today": "$6::date"}
CASES_OF = f"""
select c.* from party p join cases c on c.id = p.case_id
 where p.agency = $1 and p.case_id > $2 and ($4::text is null or c.status = $4)
   and {NOT_BLOCKED.format(**HERE)} and ($6::date is null or {HIS.format(**HERE)})
       {{}}
 order by p.case_id limit $3"""
AMONG = "and p.case_id = any(array({}))"
OF_HOUSEHOLD = f"""
select c.* from party p join cases c on c.id = p.case_id
 where c.household = $2 and p.agency = $1
   and {NOT_BLOCKED.format(agency="$1", staff="$3", case="c.id")}
 order by c.id"""
IS_PARTY = "select exists (select from party where agency = any($1) and case_id = $2)"
STREAMS_OF = """
select distinct stream from journal where key = $1 and stream like any($2::text[])
 order by stream"""

KEEPS = (*DIRECTORY_TYPES, *POOL_TYPES)


async def project(key: bytes, db: Connection, events: Sequence[Recorded]) -> None:
    parties: list[tuple[str, UUID]] = []
    opened: list[tuple[UUID, str, str, datetime, UUID, str | None, datetime]] = []
    for recorded in events:
        e = recorded.envelope
        match recorded.event:
            case CaseOpened() as case:
                led = (_by(case.lead, e), e.at)
                opened.append((case.case, case.lead, "open", e.occurred_at, case.household, *led))
                parties.append((case.lead, case.case))
            case LeadOffered(case=case_id, to=agency) | LeadAccepted(case=case_id, lead=agency):
                parties.append((agency, case_id))
            case ReferralRequested() as asked:
                # Its sender led the case, or had received another referral: as that it is there.
                parties.append((asked.receiver, asked.case))
    await worklist.project(db, events)
    await staffing.project(db, events)
    await watching.project(db, events)
    if opened:
        await db.execute(OPENED, *map(list, zip(*opened, strict=True)))
    await index.project(key, db, events)
    await matching.project(key, db, events)
    await outreach.project(key, db, events)
    await family.project(db, events)
    await offices.fold(db, events)
    if parties:
        await db.execute(PARTY, *map(list, zip(*parties, strict=True)))
    for recorded in events:
        e = recorded.envelope
        match recorded.event:
            case LeadAccepted(case=case_id, lead=lead):
                await db.execute(LEAD, case_id, lead, _by(lead, e), e.at)
            case CaseClosed(case=case_id):
                await db.execute(STATUS, case_id, "closed")
            case CaseReopened(case=case_id):
                await db.execute(STATUS, case_id, "open")
            case CaseDisposed(case=case_id):
                await db.execute(STATUS, case_id, "disposed")
    if ended := _may_be_disposed(events):
        await db.execute(index.FORGET, ended)
        await db.execute(matching.FORGET, ended)


def _by(lead: str, of: Envelope) -> str | None:
    """Who of the lead's staff made it the lead."""
    return of.actor if of.agency == lead else None


def _may_be_disposed(events: Sequence[Recorded]) -> list[UUID]:
    """Cases whose index has to go, also where a notice was taken into one that is disposed of by now."""
    found: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case CaseDisposed(case=case_id) | NoticeTaken(into=case_id):
                found.append(case_id)
    return found


def view(rt: Runtime) -> View:
    ddl = Path(__file__).with_name("sql") / "view.sql"
    return View(
        "intake",
        ("intake", "referral", "meetings"),
        ddl,
        partial(project, rt.keys.index_key),
        unfolded=frozenset(("uncompared", "likely", "compared")),
        kept=frozenset(KEEPS),
        gathers=0.1,
    )


async def is_party(rt: Runtime, names: Sequence[str], case: UUID) -> bool:
    return bool(await rt.reads.fetchval(IS_PARTY, names, case))


async def cases_of(
    rt: Runtime,
    who: Principal,
    after: UUID,
    limit: int,
    status: str | None,
    query: str | None = None,
    mine: bool = False,
) -> list[dict[str, object]]:
    """Those of the caller's agency that are there for him; `mine`: that he works, today; `query`: with a
    person whom all its words fit, among what the agency recorded or led.
    """
    words = index.words(rt.keys.index_key, who.agency, query) if query else []
    if words is None:
        return []
    some = AMONG.format(index.hits(len(words), first=7)) if query else ""
    day = today(rt) if mine else None
    given = who.agency, after, limit, status, who.subject, day, *words
    return [dict(row) for row in await rt.reads.fetch(CASES_OF.format(some), *given)]


async def cases_of_household(
    rt: Runtime, who: Principal, household: UUID
) -> list[dict[str, object]]:
    """Those in which the caller's agency has standing, and that are there for him."""
    rows = await rt.reads.fetch(OF_HOUSEHOLD, who.agency, household, who.subject)
    return [dict(row) for row in rows]


async def streams_of(rt: Runtime, case: UUID, *kinds: str) -> list[str]:
    """Streams of these kinds that belong to a case, from the journal: always up to date."""
    rows = await rt.pool.fetch(STREAMS_OF, str(case), [f"{kind}/%" for kind in kinds])
    return [row["stream"] for row in rows]


async def the_world(rt: Runtime) -> World:
    return world(await rt.read(await all_of(rt.reads, KEEPS)))
