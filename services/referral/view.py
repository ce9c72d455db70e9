"""Referral's own view: standing in cases, their persons and bases, lists, the directory."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from shared import blocks
from shared.auth import Principal
from shared.basis import CONSENT_TYPES, DIRECTORY_TYPES, POOL_TYPES, Consent, World, consents, world
from shared.contracts import Recorded
from shared.contracts.intake import CaseOpened, LeadAccepted, PersonJoined
from shared.contracts.referral import ReferralEvent, ReferralRequested
from shared.db import Connection
from shared.directory import OFFICE_TYPES, offices
from shared.grounds import GROUND_TYPES, Ground, grounds
from shared.kept import all_of, of_keys
from shared.runtime import Runtime
from shared.views import View

from .domain.referral import AFTER

CASES = """
insert into cases (id, lead)
select distinct on (id) id, lead from unnest($1::uuid[], $2::text[]) with ordinality as t(id, lead, n)
 order by id, n desc
on conflict (id) do update set lead = excluded.lead"""
PEOPLE = """
insert into person (case_id, person) select * from unnest($1::uuid[], $2::uuid[])
on conflict do nothing"""
REQUESTED = """
insert into referral (id, case_id, sender, receiver, status, requested_at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
on conflict do nothing"""
MOVED = """
update referral r set status = n.status from unnest($1::uuid[], $2::text[]) n (id, status)
 where r.id = n.id"""
HAS_STANDING = f"""
select (exists (select from cases where id = $2 and lead = $1)
        or exists (select from referral
                    where case_id = $2 and (sender = $1 or receiver = any($4::text[]))))
   and {blocks.NOT_BLOCKED.format(agency="$1", staff="$3", case="$2")}"""
IS_PERSON = "select exists (select from person where case_id = $1 and person = $2)"
REFERRALS_OF = f"""
select id, case_id as "case", sender, receiver, status, requested_at from referral
 where (sender = $1 and $2 <> 'receiver' or receiver = any($7::text[]) and $2 <> 'sender')
   and id > $3 and status = any($5::text[])
   and {blocks.NOT_BLOCKED.format(agency="$1", staff="$6", case="case_id")}
 order by id limit $4"""

OF_WORLD = (*DIRECTORY_TYPES, *POOL_TYPES)
OF_BASES = (*CONSENT_TYPES, *GROUND_TYPES)
KEEPS = (*OF_WORLD, *OF_BASES)


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    cases: list[tuple[UUID, str]] = []
    people: list[tuple[UUID, UUID]] = []
    requested: list[tuple[UUID, UUID, str, str, str, datetime]] = []
    moved: dict[UUID, str] = {}
    for recorded in events:
        match recorded.event:
            case CaseOpened(case=case, lead=lead):
                cases.append((case, lead))
            case LeadAccepted(case=case, lead=lead):
                cases.append((case, lead))
            case PersonJoined(case=case, person=person):
                people.append((case, person))
            case ReferralRequested() as asked:
                at = recorded.envelope.occurred_at
                row = (asked.referral, asked.case, asked.sender, asked.receiver, "requested", at)
                requested.append(row)
            case ReferralEvent(referral=referral) as event if type(event) in AFTER:
                moved[referral] = AFTER[type(event)]
    await blocks.fold(db, events)
    for sql, rows in ((CASES, cases), (PEOPLE, people), (REQUESTED, requested)):
        if rows:
            await db.execute(sql, *map(list, zip(*rows, strict=True)))
    if moved:
        await db.execute(MOVED, list(moved), list(moved.values()))


def view(rt: Runtime) -> View:
    ddl = Path(__file__).with_name("sql") / "view.sql"
    return View("referral", ("intake", "referral", "meetings"), ddl, project, kept=frozenset(KEEPS))


async def has_standing(rt: Runtime, who: Principal, case: UUID) -> bool:
    """Is his agency lead of the case, or party to a referral on it, and he not blocked from it?"""
    names = await names_of(rt, who.agency)
    return bool(await rt.reads.fetchval(HAS_STANDING, who.agency, case, who.subject, names))


async def is_person(rt: Runtime, case: UUID, person: UUID) -> bool:
    return bool(await rt.reads.fetchval(IS_PERSON, case, person))


async def referrals_of(
    rt: Runtime, who: Principal, role: str, after: UUID, limit: int, statuses: Sequence[str]
) -> list[dict[str, object]]:
    """Those of his agency that are there for him; `role` is sender, receiver or either."""
    names = await names_of(rt, who.agency)
    rows = await rt.reads.fetch(
        REFERRALS_OF, who.agency, role, after, limit, statuses, who.subject, names
    )
    return [dict(row) for row in rows]


async def names_of(rt: Runtime, agency: str) -> list[str]:
    """What it can be asked under: itself, and the desks that it has now (L2)."""
    known = offices(await rt.read(await all_of(rt.reads, OFFICE_TYPES)))
    return [agency, *known.desks_of(agency, rt.clock.now())]


async def bases_of(rt: Runtime, case: UUID) -> dict[UUID, Consent | Ground]:
    events = await rt.read(await of_keys(rt.reads, [str(case)], OF_BASES))
    return {**consents(events), **grounds(events)}


async def the_world(rt: Runtime) -> World:
    return world(await rt.read(await all_of(rt.reads, OF_WORLD)))
