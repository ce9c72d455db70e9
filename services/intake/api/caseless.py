"""The end of closed notices, removed watches and years of readings: holds, and disposal by two persons."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from shared.calendar import TOKYO
from shared.contracts.intake import (
    CaselessDisposalApproved,
    CaselessDisposalDeclined,
    CaselessDisposalProposed,
    CaselessHoldLifted,
    CaselessHoldPlaced,
)
from shared.contracts.retention import CASELESS, Caseless
from shared.decider import Refused
from shared.http import Body, Call, Caller, PathId, Receipt, Route, to_uuid
from shared.journal import Past
from shared.problems import not_found

from .. import caseless, disposal, readings
from ..domain.caseless import DECIDER, Step
from ..domain.disposal import Caseless as Command
from ..domain.disposal import Disposal
from .common import OFFICERS
from .disposals import Evidence, Hold, evidence
from .disposals import Step as Nothing
from .own import OnOwn

router = APIRouter(route_class=Route)
BASES: dict[Caseless, str] = {"notice": "addressee", "watch": "registry", "reading": "controller"}
Kind = Annotated[str, Path(json_schema_extra={"enum": list(CASELESS)})]


class OnCaseless(OnOwn[Disposal, Step]):
    """A call on the end of a notice, a watch or a year of readings of the caller's agency (404 otherwise).
    `ended_on` None: it has not ended.
    """

    KIND, DECIDER = "caseless", DECIDER

    def __init__(
        self, call: Call, id: UUID, past: Past, kind: Caseless, ended_on: date | None
    ) -> None:
        super().__init__(call, id, past)
        self.kind, self.ended_on = kind, ended_on

    async def step(self, event: Command, body: Body, **more: Any) -> Receipt:
        return await self.write(Step(self.ended_on is not None, event), body, **more)

    async def run_out(self) -> None:
        """Raises Refused while its time runs; of what has not ended the decider says so."""
        rule = await disposal.rule_of(self.call.rt, self.call.who.agency, self.kind)
        today = self.call.now().astimezone(TOKYO).date()
        if self.ended_on and (rule is None or rule.run_out_on(self.ended_on) > today):
            raise Refused("retention-has-not-run-out", self.state.step, ("hold",))


async def on_caseless(kind: Kind, id: PathId, call: Caller) -> OnCaseless:
    of, found = caseless.kind_of(kind), to_uuid(id)
    if of is None:
        raise not_found()
    if of == "reading":
        today = call.now().astimezone(TOKYO).date()
        year = readings.year_of(call.who.agency, found, today)
        if year is None:
            raise not_found()
        steps, over = await call.load(f"caseless/{found}"), readings.last_day(year)
        ended_on = over if over < today else None
    else:
        past, steps = await call.loads(f"{of}/{found}", f"caseless/{found}")
        if caseless.keeper(past) != call.who.agency:
            raise not_found()
        ended_on = caseless.ended_on(past)
    call.need(*OFFICERS)
    return OnCaseless(call, found, steps, of, ended_on)


OnCaselessDep = Annotated[OnCaseless, Depends(on_caseless)]


@router.get("/v1/disposals/{kind}/{id}")
async def get_caseless_disposal(on: OnCaselessDep) -> Evidence:
    on.call.reads(f"{on.kind}/{on.id}", BASES[on.kind])
    return evidence(on.state, on.past.events)


@router.post("/v1/disposals/{kind}/{id}/hold")
async def hold_caseless(on: OnCaselessDep, body: Hold) -> Receipt:
    """It is not disposed of until the hold is lifted."""
    return await on.step(CaselessHoldPlaced(caseless=on.id, reason=body.reason), body)


@router.post("/v1/disposals/{kind}/{id}/hold-lifting")
async def lift_caseless(on: OnCaselessDep, body: Nothing) -> Receipt:
    return await on.step(CaselessHoldLifted(caseless=on.id), body)


@router.post("/v1/disposals/{kind}/{id}")
async def propose_caseless(on: OnCaselessDep, body: Nothing) -> Receipt:
    """After its time has run out; another person decides."""
    rule = await disposal.rule_of(on.call.rt, on.call.who.agency, on.kind)
    ended_on = on.ended_on or on.call.now().date()
    event = CaselessDisposalProposed(
        caseless=on.id,
        rule=rule.code if rule else "none",
        run_out_on=rule.run_out_on(ended_on) if rule else ended_on,
        by=on.call.who.subject,
    )
    return await on.step(event, body, check=on.run_out)


@router.post("/v1/disposals/{kind}/{id}/approval")
async def approve_caseless(on: OnCaselessDep, body: Nothing) -> Receipt:
    """By a second person. The key is destroyed at once; it is of this notice or watch alone. Of a year of
    readings the rows go, but for those of cases that are kept.
    """
    rt, keys = on.call.rt, (f"text/{on.id}",)
    event = CaselessDisposalApproved(
        caseless=on.id,
        by=on.call.who.subject,
        keys=keys,
        signature=disposal.signed(rt, on.id, keys),
    )
    receipt = await on.step(event, body, check=on.run_out)
    await disposal.carry_out(rt)
    return receipt


@router.post("/v1/disposals/{kind}/{id}/decline")
async def decline_caseless(on: OnCaselessDep, body: Nothing) -> Receipt:
    event = CaselessDisposalDeclined(caseless=on.id, by=on.call.who.subject)
    return await on.step(event, body)
