"""The fold of views: it keeps what disclosure rests on, and remembers which cases to judge."""

import re
from collections.abc import Iterable, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from shared import blocks
from shared.auth import Principal
from shared.basis import CONSENT_TYPES
from shared.contracts import Recorded
from shared.contracts.intake import ConsentRecorded, GroundRecorded, UrgentAsserted
from shared.contracts.meetings import (
    MatterEnded,
    MatterSubmitted,
    MemberLeft,
    MemberNamed,
    MembersAsked,
    MembersCalled,
)
from shared.contracts.referral import (
    AgencyRegistered,
    DeskEvent,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeEvent,
)
from shared.contracts.views import (
    CoverBounced,
    CoverIssued,
    CoverNotSent,
    CoverSent,
    CoverUsed,
    DocumentChanged,
    RetractionConfirmed,
    SubscriptionEvent,
)
from shared.db import Connection, Pool
from shared.grounds import GROUND_TYPES
from shared.protection import PROTECTION_TYPES
from shared.runtime import Runtime
from shared.views import Asked, View

from . import merges, owed
from .account import receive
from .domain.facts import FACT_EVENTS
from .judge import LAST, START, WORLD_TYPES, Judge
from .subscribed import subscribed
from .ways import cover_post, endpoints
from .ways.bells import Bells

KEPT_TYPES = frozenset(
    (
        *(event.TYPE for event in FACT_EVENTS),
        *CONSENT_TYPES,
        *GROUND_TYPES,
        *PROTECTION_TYPES,
        *WORLD_TYPES,
        *(event.TYPE for event in (MatterSubmitted, MembersCalled, MembersAsked, MatterEnded)),
    )
)
FAR_TYPES = frozenset((*WORLD_TYPES, *merges.TYPES))
"""These change cases that they do not name."""
NEAR_TYPES = KEPT_TYPES - FAR_TYPES
JUDGED_TYPES = KEPT_TYPES | FAR_TYPES
PROJECTED_TYPES = frozenset(
    (
        *(*WORLD_TYPES, *merges.TYPES, *blocks.TYPES),
        *(event.TYPE for event in (UrgentAsserted, GroundRecorded, ConsentRecorded)),
        *(event.TYPE for event in (MembersCalled, MembersAsked)),
    )
)
SUBSCRIPTION = f"{SubscriptionEvent.STREAM}/"
TOUCH = "select touch($1)"
DEPEND = """
insert into depends (upon, case_id) select * from unnest($1::text[], $2::uuid[])
on conflict do nothing"""
KNOW = """
update world set events = events + cardinality($1::uuid[]),
                 mark = mark # (select bit_xor(hashtextextended(u::text, 0)) from unnest($1::uuid[]) u)"""
DEPENDING = "select distinct case_id from depends where upon = any($1::text[])"
OF_AGENCIES = f"""
with programme as (
     select data ->> 'programme' as code from kept
      where type = '{ProgrammeContracted.TYPE}' and data ->> 'agency' = any($1::text[])),
     meant as (
     select 'agency/' || unnest($1::text[]) as upon
      union all
     select 'agency/' || (data ->> 'desk') from kept
      where type = '{DeskRegistered.TYPE}'
        and (data ->> 'agency' = any($1::text[]) or data ->> 'programme' in (select code from programme))
      union all
     select 'body/' || (data ->> 'body') from kept
      where type = '{MemberNamed.TYPE}' and data ->> 'agency' = any($1::text[]))
select distinct case_id from depends where upon in (select upon from meant)"""
"""Cases that name these agencies, or a desk that one of them has or had, or a group with a member of one."""
OF_OFFICES = f"""
with desk as (
     select data ->> 'desk' as code from kept
      where type = '{DeskRegistered.TYPE}' and data ->> 'programme' = any($1::text[])
      union select unnest($2::text[])),
     staff as (
     select data ->> 'agency' as agency, data ->> 'member' as member from kept
      where type = '{DeskMemberNamed.TYPE}' and data ->> 'desk' in (select code from desk))
select case_id from depends where upon in (select 'agency/' || code from desk)
union
select case_id from depends
 where upon in (select 'body/' || (data ->> 'body') from kept
                 where type = '{MemberNamed.TYPE}' and data ->> 'desk' in (select code from desk))
union
select c.id from kept k join cases c on c.id::text = k.key
 where (k.agency, k.actor) in (select agency, member from staff)"""
"""Cases that name these desks or those of these programmes, or a group with a member of one, or of which
something was recorded there."""
CALL = """
insert into called (subject, case_id) select * from unnest($1::text[], $2::uuid[])
on conflict do nothing"""
END = """
update delivery d set ended = true, retry_at = null
 where agency = $1 and case_id = $2 and document <= $3
   and exists (select from journal j
                where j.stream = $4 and j.type = $5 and j.data -> 'items' = '[]'::jsonb
                  and (j.data ->> 'document')::int = d.document)"""

PLACELESS = "update delivery set place = null where place is not null"
NO_FEEDS = "delete from feed"
SUBMITTED = f"""
with mine as (
     select k.key, k.stream from called c join kept k on k.key = c.case_id::text
      where c.subject = $1 and k.type = '{MatterSubmitted.TYPE}'
     union
     select key, stream from kept
      where type = '{MatterSubmitted.TYPE}' and data ->> 'body' = any($2))
select key::uuid as id, bool_or(not exists (
       select from kept e where e.stream = mine.stream and e.type = '{MatterEnded.TYPE}')) as live
  from mine group by 1 order by 1"""
DOCUMENTS = """
select handle, document, changed_at from delivery
 where agency = $1 and not ended and handle > $2 and case_id <> all($4::uuid[])
 order by handle limit $3"""
GONE = """
with recursive gone (id) as (
     select case_id from blocked where agency = $1 and staff = $2 and blocked
     union select m.into_case from merges m join gone g on g.id = m.merged where not m.undone)
select id from gone"""
OF_HANDLE = "select case_id, document, ended from delivery where agency = $1 and handle = $2"
HANDLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNJUDGED = """
select exists (select from kept k join cases c on c.id::text = k.key
                where k.stream = $1 and c.dirty)"""
OF_OUTWARD = "select agency, case_id from delivery where handle = $1"
NEWEST = """
select distinct on (stream) data, at from journal
 where stream = any($1::text[]) and type = $2 order by stream, version desc"""
SUBSCRIBED = "select agency from subscription where agency > $1 order by agency limit $2"


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    await blocks.fold(db, events)
    if known := [e.envelope.id for e in events if e.envelope.type in WORLD_TYPES]:
        await db.execute(KNOW, known)
    touched: set[UUID] = set()
    depends: list[tuple[str, UUID]] = []
    called: list[tuple[str, UUID]] = []
    upon: set[str] = set()
    agencies: set[str] = set()
    programmes: set[str] = set()
    desks: set[str] = set()
    for recorded in events:
        match event := recorded.event:
            case UrgentAsserted() | GroundRecorded():
                depends += [(f"agency/{holder}", event.case) for holder in event.holders]
            case ConsentRecorded():
                depends += [(f"agency/{holder}", event.case) for holder in event.holders]
                if event.group:
                    depends.append((f"body/{event.group}", event.case))
            case MembersCalled() | MembersAsked():
                called += [(member, event.case) for member in event.members]
            case AgencyRegistered(agency=agency):
                agencies.add(agency)
            case MemberNamed(body=body) | MemberLeft(body=body):
                upon.add(f"body/{body}")
            case ProgrammeEvent(programme=programme):
                programmes.add(programme)
            case DeskEvent(desk=desk):
                desks.add(desk)
    if depends:
        await db.execute(DEPEND, *map(list, zip(*depends, strict=True)))
    if called:
        await db.execute(CALL, *map(list, zip(*called, strict=True)))
    if upon:
        touched |= {row["case_id"] for row in await db.fetch(DEPENDING, sorted(upon))}
    if agencies:
        touched |= {row["case_id"] for row in await db.fetch(OF_AGENCIES, sorted(agencies))}
    if programmes or desks:
        rows = await db.fetch(OF_OFFICES, sorted(programmes), sorted(desks))
        touched |= {row["case_id"] for row in rows}
    await touch(db, touched | await merges.project(db, events))


async def touch(db: Connection, cases: Set[UUID]) -> None:
    """They are to be judged."""
    if cases:
        await db.execute(TOUCH, list(cases))


def view(rt: Runtime) -> View:
    judge = Judge(rt)
    rt.state["bells"] = Bells(rt)

    async def react(db: Connection, events: Sequence[Recorded], live: bool) -> None:
        """Own events steer delivery, also of a database that was set back and has its journal again;
        then, unless still catching up, judge what changed.
        """
        ours = [e for e in events if e.event.TOPIC == "views"]
        own = [(e.event, e.envelope.at) for e in ours if isinstance(e.event, DocumentChanged)]
        if await judge.deliver(db, own):  # the database was set back: cursors lead nowhere now
            await db.execute(PLACELESS)
            await db.execute(NO_FEEDS)
        await receive(db, ours)
        await owed.fold(db, ours)
        for recorded in ours:
            match recorded.event:
                case SubscriptionEvent() as event if recorded.envelope.stream.startswith(
                    SUBSCRIPTION
                ):
                    await subscribed(db, event, recorded.envelope.version)
                    await endpoints.fold(db, event)
                case CoverIssued() | CoverUsed() | CoverSent() | CoverNotSent() | CoverBounced():
                    await cover_post.fold(db, recorded.event)
                case RetractionConfirmed(agency=agency, case=case, document=document):
                    stream = f"disclosure/{agency}/{case}"
                    await db.execute(END, agency, case, document, stream, DocumentChanged.TYPE)
        types = {e.envelope.type for e in events}
        if live and not types.isdisjoint(JUDGED_TYPES):
            cases = {getattr(e.event, "case", None) for e in events}
            past = LAST if types.isdisjoint(FAR_TYPES) else START
            await judge.some(db, [case for case in cases if case], past)

    def asks(events: Sequence[Recorded], live: bool) -> Asked | None:
        """Not where something must be folded before it is judged."""
        if not live or any(
            e.event.TOPIC == "views" or e.envelope.type in FAR_TYPES for e in events
        ):
            return None
        near = (e.event for e in events if e.envelope.type in NEAR_TYPES)
        cases = {getattr(event, "case", None) for event in near}
        return judge.asks([case for case in cases if case]) if cases else None

    async def answered(db: Connection, events: Sequence[Recorded], answer: Sequence[Any]) -> None:
        await judge.some(db, answer=answer)

    def known(event: bytes | None) -> bool:
        return judge.made.seen(event)

    ddl = Path(__file__).with_name("sql") / "view.sql"
    topics = ("intake", "referral", "meetings", "views")
    judged = frozenset(("cases.dirty", "cases.judge_at", "cases.stuck"))
    return View(
        "views", topics, ddl, project, react, judged,
        kept=KEPT_TYPES, touch=touch, projected=PROJECTED_TYPES, sealed="checked",
        known=known, asks=asks, answered=answered,
    )  # fmt: skip


async def submitted(db: Connection, who: Principal, bodies: Sequence[str]) -> dict[UUID, bool]:
    """Cases of matters for which he was called or asked, or that are before one of these bodies; of each
    whether one of them lives.
    """
    rows = await db.fetch(SUBMITTED, who.subject, bodies)
    hidden = await gone(db, who)
    return {row["id"]: row["live"] for row in rows if row["id"] not in hidden}


async def gone(db: Connection | Pool, who: Principal) -> set[UUID]:
    """Cases from which he is blocked (L23), and those into which they were merged."""
    return {row["id"] for row in await db.fetch(GONE, who.agency, who.subject)}


async def documents(rt: Runtime, who: Principal, after: UUID, limit: int) -> list[dict[str, Any]]:
    """Of his agency, those that are there for him."""
    hidden = list(await gone(rt.reads, who))
    return [dict(row) for row in await rt.reads.fetch(DOCUMENTS, who.agency, after, limit, hidden)]


async def of_handle(rt: Runtime, agency: str, handle: UUID) -> Any | None:
    return await rt.reads.fetchrow(OF_HANDLE, agency, handle)


async def reached(rt: Runtime, stream: str, version: int) -> bool | None:
    """Applied, and the documents of its case judged. `disclosure/<handle>` is how agencies are
    told of their own streams.
    """
    kind, _, name = stream.partition("/")
    if kind == "disclosure" and HANDLE.fullmatch(name):
        row = await rt.reads.fetchrow(OF_OUTWARD, UUID(name))
        stream = f"disclosure/{row['agency']}/{row['case_id']}" if row else stream
    applied = await rt.applier.reached(stream, version)
    return not await rt.reads.fetchval(UNJUDGED, stream) if applied else applied


async def newest_documents(
    db: Pool, of: Iterable[tuple[str, UUID]]
) -> dict[tuple[str, UUID], tuple[DocumentChanged, datetime]]:
    """The newest record of each agency's document of a case, and when it was made."""
    streams = [f"disclosure/{agency}/{case}" for agency, case in of]
    rows = await db.fetch(NEWEST, streams, DocumentChanged.TYPE)
    found = [(DocumentChanged.model_validate(row["data"]), row["at"]) for row in rows]
    return {(one.agency, one.case): (one, at) for one, at in found}


async def subscribed_agencies(rt: Runtime, after: str, limit: int) -> list[str]:
    """Those that ever subscribed, or were quarantined before they did."""
    return [row["agency"] for row in await rt.pool.fetch(SUBSCRIBED, after, limit)]
