"""Cover sheets for agencies without a system: made by who leads the case, printed, without content."""

from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Path
from fastapi.responses import HTMLResponse

from shared.calendar import TOKYO
from shared.contracts.views import CoverIssued
from shared.http import Body, Call, Caller, PathId, Receipt, Route, to_uuid
from shared.problems import not_found

from ..domain import cover
from ..domain.document import Handles
from .common import Code, led
from .page import html

router = APIRouter(route_class=Route, prefix="/v1/cases/{case}/covers")
STAFF = ("intake_worker", "coordinator", "supervisor")


class NewCover(Body):
    agency: Code
    by: Literal["fax", "mail", "paper"]


class OnCase:
    def __init__(self, call: Call, case: UUID) -> None:
        self.call, self.case = call, case


async def on_case(case: PathId, call: Caller) -> OnCase:
    id = to_uuid(case)
    await led(call, id)
    call.need(*STAFF)
    return OnCase(call, id)


On = Annotated[OnCase, Depends(on_case)]


@router.post("", status_code=201)
async def issue(on: On, body: NewCover) -> Receipt:
    """A sheet for one agency that has a document of the case. `Location` is the sheet to print."""
    event = CoverIssued(agency=body.agency, case=on.case, cover=uuid4(), by=body.by)
    stream = f"disclosure/{body.agency}/{on.case}"
    done = await on.call.handle(cover.DECIDER, stream, str(on.case), event, body)
    place = f"/v1/cases/{on.case}/covers/{body.agency}/{done.version}"
    on.call.response.headers["Location"] = place
    return done


@router.get("/{agency}/{version}", response_class=HTMLResponse)
async def print_cover(
    on: On, agency: Code, version: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> HTMLResponse:
    """One page to fax, mail or post: the agency's own handle and a link that opens once, no more."""
    past = await on.call.load(f"disclosure/{agency}/{on.case}")
    found = past.events[version - 1] if version <= past.version else None
    if found is None or not isinstance(found.event, CoverIssued):
        raise not_found()
    handle = Handles(on.call.rt.keys.index_key, agency).of("case", on.case)
    link = on.call.request.url_for("get_page", handle=handle)
    return html(
        "cover.html",
        agency=agency,
        sender=on.call.who.agency,
        handle=handle,
        link=link.include_query_params(cover=str(found.event.cover)),
        at=found.envelope.at.astimezone(TOKYO),
    )
