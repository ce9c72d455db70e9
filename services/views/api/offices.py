"""Offices of an agency without a system: the mail address or fax that its cover sheets go to."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field

from shared.contracts.views import OfficeRegistered, OfficeRemoved
from shared.contracts.views.way import OFFICE
from shared.http import Body, Call, Receipt, Route
from shared.ids import uuid7
from shared.problems import bad_input

from ..domain import way
from .common import Code
from .ways import Subscriber

router = APIRouter(route_class=Route, prefix="/v1/subscriptions/{code}/offices")
By = Literal["mail", "fax"]


def _digits(given: object) -> object:
    """A fax may be written as people write it."""
    if isinstance(given, str) and "@" not in given:
        return given.translate({ord(mark): None for mark in "-() "})
    return given


class NewOffice(Body):
    """A mail address of the office, or its fax in digits; `-`, brackets and spaces are dropped."""

    address: Annotated[str, BeforeValidator(_digits), Field(pattern=OFFICE, max_length=400)]


class Office(BaseModel):
    by: By
    address: str


@router.put("/{by}")
async def register(code: Code, by: By, call: Subscriber, body: NewOffice) -> Receipt:
    """From now on cover sheets for this way are sent there. A repeat changes nothing."""
    call.need("operator")

    async def check() -> None:
        if (by == "mail") != ("@" in body.address):
            raise bad_input("body.address", "not an address of this kind / 種別に合わない宛先です")

    event = OfficeRegistered(agency=code, place=uuid7(), by=by, address=body.address)
    return await call.handle(way.DECIDER, f"subscription/{code}", code, event, body, check=check)


@router.get("")
async def list_offices(code: Code, call: Subscriber) -> list[Office]:
    offices = await _offices(call, code)
    return [Office(by=one.by, address=one.address) for one in offices.values()]


@router.delete("/{by}")
async def remove(code: Code, by: By, call: Subscriber) -> Receipt:
    """What waits to be sent there is given up."""
    call.need("operator")
    event = OfficeRemoved(agency=code, by=by)
    return await call.handle(way.DECIDER, f"subscription/{code}", code, event, Body())


async def _offices(call: Call, code: str) -> dict[str, OfficeRegistered]:
    return dict((await call.load(f"subscription/{code}")).fold(way.DECIDER).offices)
