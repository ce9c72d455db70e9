"""Cover sheets for agencies without a system: made by who leads the case, sent or printed."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Path
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from shared.contracts.codes import OneOf, cover_days
from shared.contracts.views import CoverBounced, CoverIssued
from shared.http import After, Body, Call, Caller, Limit, Page, PathId, Receipt, Route, to_uuid
from shared.journal import Past
from shared.problems import bad_input, not_found

from .. import account, view
from ..domain import cover, way
from ..domain.document import Handles
from ..ways import cover_post
from ..ways.letter import day, link, returned
from ..ways.mailing import mail_of
from .common import NO_ID, Code, led
from .page import html

router = APIRouter(route_class=Route)
STAFF = ("intake_worker", "coordinator", "supervisor")
CASE = "/v1/cases/{case}/covers"


class NewCover(Body):
    """`again`: why one more of the same document goes to the same place."""

    agency: Code
    by: Literal["fax", "mail", "paper"]
    again: Annotated[str, *OneOf("cover_again")] | None = None


class Cover(BaseModel):
    """`why` it was not sent: a reason, or the status with which it came back. `to_send`: by a person."""

    agency: str
    case: UUID
    by: str
    document: int | None
    issued_at: datetime
    until: datetime | None
    state: cover.State
    tries: int
    why: str | None
    used: bool


class Returned(BaseModel):
    taken: bool


class OnCase:
    def __init__(self, call: Call, case: UUID) -> None:
        self.call, self.case = call, case


async def on_case(case: PathId, call: Caller) -> OnCase:
    id = to_uuid(case)
    await led(call, id)
    call.need(*STAFF)
    return OnCase(call, id)


On = Annotated[OnCase, Depends(on_case)]


@router.post(CASE, status_code=201)
async def issue(on: On, body: NewCover) -> Receipt:
    """A sheet for one agency that has a document of the case. It is sent where the agency's office is
    registered for this way; else `Location` is the sheet to print. 409 `cover-was-sent` without
    a reason to send it again.
    """
    call = on.call
    event = CoverIssued(
        agency=body.agency,
        case=on.case,
        cover=uuid4(),
        by=body.by,
        until=call.now() + timedelta(days=cover_days()),
        place=await _place(call, body),
        again=body.again,
    )
    stream = f"disclosure/{body.agency}/{on.case}"
    done = await call.handle(cover.DECIDER, stream, str(on.case), event, body)
    call.response.headers["Location"] = f"/v1/cases/{on.case}/covers/{body.agency}/{done.version}"
    return done


@router.get(CASE)
async def list_covers(on: On) -> list[Cover]:
    """What became of the sheets of a case, the newest first."""
    streams = await account.disclosures_of(on.call.rt, [on.case])
    found = [one for past in await on.call.loads(*streams) for one in _shown(past)]
    return sorted(found, key=lambda one: one.issued_at, reverse=True)


@router.get("/v1/covers/astray")
async def list_astray(call: Caller, after: After = None, limit: Limit = 100) -> Page[Cover]:
    """Sheets that could not be sent or came back, of all cases that the caller's agency leads, until
    another one is made or the link was opened.
    """
    call.need(*STAFF)
    start = _uuid(after) if after else NO_ID
    gone = await view.gone(call.rt.reads, call.who)
    rows = await cover_post.astray(call.rt, call.who, list(gone), start, limit)
    pasts = await call.loads(*(f"disclosure/{row['agency']}/{row['case_id']}" for row in rows))
    items = [
        _cover(past, row["cover"])
        for row, past in zip(rows, pasts, strict=True)
        if row["cover"] in past.fold(cover.DECIDER).of
    ]
    return Page(items=items, next=str(rows[-1]["cover"]) if len(rows) == limit else None)


@router.post("/v1/covers/bounces")
async def take_bounce(call: Caller) -> Returned:
    """A delivery status notification as the city's mail server got it (`message/rfc822`, RFC 3464).
    `taken` false: it is about nothing that was sent from here, or about a delay.
    """
    call.need("operator")
    found = returned(call.body)
    place = found and await cover_post.place_of(call.rt, found[0])
    if not found or not place:
        return Returned(taken=False)
    agency, case = place
    event = CoverBounced(agency=agency, case=case, cover=found[0], status=found[1])
    stream = f"disclosure/{agency}/{case}"
    await call.handle(cover.DECIDER, stream, str(case), event, Body())
    return Returned(taken=True)


@router.get(CASE + "/{agency}/{version}", response_class=HTMLResponse)
async def print_cover(
    on: On, agency: Code, version: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> HTMLResponse:
    """One page to fax, mail or post: the agency's own handle and a link that opens once, no more."""
    past = await on.call.load(f"disclosure/{agency}/{on.case}")
    found = past.events[version - 1] if version <= past.version else None
    if found is None or not isinstance(found.event, CoverIssued):
        raise not_found()
    handle = Handles(on.call.rt.keys.index_key, agency).of("case", on.case)
    mail = mail_of(on.call.rt)
    pages = mail.pages or str(on.call.request.base_url)
    return html(
        "cover.html",
        agency=agency,
        sender=found.envelope.agency,
        handle=handle,
        link=link(pages, handle, found.event.cover),
        at=day(found.envelope.at),
        until=day(found.event.until) if found.event.until else None,
        contact=mail.contact,
    )


async def _place(call: Call, body: NewCover) -> UUID | None:
    """Where a machine sends it, if it does."""
    mail = mail_of(call.rt)
    if not mail.host or (body.by == "fax" and not mail.fax):
        return None
    offices = (await call.load(f"subscription/{body.agency}")).fold(way.DECIDER).offices
    return offices[body.by].place if body.by in offices else None


def _shown(past: Past) -> list[Cover]:
    return [_cover(past, id) for id in past.fold(cover.DECIDER).of]


def _cover(past: Past, id: UUID) -> Cover:
    found: cover.Cover = past.fold(cover.DECIDER).of[id]
    at = next(e.envelope.at for e in past.events if e.event is found.issued)
    issued: dict[str, Any] = found.issued.model_dump(
        include={"agency", "case", "by", "document", "until"}
    )
    return Cover(
        **issued,
        issued_at=at,
        state=found.state,
        tries=found.tries,
        why=found.why,
        used=found.used,
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise bad_input("query.after", "use `next` as it was sent") from None
