"""The end of data: what has run out, holds, and disposal decided by two persons."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.audit import content_free
from shared.calendar import TOKYO
from shared.contracts.intake import (
    CaseDisposed,
    DisposalApproved,
    DisposalDeclined,
    DisposalProposed,
    HoldLifted,
    HoldPlaced,
)
from shared.decider import Refused
from shared.erasure import signature
from shared.http import After, Body, Call, Limit, Page, Receipt, Route, Text, to_uuid

from .. import disposal, holding
from .common import NO_ID, OnCase, OnLedCaseDep, officer, stands_in

router = APIRouter(route_class=Route)


class Hold(Body):
    reason: Text


class Step(Body):
    pass


class RunOut(BaseModel):
    """A closed case whose data may go, as may all that merges joined with it. `confirmed` false: nobody
    has confirmed the rule (要確認).
    """

    case: UUID
    closed_on: date
    run_out_on: date
    rule: str
    confirmed: bool


class Evidence(BaseModel):
    """What was decided about the data of a case, by whom, and what was destroyed. `joined`: the cases of
    the caller's agency that stood together with it by merges, and whose time had run out as well.
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
    """Closed cases that the caller's agency leads and whose time has run out."""
    rule = await disposal.rule_of(call.rt, call.who.agency)
    if rule is None:
        return Page(items=[])
    start = to_uuid(after) if after else NO_ID
    now = call.now()
    rows = await disposal.closed(call.rt, call.who.agency, start, now, limit)
    today = now.astimezone(TOKYO).date()
    items = []
    for row in rows:
        closed_on = row["at"].astimezone(TOKYO).date()
        run_out_on = _last(rule.run_out_on(closed_on), await disposal.others(call.rt, row["id"]))
        if run_out_on and run_out_on <= today:
            items.append(
                RunOut(
                    case=row["id"],
                    closed_on=closed_on,
                    run_out_on=run_out_on,
                    rule=rule.code,
                    confirmed=rule.confirmed,
                )
            )
    return Page(items=items, next=str(rows[-1]["id"]) if len(rows) == limit else None)


@router.get("/v1/cases/{id}/disposal")
async def get_disposal(on: OnLedCaseDep) -> Evidence:
    found = Evidence(step=on.state.disposal.step, held=on.state.disposal.held)
    if on.state.status == "disposed":
        found.step = "disposed"
    for e in on.events:
        match e.event:
            case DisposalProposed(rule=rule, run_out_on=day, by=by):
                found.rule, found.run_out_on, found.proposed_by = rule, day, by
            case DisposalApproved(by=by, people=people, keys=keys, signature=signed):
                found.approved_by, found.signature = by, signed
                found.people, found.keys = list(people), list(keys)
                found.joined = [case for case in e.event.joined if await stands_in(on.call, case)]
            case CaseDisposed():
                found.disposed_at = e.envelope.at
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
    rule = await disposal.rule_of(on.call.rt, on.lead)
    closed_on = disposal.closed_on(on.events) or on.call.now().date()
    day = rule.run_out_on(closed_on) if rule else closed_on
    event = DisposalProposed(
        case=on.case,
        rule=rule.code if rule else "none",
        run_out_on=_last(day, await disposal.others(on.call.rt, on.case)) or day,
        by=on.call.who.subject,
    )

    async def check() -> None:
        await _run_out(on)

    return await on.write(event, body, check=check)


@router.post("/v1/cases/{id}/disposal/approval")
async def approve(on: OnLedCaseDep, body: Step) -> Receipt:
    """By a second person. The keys are destroyed at once; from then on nobody can open anything."""
    rt = on.call.rt
    people, keys = await disposal.keys_of(rt, on.case, on.state.people)
    joined = [other.case for other in await disposal.others(rt, on.case)]
    master = rt.keys.keyring_master_key
    assert master is not None
    event = DisposalApproved(
        case=on.case,
        by=on.call.who.subject,
        people=tuple(sorted(people)),
        joined=tuple(joined),
        keys=tuple(keys),
        signature=signature(master, on.case, keys),
    )

    async def check() -> None:
        await _run_out(on)

    receipt = await on.write(event, body, check=check)
    await disposal.carry_out(rt)
    return receipt


@router.post("/v1/cases/{id}/disposal/decline")
async def decline(on: OnLedCaseDep, body: Step) -> Receipt:
    return await on.write(DisposalDeclined(case=on.case, by=on.call.who.subject), body)


async def _run_out(on: OnCase) -> None:
    if on.state.status != "closed":
        return  # the decider says so
    rule = await disposal.rule_of(on.call.rt, on.lead)
    closed_on = disposal.closed_on(on.events)
    today = on.call.now().astimezone(TOKYO).date()
    others = await disposal.others(on.call.rt, on.case)
    run_out_on = _last(rule.run_out_on(closed_on), others) if rule and closed_on else None
    if run_out_on is None or run_out_on > today:  # whichever of them it is: no more is told (L14)
        raise Refused("retention-has-not-run-out", on.state.status, ("hold", "reopening"))
    people = on.state.people.union(*(other.people for other in others))
    if await holding.asked_for(on.call.rt, people):
        raise Refused("a-request-waits", on.state.status, ("hold", "reopening"))


def _last(own: date, others: list[disposal.Other]) -> date | None:
    """When the last of them has run out; None while one of the others may not go at all."""
    days = [other.run_out_on for other in others]
    return None if None in days else max((own, *(day for day in days if day)))
