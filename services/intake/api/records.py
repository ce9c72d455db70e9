"""The 支援経過記録 of a case."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from uuid_utils.compat import uuid7

from shared.contracts import Recorded
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    ContactRecorded,
)
from shared.http import (
    Body,
    Receipt,
    Route,
    Text,
)
from shared.journal import NEW

from .. import view
from ..domain import record
from .common import Fact, OnCaseDep, all_known, fact

router = APIRouter(route_class=Route)


class NewRecord(Body):
    subjects: list[UUID] = Field([], max_length=20)
    method: Annotated[str, *OneOf("contact_method")]
    text: Text | None = None


@router.post("/v1/cases/{id}/records", status_code=201)
async def add_record(on: OnCaseDep, body: NewRecord) -> Receipt:
    id = uuid7()
    event = ContactRecorded(
        record=id,
        case=on.case,
        subjects=tuple(body.subjects),
        method=body.method,
        text=body.text,
    )

    async def check() -> None:
        all_known(on, body.subjects, "body.subjects")

    return await on.call.handle(
        record.DECIDER,
        f"record/{id}",
        str(on.case),
        event,
        body,
        check=check,
        location=f"/v1/cases/{on.case}/records/{{id}}",
        past=NEW,
    )


@router.get("/v1/cases/{id}/records")
async def list_records(on: OnCaseDep) -> list[Fact]:
    """The 支援経過記録: all lines for the lead agency, for others their own."""
    found: list[Recorded] = []
    for stream in await view.streams_of(on.call.rt, on.case, "record"):
        found += (await on.call.load(stream)).events
    found.sort(key=lambda e: (e.envelope.occurred_at, e.envelope.id))
    return [fact(e) for e in found if on.sees(e)]
