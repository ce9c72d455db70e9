"""The caller agency's own documents: read, acknowledged, given back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shared.contracts.codes import OneOf
from shared.http import After, Body, Limit, Moment, Page, Receipt, Route, to_uuid

from .. import view
from ..delivery import document_of
from ..domain import disclosure
from .common import NO_ID, HeldDep, Reader, admitted, record_reading
from .history import document_at

router = APIRouter(route_class=Route)


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
    at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]  # as every way has it
    persons: list[dict[str, Any]]
    items: list[dict[str, Any]]


@router.get("/v1/views")
async def list_views(call: Reader, after: After = None, limit: Limit = 50) -> Page[Line]:
    """The caller agency's own documents."""
    start = to_uuid(after) if after else NO_ID
    rows = await view.documents(call.rt, call.who, start, limit)
    items = [Line.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].handle) if len(items) == limit else None)


@router.get("/v1/views/{handle}")
async def get_view(on: HeldDep, known_at: Annotated[Moment | None, Query()] = None) -> Document:
    """Opened now, less what no basis allows any more; the reading is put on record (L21).

    `known_at`: as it was recorded at that moment, with the bases of then; items whose content has ended
    since are listed without it (`content`: `shown` or `ended`).
    """
    call = on.call
    await admitted(call)
    if known_at:
        document, opened = await document_at(on, known_at)
        await record_reading(call, on.case, opened)
    else:
        document, recorded = await document_of(call.rt, call.who.agency, on.case)
        await record_reading(call, on.case, recorded.items, document["document"])
    call.shows(document["document"])
    return Document.model_validate(document)


@router.post("/v1/views/{handle}/retraction-confirmation")
async def confirm(on: HeldDep, body: Confirmation) -> Receipt:
    """The agency deleted what was retracted, or names the ground on which it keeps it (L15)."""
    return await on.write(disclosure.ConfirmRetraction(body.document, body.kept), body)
