"""Referral's own view: standing in cases, their persons and bases, lists, the directory."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from shared import blocks, offices
from shared.auth import Principal
from shared.basis import CONSENT_TYPES, DIRECTORY_TYPES, POOL_TYPES, Consent, World, consents, world
from shared.contracts import Recorded
from shared.contracts.intake import CaseOpened, LeadAccepted, PersonJoined
from shared.contracts.referral import ReferralEvent, ReferralRequested
from shared.db import Connection, by_column
from shared.grounds import GROUND_TYPES, Ground, grounds
from shared.kept import all_of, of_keys
from shared.offices import IS_MINE, KEEPER, LEADS, the_offices, what_is_mine
from shared.runtime import Runtime
from shared.views import View

from .domain.referral import AFTER, OPEN, TRACKED, UNTRACKED, tracked_since

PEOPLE = """
insert into person (case_id, person) select * from unnest($1::uuid[], $2::uuid[])
on conflict do nothing"""
REQUESTED = """
insert into referral (id, case_id, sender, receiver, status, requested_at, sent_by, sent_at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                     $7::text[], $8::timestamptz[])
on conflict do nothing"""
MOVED = """
update referral r set status = n.status, answerer = n.answerer, answered_by = n.by, answered_at = n.at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
       as n (id, status, answerer, by, at)
 where r.id = n.id"""


def _mine(agency: str, by: str, at: str, names: int) -> str:
    """`names`: the number of the first of the three parameters that `Mine` gives."""
    given = {"names": f"${names}", "sought": f"${names + 1}", "passed": f"${names + 2}"}
    return IS_MINE.format(agency=agency, by=by, at=at, **given)


SENT = "r.sender", "r.sent_by", "r.sent_at"
HAS_STANDING = f"""
select (exists (select from cases c where c.id = $2 and {_mine("c.lead", "c.led_by", "c.led_at", 4)})
        or exists (select from referral r
                    where r.case_id = $2 and (r.receiver = any($4) or {_mine(*SENT, 4)})))
   and {blocks.NOT_BLOCKED.format(agency="$1", staff="$3", case="$2")}"""
IS_PERSON = "select exists (select from person where case_id = $1 and person = $2)"
FOLLOWS = KEEPER.format(agency="r.sender", by="r.sent_by", at="r.sent_at", passed="$9")
BEGAN = KEEPER.format(agency="r.answerer", by="r.answered_by", at="r.answered_at", passed="$9")
REFERRALS_OF = f"""
select id, case_id as "case", sender, receiver, told as status, requested_at, followed_by, undecided
  from (select *, nullif({FOLLOWS}, '') as followed_by,
               case when receiver = any($7) then status
                    when status <> all($10::text[]) and answered_at < $15 then $14
                    else coalesce($13::jsonb ->> status, status) end as told,
               status = any($10::text[])
               and (receiver = any($12::text[])
                    or coalesce(receiver = answerer and {BEGAN} <> receiver, false)) as undecided
          from referral r
         where ({_mine(*SENT, 7)} and $2 <> 'receiver' or receiver = any($7) and $2 <> 'sender')
           and id > $3
           and {blocks.NOT_BLOCKED.format(agency="$1", staff="$6", case="case_id")}) shown
 where (undecided or not $11) and told = any($5::text[])
 order by id limit $4"""

OF_WORLD = (*DIRECTORY_TYPES, *POOL_TYPES)
OF_BASES = (*CONSENT_TYPES, *GROUND_TYPES)
KEEPS = (*OF_WORLD, *OF_BASES)


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    cases: list[tuple[UUID, str, str | None, datetime]] = []
    people: list[tuple[UUID, UUID]] = []
    requested: list[tuple[UUID, UUID, str, str, str, datetime, str, datetime]] = []
    moved: dict[UUID, tuple[str, str, str, datetime]] = {}
    for recorded in events:
        e = recorded.envelope
        match recorded.event:
            case CaseOpened(case=case, lead=lead) | LeadAccepted(case=case, lead=lead):
                cases.append((case, lead, e.actor if e.agency == lead else None, e.at))
            case PersonJoined(case=case, person=person):
                people.append((case, person))
            case ReferralRequested() as asked:
                row = (asked.referral, asked.case, asked.sender, asked.receiver, "requested")
                requested.append((*row, e.occurred_at, e.actor, e.at))
            case ReferralEvent(referral=referral) as event if type(event) in AFTER:
                moved[referral] = (AFTER[type(event)], e.agency, e.actor, e.at)
    await blocks.fold(db, events)
    await offices.fold(db, events)
    for sql, rows in ((LEADS, cases), (PEOPLE, people), (REQUESTED, requested)):
        if rows:
            await db.execute(sql, *map(list, zip(*rows, strict=True)))
    if moved:
        await db.execute(MOVED, *by_column([(id, *row) for id, row in moved.items()], 5))


def view(rt: Runtime) -> View:
    ddl = Path(__file__).with_name("sql") / "view.sql"
    topics = ("intake", "referral", "meetings")
    return View("referral", topics, ddl, project, kept=frozenset(KEEPS), gathers=0.1)


async def has_standing(rt: Runtime, who: Principal, case: UUID) -> bool:
    """Is his agency lead of the case, or party to a referral on it, itself or by a programme that it runs
    now, and he not blocked from it?
    """
    mine = await what_is_mine(rt, who.agency)
    return bool(await rt.reads.fetchval(HAS_STANDING, who.agency, case, who.subject, *mine))


async def is_person(rt: Runtime, case: UUID, person: UUID) -> bool:
    return bool(await rt.reads.fetchval(IS_PERSON, case, person))


async def referrals_of(
    rt: Runtime,
    who: Principal,
    role: str,
    after: UUID,
    limit: int,
    statuses: Sequence[str],
    undecided: bool,
) -> list[dict[str, object]]:
    """Those of his agency that are there for him; `role` is sender, receiver or either. `undecided`: that
    wait for a person, since nobody has the desk that was asked, or who was asked began it under a
    programme that he runs no more. Of what he sent the status says how far it is, and no more (L10).
    """
    known, now = await the_offices(rt), rt.clock.now()
    nobodys = [code for code in known.desks if known.desk_of(code, now) is None]
    asked = who.agency, role, after, limit, statuses, who.subject
    mine = await what_is_mine(rt, who.agency)
    tracked = TRACKED, UNTRACKED, tracked_since(now)
    rows = await rt.reads.fetch(REFERRALS_OF, *asked, *mine, OPEN, undecided, nobodys, *tracked)
    return [{**row, "answered_by": known.named(row["receiver"], now)} for row in rows]


async def bases_of(rt: Runtime, case: UUID) -> dict[UUID, Consent | Ground]:
    events = await rt.read(await of_keys(rt.reads, [str(case)], OF_BASES))
    return {**consents(events), **grounds(events)}


async def the_world(rt: Runtime) -> World:
    return world(await rt.read(await all_of(rt.reads, OF_WORLD)))
