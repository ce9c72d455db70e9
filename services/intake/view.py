"""Intake's own view: which cases there are, who has standing in them, the directory."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from shared.basis import DIRECTORY_TYPES, POOL_TYPES, World, world
from shared.contracts import Recorded
from shared.contracts.intake import CaseClosed, CaseOpened, CaseReopened
from shared.contracts.referral import ReferralRequested
from shared.db import Connection
from shared.kept import all_of, keep
from shared.runtime import Runtime
from shared.views import View

OPENED = """
insert into cases (id, lead, status, opened_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) on conflict do nothing"""
STATUS = "update cases set status = $2 where id = $1"
PARTY = """
insert into party (agency, case_id) select * from unnest($1::text[], $2::uuid[])
on conflict do nothing"""
CASES_OF = """
select c.* from party p join cases c on c.id = p.case_id
 where p.agency = $1 and c.id > $2 and ($4::text is null or c.status = $4)
 order by c.id limit $3"""
IS_PARTY = "select exists (select from party where agency = $1 and case_id = $2)"
STREAMS_OF = """
select distinct stream from journal where key = $1 and stream like $2 order by stream"""

KEEPS = (*DIRECTORY_TYPES, *POOL_TYPES)


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    parties: list[tuple[str, UUID]] = []
    opened: list[tuple[UUID, str, str, datetime]] = []
    for recorded in events:
        match recorded.event:
            case CaseOpened() as case:
                opened.append((case.case, case.lead, "open", recorded.envelope.occurred_at))
                parties.append((case.lead, case.case))
            case ReferralRequested() as asked:
                parties += [(asked.sender, asked.case), (asked.receiver, asked.case)]
    await keep(db, [e for e in events if e.envelope.type in KEEPS])
    if opened:
        await db.execute(OPENED, *map(list, zip(*opened, strict=True)))
    if parties:
        await db.execute(PARTY, *map(list, zip(*parties, strict=True)))
    for recorded in events:
        match recorded.event:
            case CaseClosed(case=case_id):
                await db.execute(STATUS, case_id, "closed")
            case CaseReopened(case=case_id):
                await db.execute(STATUS, case_id, "open")


def view(rt: Runtime) -> View:
    ddl = Path(__file__).with_name("sql") / "view.sql"
    return View("intake", ("intake", "referral", "meetings"), ddl, project)


async def is_party(rt: Runtime, agency: str, case: UUID) -> bool:
    return bool(await rt.reads.fetchval(IS_PARTY, agency, case))


async def cases_of(
    rt: Runtime, agency: str, after: UUID, limit: int, status: str | None
) -> list[dict[str, object]]:
    rows = await rt.reads.fetch(CASES_OF, agency, after, limit, status)
    return [dict(row) for row in rows]


async def streams_of(rt: Runtime, case: UUID, kind: str) -> list[str]:
    """Streams of one kind that belong to a case, from the journal: always up to date."""
    rows = await rt.pool.fetch(STREAMS_OF, str(case), f"{kind}/%")
    return [row["stream"] for row in rows]


async def the_world(rt: Runtime) -> World:
    return world(await rt.read(await all_of(rt.reads, KEEPS)))
