"""What stands of a person and changes what may be shared: died, suspected abuse, conflict of interest."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from shared.basis import flags
from shared.contracts.codes import OneOf
from shared.contracts.intake import PersonFlagged
from shared.http import Body, Receipt, Route
from shared.problems import Problem

from ..domain import case as cases
from .common import OnCaseDep, all_known

router = APIRouter(route_class=Route)
LIFTING = ("supervisor", "coordinator")


class Flags(Body):
    """All that stands of the person now; what is left out stands no more. `occurred_at`: since when."""

    person: UUID
    flags: list[Annotated[str, *OneOf("flag")]] = Field(max_length=3)


@router.post("/v1/cases/{id}/flags")
async def flag(on: OnCaseDep, body: Flags) -> Receipt:
    """A worker may raise a flag; lifting one is for a coordinator or supervisor."""
    before = next((standing for _, standing in reversed(flags(on.events, body.person))), ())
    if set(before) - set(body.flags) and not on.call.who.roles.intersection(LIFTING):
        raise Problem("wrong-role", allowed=sorted(LIFTING))
    event = PersonFlagged(case=on.case, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        all_known(on, [body.person], "body.person")

    return await on.write(cases.Safeguard(event), body, check=check)
