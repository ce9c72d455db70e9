"""How far each agency's copy is behind."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from shared.http import Caller, Page, Route
from shared.problems import not_found

from .. import view
from .common import Code

router = APIRouter(route_class=Route)


class Freshness(BaseModel):
    agency: str
    subscribed: bool
    documents: int
    undelivered: int
    refused: int
    newest_at: datetime | None


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
