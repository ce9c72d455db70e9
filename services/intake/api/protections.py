"""Protected items (支援措置): an address, telephone, school or workplace for named agencies only (L11)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from shared.contracts.codes import OneOf
from shared.contracts.intake import ItemProtected, ProtectionLifted
from shared.http import Body, Receipt, Route

from ..domain import case as cases
from .common import Agency, OnCaseDep, all_known, in_directory

router = APIRouter(route_class=Route)
LIFTING = ("supervisor", "coordinator", "privacy_officer")


class Item(Body):
    person: UUID
    item: Annotated[str, *OneOf("protected_item")]


class Protection(Item):
    """`named`: who may see it, if a basis gives it to them. Nobody else does, the lead agency included;
    a later list replaces this one.
    """

    named: list[Agency] = Field([], max_length=70)


@router.post("/v1/cases/{id}/protections")
async def protect(on: OnCaseDep, body: Protection) -> Receipt:
    on.need_lead()

    async def check() -> None:
        all_known(on, [body.person], "body.person")
        await in_directory(on, set(body.named), "body.named")

    event = ItemProtected(case=on.case, **body.model_dump(exclude={"occurred_at"}))
    return await on.write(cases.Safeguard(event), body, check=check)


@router.post("/v1/cases/{id}/protections/lifting")
async def lift(on: OnCaseDep, body: Item) -> Receipt:
    on.need_lead()
    on.call.need(*LIFTING)

    async def check() -> None:
        all_known(on, [body.person], "body.person")

    event = ProtectionLifted(case=on.case, person=body.person, item=body.item)
    return await on.write(cases.Safeguard(event), body, check=check)
