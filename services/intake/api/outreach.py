"""Outreach before consent: the cases in which the next visit matters, longest not visited first."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.http import Call, Route

from .. import outreach
from .common import still_there, worker

router = APIRouter(route_class=Route)


class Reach(BaseModel):
    """`absent`: nobody was there at the last visit. `next_on`: the day of the next action that is open."""

    case: UUID
    screened_at: datetime
    visits: int
    last_visit: datetime | None
    absent: bool | None
    next_on: date | None


@router.get("/v1/outreach")
async def list_outreach(call: Annotated[Call, Depends(worker)], mine: bool = False) -> list[Reach]:
    """Open cases that the caller's agency leads, screened as not yet consented: first those where nobody
    went yet, then the longest not visited. A visit at which nobody was there counts. `mine`: those
    that the caller works, or whose worker he stands in for today.
    """
    found = await outreach.outreach(call.rt, call.who, mine)
    listed = [Reach.model_validate(one) for one in found]
    there = await still_there(call, [one.case for one in listed])
    reached = [one for one in listed if one.case in there]
    for one in reached:
        call.reads(f"case/{one.case}", "lead", case=one.case, kinds=outreach.TELLS)
    return reached
