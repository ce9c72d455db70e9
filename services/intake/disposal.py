"""Which cases have run out, which keys go with one, and their destruction: at once, and after every start."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from shared import erasure, telemetry
from shared.calendar import TOKYO
from shared.contracts import Event, Recorded
from shared.contracts.intake import (
    CaseClosed,
    CaseDisposed,
    CaselessDisposalApproved,
    CaselessDisposed,
    CasesMerged,
    DisposalApproved,
    MatchEnquired,
    NoticeTaken,
    PersonJoined,
)
from shared.contracts.retention import Kept, Rule, rule
from shared.db import PASSING, RACED, Connection, Pool
from shared.decider import Refused
from shared.journal import Context, Damaged, Past
from shared.kill import point
from shared.runtime import Runtime

from . import joined, readings, view
from .domain import case as cases

EVERY_SECONDS = 30.0
CLOSED = f"""
select c.id, closed.at from party p join cases c on c.id = p.case_id
 cross join lateral (select at from journal j where j.stream = 'case/' || c.id
                        and j.type = '{CaseClosed.TYPE}' order by version desc limit 1) closed
 where p.agency = $1 and c.lead = $1 and c.status = 'closed' and c.id > $2 and closed.at < $3
 order by c.id limit $4"""
CASES_OF = f"""
select distinct data ->> 'person' as person, key from journal
 where type = '{PersonJoined.TYPE}' and data ->> 'person' = any($1::text[])"""
NOTICES = f"""
select data ->> 'notice' as id from journal
 where type = '{NoticeTaken.TYPE}' and data ->> 'into' = $1 order by id"""
NOTED = f"""
select data ->> 'merge' as id from journal
 where type = '{CasesMerged.TYPE}' and $1 in (data ->> 'merged', data ->> 'into')
union
select data ->> 'match' from journal where type = '{MatchEnquired.TYPE}' and data -> 'cases' ? $1
 order by id"""
"""Merges and matches of two cases: what was noted on them tells of both, and goes with the first."""
APPROVED = f"""
select j.id, j.stream, j.agency, j.at, j.correlation from journal j
 where j.type in ('{DisposalApproved.TYPE}', '{CaselessDisposalApproved.TYPE}')
   and not exists (select from journal d where d.stream = j.stream
                     and d.type in ('{CaseDisposed.TYPE}', '{CaselessDisposed.TYPE}'))
 order by j.seq"""
ALONE = "set local lock_timeout = '2s'; select pg_advisory_xact_lock(hashtext('disposal'))"
"""A trigger of the journal lets nobody write beside who holds it."""
BEFORE = "select pg_advisory_xact_lock_shared(hashtext('disposal'))"
"""Nobody approves a disposal until who holds it has written."""
CONTENT = "delete from attachment where case_id = any($1::uuid[])"

log = structlog.get_logger()


async def rule_of(rt: Runtime, agency: str, of: Kept = "case") -> Rule | None:
    """What holds for the data of an agency that leads a case, or keeps what has none."""
    registered = (await view.the_world(rt)).agencies.get(agency)
    today = rt.clock.now().astimezone(TOKYO).date()
    return rule(registered.controller, today, of) if registered else None


def closed_on(events: Iterable[Recorded]) -> date | None:
    """When the closing was recorded, whatever day it speaks of."""
    found = [e.envelope.at for e in events if isinstance(e.event, CaseClosed)]
    return found[-1].astimezone(TOKYO).date() if found else None


async def closed(
    rt: Runtime, agency: str, after: UUID, before: datetime, limit: int
) -> list[dict[str, Any]]:
    rows = await rt.reads.fetch(CLOSED, agency, after, before, limit)
    return [dict(row) for row in rows]


class Other(NamedTuple):
    """A case that a merge has joined with another. `run_out_on` None: nothing says yet when it may go."""

    case: UUID
    people: frozenset[UUID]
    run_out_on: date | None


@asynccontextmanager
async def alone(rt: Runtime) -> AsyncIterator[Connection]:
    """A transaction beside which nobody writes to the journal: what it reads there is so when it commits."""
    async with rt.pool.acquire() as db, db.transaction():
        await db.execute(ALONE)
        yield db
    rt.journal.announce()


async def others(rt: Runtime, db: Connection | Pool, case: UUID) -> list[Other]:
    """Those that stand together with it: their time counts for it too, and what holds them (L18)."""
    found = []
    names = [other for other in await joined.cases(db, case) if other != case]
    pasts = await rt.journal.load_all([f"case/{other}" for other in names], db)
    for other, past in zip(names, pasts, strict=True):
        state: cases.Case = past.fold(cases.DECIDER)
        day, rule = closed_on(past.events), await rule_of(rt, state.lead)
        goes = state.status in ("closed", "disposed") and not state.disposal.held
        run_out_on = rule.run_out_on(day) if goes and day and rule else None
        found.append(Other(other, frozenset(state.people), run_out_on))
    return found


async def cases_of(db: Connection | Pool, people: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Person → all cases that he has ever joined, from the journal."""
    found: dict[UUID, set[UUID]] = {person: set() for person in people}
    for row in await db.fetch(CASES_OF, [str(person) for person in found]):
        found[UUID(row["person"])].add(UUID(row["key"]))
    return found


async def keys_of(
    rt: Runtime, db: Connection, case: UUID, people: Iterable[UUID]
) -> tuple[set[UUID], list[str]]:
    """Who is erased with the case, and the keys that go: the household's, those of notices that were
    taken into it, of what was noted on its merges and matches, and of each person all of whose other
    cases are disposed of.
    """
    joined = await cases_of(db, people)
    others = sorted({other for of in joined.values() for other in of} - {case})
    pasts = await rt.journal.load_all([f"case/{other}" for other in others], db)
    gone = {other for other, past in zip(others, pasts, strict=True) if _gone(past)}
    erased = {person for person, of in joined.items() if of <= gone | {case}}
    notes = [row["id"] for of in (NOTICES, NOTED) for row in await db.fetch(of, str(case))]
    keys = [f"text/{of}" for of in (case, *notes)] + [f"person/{p}" for p in sorted(erased)]
    return erased, keys


async def kept(rt: Runtime, db: Connection, cases: Iterable[UUID]) -> None:
    """Nothing that has a key of its own begins in a case whose keys are gone: nobody would ever destroy
    it. Raises Refused; it is so until the transaction ends if that has begun with BEFORE.
    """
    if any(map(_gone, await rt.journal.load_all([f"case/{case}" for case in cases], db))):
        raise Refused("case-is-disposed", "disposed")


def _gone(past: Past) -> bool:
    state: cases.Case = past.fold(cases.DECIDER)
    return state.disposal.step == "approved" or state.status == "disposed"


def signed(rt: Runtime, of: UUID, keys: Iterable[str]) -> str:
    """What an approval says for itself, so that a list of erasures that was changed is not believed."""
    master = rt.keys.keyring_master_key
    assert master is not None
    return erasure.signature(master, of, keys)


async def carry_out(rt: Runtime) -> None:
    """Destroy the keys of every approved disposal, those of long ago too, and say of each that it is done.
    One that was not signed here, or whose stream cannot be read, waits for an operator and holds up no other.
    """
    master = rt.keys.keyring_master_key
    assert master is not None
    listed = await erasure.listed(rt.pool)
    if not listed:
        return
    erasures = [one for one in listed if erasure.ours(master, one)]
    if revived := await erasure.apply(rt.keyring, master, erasures):
        log.info("erasure.applied", keys=revived)
    point("disposal.destroyed")
    destroyed = {one.case for one in erasures}
    left = 0
    for row in await rt.pool.fetch(APPROVED):
        kind, _, id = row["stream"].partition("/")
        try:
            if id not in destroyed:
                raise erasure.Forged(id)
            await _say(rt, row, kind, UUID(id))
        except (erasure.Forged, Damaged) as error:
            log.error("disposal.left", stream=row["stream"], error=type(error).__name__)
            left += 1
        except RACED:
            continue  # another process has said so, or the next round does
        rt.journal.announce()
    telemetry.undone.labels("disposals").set(left)


async def _say(rt: Runtime, row: Any, kind: str, of: UUID) -> None:
    """That it is done, and what lies beside the journal goes with it. Raises Damaged."""
    past = await rt.journal.load(row["stream"])
    now = rt.clock.now()
    context = Context(
        actor="disposal", agency=row["agency"], at=now, occurred_at=now,
        correlation=row["correlation"], causation=row["id"],
    )  # fmt: skip
    done: Event = (
        CaseDisposed(case=of, approval=row["id"])
        if kind == "case"
        else CaselessDisposed(caseless=of, approval=row["id"])
    )
    year = readings.year_of(row["agency"], of, row["at"])
    async with rt.pool.acquire() as db, db.transaction():
        await db.execute(CONTENT, [of])
        if year is not None:
            await readings.end(db, row["agency"], year)
        await rt.journal.append(db, row["stream"], str(of), past.version, [done], context)


async def run(rt: Runtime) -> None:
    """Never returns. At the start, what a restored keyring has brought back goes again."""
    work: Callable[[Runtime], Awaitable[object]] = carry_out
    while True:
        try:
            await work(rt)
            work = settled
        except PASSING as error:
            log.warning("disposal.waits", error=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def settled(rt: Runtime) -> bool:
    """Is every approved disposal carried out? If not, it is now."""
    if not await rt.pool.fetchval(f"select exists ({APPROVED})"):
        telemetry.undone.labels("disposals").set(0)
        return True
    await carry_out(rt)
    return False
