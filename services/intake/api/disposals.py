"""The end of data: what has run out, holds, and disposal decided by two persons."""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.audit import content_free
from shared.calendar import TOKYO
from shared.contracts import Recorded
from shared.contracts.intake import (
    CaseDisposed,
    CaselessDisposalApproved,
    CaselessDisposalProposed,
    CaselessDisposed,
    DisposalApproved,
    DisposalDeclined,
    DisposalProposed,
    HoldLifted,
    HoldPlaced,
)
from shared.contracts.retention import CASELESS, Kept
from shared.db import Connection, Pool
from shared.decider import Refused
from shared.http import After, Body, Call, Limit, Page, Receipt, Route, Text, to_uuid

from .. import caseless, disposal, holding
from ..domain.disposal import Disposal
from .common import NO_ID, OnCase, OnLedCaseDep, again, officer, stands_in

router = APIRouter(route_class=Route)


class Hold(Body):
    reason: Text


class Step(Body):
    pass


class RunOut(BaseModel):
    """A closed case whose data may go, as may all that merges joined with it; or what ended without a case, a
    notice, a watch or a fiscal year of who has read what, whose `case` is None. `confirmed` false: nobody
    has confirmed the rule (要確認).
    """

    kind: Kept
    id: UUID
    case: UUID | None
    closed_on: date
    run_out_on: date
    rule: str
    confirmed: bool


class Evidence(BaseModel):
    """What was decided about one of these, by whom, and what was destroyed. `joined`: the
    cases of the caller's agency that stood together with it by merges, and whose time had run out as well.
    """

    step: str
    held: bool
    rule: str | None = None
    run_out_on: date | None = None
    proposed_by: str | None = None
    approved_by: str | None = None
    people: list[UUID] = []
    joined: list[UUID] = []
    keys: list[str] = []
    signature: str | None = None
    disposed_at: datetime | None = None


@router.get("/v1/disposals/due")
@content_free
async def due(
    call: Annotated[Call, Depends(officer)], after: After = None, limit: Limit = 50
) -> Page[RunOut]:
    """Closed cases that the caller's agency leads, its closed notices, removed watches and years of
    readings, whose time has run out.
    """
    start = to_uuid(after) if after else NO_ID
    rows = [*await _cases(call, start, limit), *await _caseless(call, start, limit)]
    rows = sorted(rows, key=lambda row: row["id"])[:limit]
    found = [await _run_out_on(call, row) for row in rows]
    return Page(
        items=[one for one in found if one],
        next=str(rows[-1]["id"]) if len(rows) == limit else None,
    )


async def _cases(call: Call, after: UUID, limit: int) -> list[dict[str, Any]]:
    rule = await disposal.rule_of(call.rt, call.who.agency)
    if rule is None:
        return []
    rows = await disposal.closed(call.rt, call.who.agency, after, call.now(), limit)
    return [row | {"kind": "case", "rule": rule} for row in rows]


async def _caseless(call: Call, after: UUID, limit: int) -> list[dict[str, Any]]:
    found = []
    for kind in CASELESS:
        rule = await disposal.rule_of(call.rt, call.who.agency, kind)
        if rule is not None:
            day = rule.ended_before(call.now().astimezone(TOKYO).date())
            before = datetime.combine(day, time(), TOKYO)
            rows = await caseless.ended(call.rt, kind, call.who.agency, after, before, limit)
            found += [row | {"rule": rule} for row in rows]
    return found


async def _run_out_on(call: Call, row: dict[str, Any]) -> RunOut | None:
    """None: its time runs, or that of a case that stands together with it."""
    rule, closed_on = row["rule"], row["at"].astimezone(TOKYO).date()
    case = row["id"] if row["kind"] == "case" else None
    others = await disposal.others(call.rt, call.rt.pool, case) if case else []
    day = _last(rule.run_out_on(closed_on), others)
    if day is None or day > call.now().astimezone(TOKYO).date():
        return None
    return RunOut(
        kind=row["kind"],
        id=row["id"],
        case=case,
        closed_on=closed_on,
        run_out_on=day,
        rule=rule.code,
        confirmed=rule.confirmed,
    )


def evidence(state: Disposal, events: Iterable[Recorded]) -> Evidence:
    """As its steps say; `joined` whole."""
    found = Evidence(step=state.step, held=state.held)
    for e in events:
        match e.event:
            case (
                DisposalProposed(rule=rule, run_out_on=day, by=by)
                | CaselessDisposalProposed(rule=rule, run_out_on=day, by=by)
            ):
                found.rule, found.run_out_on, found.proposed_by = rule, day, by
            case (
                DisposalApproved(by=by, keys=keys, signature=signed)
                | CaselessDisposalApproved(by=by, keys=keys, signature=signed)
            ):
                found.approved_by, found.signature, found.keys = by, signed, list(keys)
                if isinstance(e.event, DisposalApproved):
                    found.people, found.joined = list(e.event.people), list(e.event.joined)
            case CaseDisposed() | CaselessDisposed():
                found.disposed_at = e.envelope.at
    return found


@router.get("/v1/cases/{id}/disposal")
async def get_disposal(on: OnLedCaseDep) -> Evidence:
    found = evidence(on.state.disposal, on.events)
    if on.state.status == "disposed":
        found.step = "disposed"
    found.joined = [case for case in found.joined if await stands_in(on.call, case)]
    return found


@router.post("/v1/cases/{id}/hold")
async def hold(on: OnLedCaseDep, body: Hold) -> Receipt:
    """Nothing of the case is disposed of until the hold is lifted."""
    return await on.write(HoldPlaced(case=on.case, reason=body.reason), body)


@router.post("/v1/cases/{id}/hold-lifting")
async def lift(on: OnLedCaseDep, body: Step) -> Receipt:
    return await on.write(HoldLifted(case=on.case), body)


@router.post("/v1/cases/{id}/disposal")
async def propose(on: OnLedCaseDep, body: Step) -> Receipt:
    """After its time, and that of all that merges joined with it, has run out; another person decides."""
    rt = on.call.rt
    rule = await disposal.rule_of(rt, on.lead)
    closed_on = disposal.closed_on(on.events) or on.call.now().date()
    day = rule.run_out_on(closed_on) if rule else closed_on
    others = await disposal.others(rt, rt.pool, on.case)
    event = DisposalProposed(
        case=on.case,
        rule=rule.code if rule else "none",
        run_out_on=_last(day, others) or day,
        by=on.call.who.subject,
    )

    async def check() -> None:
        await _run_out(on, rt.pool)

    return await on.write(event, body, check=check)


@router.post("/v1/cases/{id}/disposal/approval")
async def approve(on: OnLedCaseDep, body: Step) -> Receipt:
    """By a second person. The keys are destroyed at once; from then on nobody can open anything."""
    rt = on.call.rt
    async with disposal.alone(rt) as db:
        receipt = await _approve(await again(on, db), body, db)
    await disposal.carry_out(rt)
    return receipt


async def _approve(on: OnCase, body: Step, db: Connection) -> Receipt:
    """`db`: in which nobody writes beside us."""
    rt = on.call.rt
    people, keys = await disposal.keys_of(rt, db, on.case, on.state.people)
    joined = [other.case for other in await disposal.others(rt, db, on.case)]
    event = DisposalApproved(
        case=on.case,
        by=on.call.who.subject,
        people=tuple(sorted(people)),
        joined=tuple(joined),
        keys=tuple(keys),
        signature=disposal.signed(rt, on.case, keys),
    )

    async def check() -> None:
        await _run_out(on, db)

    return await on.write(event, body, check=check, db=db)


@router.post("/v1/cases/{id}/disposal/decline")
async def decline(on: OnLedCaseDep, body: Step) -> Receipt:
    return await on.write(DisposalDeclined(case=on.case, by=on.call.who.subject), body)


async def _run_out(on: OnCase, db: Connection | Pool) -> None:
    if on.state.status != "closed":
        return  # the decider says so
    rt = on.call.rt
    rule = await disposal.rule_of(rt, on.lead)
    closed_on = disposal.closed_on(on.events)
    today = on.call.now().astimezone(TOKYO).date()
    others = await disposal.others(rt, db, on.case)
    run_out_on = _last(rule.run_out_on(closed_on), others) if rule and closed_on else None
    if run_out_on is None or run_out_on > today:  # whichever of them it is: no more is told (L14)
        raise Refused("retention-has-not-run-out", on.state.status, ("hold", "reopening"))
    people = on.state.people.union(*(other.people for other in others))
    if await holding.asked_for(rt, db, people):
        raise Refused("a-request-waits", on.state.status, ("hold", "reopening"))


def _last(own: date, others: list[disposal.Other]) -> date | None:
    """When the last of them has run out; None while one of the others may not go at all."""
    days = [other.run_out_on for other in others]
    return None if None in days else max((own, *(day for day in days if day)))
