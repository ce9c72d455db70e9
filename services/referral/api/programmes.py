"""Programmes (事業): who runs each under contract, from which day to which, and who after him."""

import re
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.contracts.event import AGENCY
from shared.contracts.referral import ProgrammeContracted, ProgrammeRegistered
from shared.http import (
    After,
    Body,
    Call,
    Caller,
    Limit,
    Line,
    Page,
    PathId,
    Receipt,
    Route,
    to_uuid,
)
from shared.ids import uuid7
from shared.journal import Past
from shared.problems import bad_input, not_found

from .. import view
from ..domain import programme as programmes
from .common import (
    Agency,
    Day,
    OperatorDep,
    after,
    code_in_path,
    day_of,
    first_moment,
    last_day,
    taken,
)

router = APIRouter(route_class=Route)


class NewProgramme(Body):
    name: Line


class NewContract(Body):
    """Both days belong to it."""

    agency: Agency
    begins_on: Day
    last_on: Day


class Ending(Body):
    """`last_on`: the last day on which the agency runs the programme; the day before the first, if it
    never will.
    """

    last_on: Day


class ContractShown(BaseModel):
    id: UUID
    agency: str
    begins_on: date
    last_on: date


class ProgrammeShown(BaseModel):
    """`run_by`: the agency that runs it now; none between two contracts."""

    code: str
    name: str
    run_by: str | None
    contracts: list[ContractShown]


class OnProgramme:
    """A call on a programme that is registered (404 otherwise)."""

    def __init__(self, call: Call, code: str, past: Past) -> None:
        self.call, self.code, self.past = call, code, past
        self.state: programmes.Programme = past.fold(programmes.DECIDER)

    async def write(self, command: programmes.Command, body: Body, **more: Any) -> Receipt:
        stream = f"programme/{self.code}"
        return await self.call.handle(
            programmes.DECIDER, stream, self.code, command, body, past=self.past, **more
        )

    def shown(self) -> ProgrammeShown:
        state, now = self.state, self.call.now()
        assert state.registered is not None
        terms = [one for one in state.terms.values() if one.made.begins < one.ends]
        running = (one.made.agency for one in terms if one.made.begins <= now < one.ends)
        return ProgrammeShown(
            code=self.code,
            name=state.registered.name,
            run_by=next(running, None),
            contracts=[
                ContractShown(
                    id=one.made.contract,
                    agency=one.made.agency,
                    begins_on=day_of(one.made.begins),
                    last_on=last_day(one.ends),
                )
                for one in sorted(terms, key=lambda one: one.made.begins)
            ],
        )


async def on_programme(code: str, call: Caller) -> OnProgramme:
    past = await call.load(f"programme/{code}") if re.fullmatch(AGENCY, code) else Past(0, [])
    on = OnProgramme(call, code, past)
    if on.state.registered is None:
        raise not_found()
    return on


async def on_contracts(on: Annotated[OnProgramme, Depends(on_programme)]) -> OnProgramme:
    on.call.need("operator")
    return on


OnProgrammeDep = Annotated[OnProgramme, Depends(on_programme)]
OnContractsDep = Annotated[OnProgramme, Depends(on_contracts)]


@router.put("/v1/programmes/{code}", responses={201: {"model": Receipt}})
async def register_programme(code: str, call: OperatorDep, body: NewProgramme) -> Receipt:
    """201 the first time, then 200; the same name again writes nothing."""
    code_in_path(code)
    registered = ProgrammeRegistered(programme=code, name=body.name)
    return await call.handle(
        programmes.DECIDER,
        f"programme/{code}",
        code,
        programmes.Register(registered),
        body,
        location="/v1/programmes/{id}",
    )


@router.get("/v1/programmes")
async def list_programmes(
    call: Caller, after: After = None, limit: Limit = 50
) -> Page[ProgrammeShown]:
    found = (await view.the_world(call.rt)).offices.programmes
    codes = sorted(code for code in found if code > (after or ""))[:limit]
    pasts = await call.loads(*(f"programme/{code}" for code in codes))
    items = [OnProgramme(call, *one).shown() for one in zip(codes, pasts, strict=True)]
    return Page(items=items, next=codes[-1] if len(codes) == limit else None)


@router.get("/v1/programmes/{code}")
async def get_programme(on: OnProgrammeDep) -> ProgrammeShown:
    on.call.shows(on.past.version)
    return on.shown()


@router.post("/v1/programmes/{code}/contracts")
async def contract(on: OnContractsDep, body: NewContract) -> Receipt:
    """At midnight of its first day the programme's records come to the agency, and go from whoever had
    them (L2). No other contract of the programme may have one of its days.
    """

    async def check() -> None:
        if body.last_on < body.begins_on:
            raise bad_input("body.last_on", "lies before its first day / 開始日より前の日です")
        if not await taken(on.call, f"agency/{body.agency}"):
            raise bad_input("body.agency", "not in the directory / 機関一覧にありません")

    made = ProgrammeContracted(
        programme=on.code,
        contract=uuid7(),
        agency=body.agency,
        begins=first_moment(body.begins_on),
        ends=max(after(body.last_on), first_moment(body.begins_on)),
    )
    return await on.write(programmes.Contract(made), body, check=check)


@router.post("/v1/programmes/{code}/contracts/{id}/ending")
async def end(id: PathId, on: OnContractsDep, body: Ending) -> Receipt:
    """Ahead of its time. From midnight on the agency holds none of the programme's records."""
    found = to_uuid(id)
    if found not in on.state.terms:
        raise not_found()
    return await on.write(programmes.End(found, after(body.last_on)), body)
