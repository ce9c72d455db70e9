"""The closed lists: codes and their words, of today or of another day."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel

from shared.audit import content_free
from shared.calendar import TOKYO
from shared.contracts.codes import labels, listed
from shared.http import Call, Route
from shared.problems import not_found

from .common import worker

router = APIRouter(route_class=Route)


class List(BaseModel):
    """`confirmed` false is shown as 要確認. `codes`: code → label."""

    name: str
    title: str
    confirmed: bool
    codes: dict[str, str]


@router.get("/v1/lists/{name}")
@content_free
async def get_list(
    name: Annotated[str, Path()],
    call: Annotated[Call, Depends(worker)],
    on: Annotated[date | None, Query()] = None,
) -> List:
    """`on`: the words of that day, for a record of that day (today if not given)."""
    found = listed(name)
    if found is None:
        raise not_found()
    day = on or call.now().astimezone(TOKYO).date()
    return List(name=name, title=found[0], confirmed=found[1], codes=labels(name, day))
