"""The directory of agencies: what each is, the programmes that it runs under contract, its desks."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shared.basis import World
from shared.contracts.codes import OneOf
from shared.contracts.event import AGENCY
from shared.contracts.referral import AgencyRegistered
from shared.http import After, Body, Caller, Limit, Line, Page, Receipt, Route
from shared.journal import Past
from shared.problems import bad_input, not_found

from .. import view
from ..domain import agency as agencies
from .common import ONCE, OperatorDep, code_in_path, taken

router = APIRouter(route_class=Route)


class NewAgency(Body):
    name: Line
    kind: Line
    controller: Annotated[str, *OneOf("controller")]
    purposes: Annotated[list[Annotated[str, *OneOf("purpose")]], ONCE] = Field(max_length=3)
    window: bool = False


class AgencyShown(BaseModel):
    """`programmes`: codes of those that it runs today; `desks`: of those that it has, shelters never."""

    code: str
    name: str
    kind: str
    controller: str
    purposes: list[str]
    window: bool
    programmes: list[str]
    desks: list[str]

    @classmethod
    def of(cls, registered: AgencyRegistered, world: World, at: datetime) -> "AgencyShown":
        code, offices = registered.agency, world.offices
        return cls(
            code=code,
            programmes=sorted(p for p in offices.programmes if offices.runner(p, at) == code),
            desks=sorted(
                desk.code
                for desk in offices.desks.values()
                if not desk.shelter and offices.desk_of(desk.code, at) == code
            ),
            **registered.model_dump(exclude={"agency"}),
        )


@router.put("/v1/agencies/{code}", responses={201: {"model": Receipt}})
async def register_agency(code: str, call: OperatorDep, body: NewAgency) -> Receipt:
    """201 the first time, then 200; the same values again write nothing."""
    code_in_path(code)

    async def check() -> None:
        if await taken(call, f"desk/{code}"):
            raise bad_input("path.code", "is that of a desk / 窓口の符号として使われています")

    registered = AgencyRegistered(agency=code, **body.model_dump(exclude={"occurred_at"}))
    return await call.handle(
        agencies.DECIDER,
        f"agency/{code}",
        code,
        agencies.Register(registered),
        body,
        check=check,
        location="/v1/agencies/{id}",
    )


@router.get("/v1/agencies")
async def list_agencies(call: Caller, after: After = None, limit: Limit = 50) -> Page[AgencyShown]:
    world = await view.the_world(call.rt)
    codes = sorted(code for code in world.agencies if code > (after or ""))[:limit]
    items = [AgencyShown.of(world.agencies[code], world, call.now()) for code in codes]
    return Page(items=items, next=codes[-1] if len(codes) == limit else None)


@router.get("/v1/agencies/{code}")
async def get_agency(code: str, call: Caller) -> AgencyShown:
    past = await call.load(f"agency/{code}") if re.fullmatch(AGENCY, code) else Past(0, [])
    registered = past.fold(agencies.DECIDER).registered
    if registered is None:
        raise not_found()
    call.shows(past.version)
    return AgencyShown.of(registered, await view.the_world(call.rt), call.now())
