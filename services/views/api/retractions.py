"""Who was told to give content back, and who has not confirmed."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.contracts import Recorded
from shared.contracts.intake import CaseOpened, LeadAccepted
from shared.contracts.views import DocumentChanged, RetractionConfirmed
from shared.http import Route
from shared.problems import not_found

from .. import view
from ..judge import Judge
from .common import Reader

router = APIRouter(route_class=Route)


class Retraction(BaseModel):
    """`pending`: told, not yet confirmed."""

    agency: str
    case: UUID
    document: int
    since: datetime
    state: Literal["pending", "confirmed"]


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
