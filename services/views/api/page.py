"""One case as one page, for a member of an agency without a system: read, printed, retractions confirmed."""

import hmac
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from shared.calendar import TOKYO
from shared.contracts.codes import labels
from shared.contracts.views import CoverUsed
from shared.decider import Refused
from shared.http import Route
from shared.journal import Past, Written
from shared.pages import pages
from shared.problems import bad_input, not_found

from ..delivery import document_of
from ..domain import cover as covers
from ..domain import disclosure, printing
from ..words import Line, line
from .common import Held, HeldDep, admitted, record_reading
from .documents import Confirmation

router = APIRouter(route_class=Route, prefix="/v1/views/{handle}/page")
PAGES = pages(__file__)
SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
NOT_THE_FORM = "not the form of this page / この画面の様式ではありません"
GONE: dict[int | str, dict[str, Any]] = {
    410: {
        "description": "The link was opened before, or its time is over",
        "content": {"text/html": {}},
    }
}


def html(name: str, status: int = 200, **shown: Any) -> HTMLResponse:
    return HTMLResponse(PAGES.get_template(name).render(**shown), status, headers=SAFE)


@router.get("", response_class=HTMLResponse, responses=GONE)
async def get_page(on: HeldDep, cover: Annotated[UUID | None, Query()] = None) -> HTMLResponse:
    """What the agency holds of the case now. The opening is on record, and the link of a cover sheet
    opens once (410 from then on).
    """
    call = on.call
    await admitted(call)
    document, recorded = await document_of(call.rt, call.who.agency, on.case)
    if cover and not await _first(on, cover):
        return html("used.html", 410, page=call.request.url.path)
    await record_reading(call, on.case, recorded.items, document["document"])
    await _write(on, disclosure.DECIDER, disclosure.Acknowledge(document["document"], "opened"))
    past = await call.load(_stream(on))
    owed = max(past.fold(disclosure.DECIDER).open, default=0)
    copies = past.fold(printing.DECIDER)
    return html(
        "document.html",
        **_shown(on, document),
        owed=owed,
        copies=len(copies),
        asked_back=[n for n, of in enumerate(copies, 1) if of < owed],
        grounds=labels("kept"),
        token=_token(on),
        page=call.request.url.path,
    )


@router.post("/print", response_class=HTMLResponse)
async def print_page(on: HeldDep) -> HTMLResponse:
    """The same to be printed, with a mark: the number of the copy, who printed it and when. On record."""
    call = on.call
    await admitted(call)
    _form(on)
    document, recorded = await document_of(call.rt, call.who.agency, on.case)
    await record_reading(call, on.case, recorded.items, document["document"])
    command = printing.Print(call.who.agency, on.case, document["document"])
    done = await _write(on, printing.DECIDER, command)
    past = await call.load(_stream(on))
    number = len(Past(done.version, past.events[: done.version]).fold(printing.DECIDER))
    return html(
        "copy.html",
        **_shown(on, document),
        mark=f"{str(on.handle)[:8]}-{number}",
        agency=call.who.agency,
        printed=f"{call.now().astimezone(TOKYO):%Y-%m-%d %H:%M}",
        by=call.who.subject,
        page=call.request.url.path.removesuffix("/print"),
    )


@router.post("/confirmation", status_code=303, response_class=RedirectResponse)
async def confirm_on_page(on: HeldDep) -> RedirectResponse:
    """The form of the page (`application/x-www-form-urlencoded`): deleted, or kept on a ground."""
    await admitted(on.call)
    given = _form(on)
    try:
        document = int(given.get("document", ""))
        body = Confirmation.model_validate({"document": document, "kept": given.get("kept")})
    except (ValueError, ValidationError):
        raise bad_input("body", NOT_THE_FORM) from None
    await on.write(disclosure.ConfirmRetraction(body.document, body.kept), body)
    page = on.call.request.url.path.removesuffix("/confirmation")
    return RedirectResponse(page, 303, headers=SAFE)


def _form(on: Held) -> dict[str, str]:
    """422 for what no page that this member has opened has sent."""
    try:
        given = {k: v[-1] for k, v in parse_qs(on.call.body.decode(), max_num_fields=10).items()}
    except ValueError:
        raise bad_input("body", NOT_THE_FORM) from None
    if not hmac.compare_digest(given.get("token", "").encode(), _token(on).encode()):
        raise bad_input("body.token", "open the page again / 画面を開き直してください")
    return given


async def _first(on: Held, cover: UUID) -> bool:
    """404 for a sheet that was never made for this case."""
    event = CoverUsed(agency=on.call.who.agency, case=on.case, cover=cover)
    try:
        await _write(on, covers.DECIDER, covers.Use(event, on.call.now()))
    except Refused as refused:
        if refused.reason == "no-such-cover":
            raise not_found() from None
        return False
    return True


async def _write(on: Held, decider: Any, command: Any) -> Written:
    context = replace(on.call.context(), command=None)
    journal = on.call.rt.journal
    return await journal.handle(decider, _stream(on), str(on.case), command, context)


def _stream(on: Held) -> str:
    return f"disclosure/{on.call.who.agency}/{on.case}"


def _token(on: Held) -> str:
    """Only a page that this member has opened can send the form."""
    who, key = on.call.who, on.call.rt.keys.index_key
    return hmac.digest(
        key, f"form\n{who.agency}\n{who.subject}\n{on.handle}".encode(), sha256
    ).hex()


def _shown(on: Held, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "handle": on.handle,
        "number": document["document"],
        "at": datetime.fromisoformat(document["at"]).astimezone(TOKYO),
        "people": _people(document),
    }


def _people(document: dict[str, Any]) -> list[tuple[str, list[Line]]]:
    """By person, named by number."""
    order = [one["person"] for one in document["persons"]]
    found: dict[str, list[Line]] = {}
    for item in document["items"]:
        person = item["person"]
        name = f"{order.index(person) + 1}人目" if person in order else "世帯"
        found.setdefault(name, []).append(line(item))
    return list(found.items())
