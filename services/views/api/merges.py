"""What was disclosed through a merge of two cases: for the privacy officer to look at (L18)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.http import Call, Caller, PathId, Route, to_uuid
from shared.problems import not_found

from .. import merges, view

router = APIRouter(route_class=Route)


class Grown(BaseModel):
    """One agency's document that showed something of the other case; never what. `documents`: the
    numbers that did; `items`: at most; `crossing`: of these, held by nothing but the merge and a
    confirmed consent; `shown_now`: its newest document still does.
    """

    agency: str
    case: UUID
    documents: list[int]
    since: datetime
    items: int
    crossing: int
    shown_now: bool


class MergeAccount(BaseModel):
    """`incident`: the merge was undone, and something had been disclosed through it."""

    id: UUID
    merged: UUID
    into: UUID
    undone: bool
    incident: bool
    grown: list[Grown]


async def officer(call: Caller) -> Call:
    call.need("privacy_officer")
    return call


@router.get("/v1/merges/{id}")
async def get_merge(id: PathId, call: Annotated[Call, Depends(officer)]) -> MergeAccount:
    """Which documents of which agencies grew through it, and when."""
    row = await merges.of_id(call.rt.reads, to_uuid(id))
    if row is None or row["into_case"] in await view.gone(call.rt.reads, call.who):
        raise not_found()
    found = await merges.grown(call.rt.reads, call.rt.pool, row["merged"], row["into_case"])
    grown = _by_agency(found)
    return MergeAccount(
        id=row["id"],
        merged=row["merged"],
        into=row["into_case"],
        undone=row["undone"],
        incident=row["undone"] and any(one.items for one in grown),
        grown=grown,
    )


def _by_agency(found: Iterable[tuple[Any, datetime, int, int]]) -> list[Grown]:
    """`found` is in the order of their numbers."""
    of: dict[tuple[str, UUID], Grown] = {}
    for document, at, items, crossing in found:
        place = document.agency, document.case
        if items and place not in of:
            of[place] = Grown(
                agency=document.agency, case=document.case, documents=[], since=at, items=0,
                crossing=0, shown_now=True,
            )  # fmt: skip
        if place in of:
            one = of[place]
            one.shown_now = bool(items)
            one.items, one.crossing = max(one.items, items), max(one.crossing, crossing)
            one.documents += [document.document] if items else []
    return list(of.values())
