"""Who has read a case: for the supervisors and the privacy officer of its lead agency (L21)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.http import Limit, Page, Route

from .common import OnLedCaseDep

router = APIRouter(route_class=Route)
OF_CASE = """
select seq, at, subject, agency, purpose, basis, path, kinds from reading
 where case_id = $1 and seq > $2 order by seq limit $3"""


class ReadingLine(BaseModel):
    """`path`: the endpoint; `kinds`: classes of data that were opened; `basis`: why they could be."""

    at: datetime
    subject: str
    agency: str
    purpose: str
    basis: str
    path: str
    kinds: list[str]


@router.get("/v1/cases/{id}/readings")
async def list_readings(
    on: OnLedCaseDep,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Limit = 100,
) -> Page[ReadingLine]:
    """Oldest first, over all agencies; this reading is the next of them."""
    rows = await on.call.rt.pool.fetch(OF_CASE, on.case, after, limit)
    items = [ReadingLine.model_validate(dict(row)) for row in rows]
    return Page(items=items, next=str(rows[-1]["seq"]) if len(rows) == limit else None)
