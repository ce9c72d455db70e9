"""HTTP of views: the caller agency's own documents, sealed facts for named members, receipts."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, Field, StringConstraints

from shared.contracts import Recorded
from shared.contracts.codes import OneOf
from shared.contracts.intake import CaseOpened, LeadAccepted
from shared.contracts.views import (
    BasisRef,
    DocumentChanged,
    ItemRef,
    ReadingRecorded,
    RetractionConfirmed,
    SubscriptionRegistered,
)
from shared.http import (
    After,
    Body,
    Call,
    Caller,
    Limit,
    Page,
    PathId,
    Receipt,
    Route,
    to_uuid,
)
from shared.problems import bad_input, not_found

from . import view
from .delivery import document_of
from .domain import disclosure, subscription
from .domain.disclose import Item, matters, reading
from .domain.document import Handles, item
from .judge import Judge

router = APIRouter(tags=["views"], route_class=Route)
NO_ID = UUID(int=0)
READERS = ("agency_worker", "intake_worker", "coordinator", "supervisor", "system")
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]


class PublicKey(BaseModel):
    """X25519 public key as JWK (RFC 8037)."""

    model_config = {"extra": "ignore"}
    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class NewSubscription(Body):
    public_key: PublicKey


class NewReceipt(Body):
    handle: UUID
    document: int = Field(ge=1, le=2**31 - 1)
    grade: Literal["delivered", "placed", "opened"]


class Confirmation(Body):
    document: int = Field(ge=1, le=2**31 - 1)
    kept: Annotated[str, *OneOf("kept")] | None = None


class Line(BaseModel):
    handle: UUID
    document: int
    changed_at: datetime


class Document(BaseModel):
    """One agency's document of one case; ids in it are that agency's own handles."""

    handle: UUID
    document: int
    cause: str
    at: datetime
    persons: list[dict[str, Any]]
    items: list[dict[str, Any]]


class Reading(BaseModel):
    """What the named member may open besides the document, over HTTP only."""

    handle: UUID
    items: list[dict[str, Any]]


class Openable(BaseModel):
    handle: UUID


class Freshness(BaseModel):
    agency: str
    subscribed: bool
    documents: int
    undelivered: int
    refused: int
    newest_at: datetime | None


class Retraction(BaseModel):
    """`pending`: told, not yet confirmed."""

    agency: str
    case: UUID
    document: int
    since: datetime
    state: Literal["pending", "confirmed"]


async def reader(call: Caller) -> Call:
    call.need(*READERS)
    return call


Reader = Annotated[Call, Depends(reader)]


class Held:
    """A document of the caller's agency, found by its handle (404 for anything else)."""

    def __init__(self, call: Call, case: UUID, handle: UUID) -> None:
        self.call, self.case, self.handle = call, case, handle

    async def write(self, command: disclosure.Command, body: Body) -> Receipt:
        """The answer names the agency's own handle, never the case (L14)."""
        stream = f"disclosure/{self.call.who.agency}/{self.case}"
        done = await self.call.handle(disclosure.DECIDER, stream, str(self.case), command, body)
        outward = f"disclosure/{self.handle}"
        self.call.response.headers["Tsunagu-Position"] = f"{outward}@{done.version}"
        return Receipt(id=str(self.handle), stream=outward, version=done.version)


async def held(handle: PathId, call: Caller) -> Held:
    id = to_uuid(handle)
    row = await view.of_handle(call.rt, call.who.agency, id)
    if not row:
        raise not_found()
    call.need(*READERS)
    return Held(call, row["case_id"], id)


@router.put("/v1/subscriptions/{code}")
async def subscribe(code: Code, call: Caller, body: NewSubscription) -> Receipt:
    """From now on documents are sealed to this key; the present ones are sent again with it."""
    if call.who.agency != code and "operator" not in call.who.roles:
        raise not_found()
    call.need("operator", "system")
    key = body.public_key.model_dump()

    async def check() -> None:
        try:
            OKPKey.import_key(key)
        except (JoseError, ValueError):
            raise bad_input("body.public_key", "not an X25519 public key / 鍵が不正です") from None

    event = SubscriptionRegistered(agency=code, public_key=key)
    return await call.handle(
        subscription.DECIDER, f"subscription/{code}", code, event, body, check=check
    )


@router.get("/v1/views")
async def list_views(call: Reader, after: After = None, limit: Limit = 50) -> Page[Line]:
    """The caller agency's own documents."""
    start = to_uuid(after) if after else NO_ID
    rows = await view.documents(call.rt, call.who.agency, start, limit)
    items = [Line.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].handle) if len(items) == limit else None)


@router.get("/v1/views/{handle}")
async def get_view(on: Annotated[Held, Depends(held)]) -> Document:
    """Opened now, less what no basis allows any more; the reading is put on record (L21)."""
    call = on.call
    document, recorded = await document_of(call.rt, call.who.agency, on.case)
    await _record_reading(call, on.case, recorded.items)
    call.shows(document["document"])
    return Document.model_validate(document)


@router.get("/v1/sealed")
async def list_sealed(call: Reader) -> list[Openable]:
    """Cases of which the caller, as a named member, may open something now."""
    handles = Handles(call.rt.keys.index_key, call.who.agency)
    cases = await view.called_cases(call.rt, call.who.subject)
    return [
        Openable(handle=UUID(handles.of("case", case)))
        for case in cases
        if await _sealed(call, case)
    ]


@router.get("/v1/views/{handle}/sealed")
async def get_sealed(handle: PathId, call: Caller) -> Reading:
    """404 for whoever may open nothing: not called, not pledged, matter ended, or no such case."""
    id = to_uuid(handle)
    handles = Handles(call.rt.keys.index_key, call.who.agency)
    for case in await view.called_cases(call.rt, call.who.subject):
        if handles.of("case", case) == str(id) and (items := await _sealed(call, case)):
            refs = tuple(
                ItemRef(
                    event=one.fact.event,
                    field=one.fact.field,
                    bases=tuple(BasisRef(kind=b.kind, id=b.id) for b in one.bases),
                )
                for one in items
            )
            await _record_reading(call, case, refs)
            return Reading(handle=id, items=[item(handles, one) for one in items])
    raise not_found()


@router.post("/v1/receipts")
async def add_receipt(call: Reader, body: NewReceipt) -> Receipt:
    """Delivered, placed in the agency's system, opened by a person; a repeat changes nothing."""
    on = await held(str(body.handle), call)
    return await on.write(disclosure.Acknowledge(body.document, body.grade), body)


@router.post("/v1/views/{handle}/retraction-confirmation")
async def confirm(on: Annotated[Held, Depends(held)], body: Confirmation) -> Receipt:
    """The agency deleted what was retracted, or names the ground on which it keeps it (L15)."""
    return await on.write(disclosure.ConfirmRetraction(body.document, body.kept), body)


@router.get("/v1/retractions")
async def list_retractions(call: Reader, case: Annotated[UUID, Query()]) -> list[Retraction]:
    """Who was told to give content back, and who has not confirmed. For who leads the case or led it."""
    judge: Judge = call.rt.state["judge"]
    told = (await judge.load(call.rt.reads, [case]))[case]
    leads = {e.event.lead for e in told.events if isinstance(e.event, CaseOpened | LeadAccepted)}
    if call.who.agency not in leads:
        raise not_found()
    found: list[Retraction] = []
    for stream in await view.disclosures_of(call.rt, case):
        found += _retractions((await call.load(stream)).events)
    return found


@router.get("/v1/freshness")
async def list_freshness(call: Caller) -> Page[Freshness]:
    """How far each subscribed agency's topic is behind. No case content."""
    call.need("operator", "supervisor")
    rows = await view.freshness(call.rt, None)
    return Page(items=[Freshness.model_validate(row) for row in rows])


@router.get("/v1/agencies/{code}/freshness")
async def get_freshness(code: Code, call: Caller) -> Freshness:
    if call.who.agency != code and not call.who.roles & {"operator", "supervisor"}:
        raise not_found()
    return Freshness.model_validate((await view.freshness(call.rt, code))[0])


async def _sealed(call: Call, case: UUID) -> tuple[Item, ...]:
    judge: Judge = call.rt.state["judge"]
    told = (await judge.load(call.rt.reads, [case]))[case]
    known = await judge.world(call.rt.reads)
    who = call.who
    return reading(told.facts, matters(told.events), known, who.subject, who.agency, call.now())


async def _record_reading(call: Call, case: UUID, items: tuple[ItemRef, ...]) -> None:
    call.need_whole()  # or it might be an older document than one that was read before
    stream = f"disclosure/{call.who.agency}/{case}"
    event = ReadingRecorded(agency=call.who.agency, case=case, items=items)
    await call.rt.journal.handle(disclosure.DECIDER, stream, str(case), event, call.context())


def _retractions(events: list[Recorded]) -> list[Retraction]:
    confirmed = max(
        (e.event.document for e in events if isinstance(e.event, RetractionConfirmed)), default=0
    )
    return [
        Retraction(
            agency=e.event.agency,
            case=e.event.case,
            document=e.event.document,
            since=e.envelope.at,
            state="confirmed" if e.event.document <= confirmed else "pending",
        )
        for e in events
        if isinstance(e.event, DocumentChanged) and e.event.cause == "content_ended"
    ]
