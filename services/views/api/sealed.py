"""Sealed facts of statutory matters, for named and pledged members, over HTTP only (L5, L12)."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from shared.contracts.views import BasisRef, ItemRef
from shared.http import Call, Caller, PathId, Route, to_uuid
from shared.problems import not_found

from .. import view
from ..domain.disclose import Item, matters, reading
from ..domain.document import Handles, item
from ..domain.facts import facts
from ..judge import Judge
from .common import Reader, admitted, record_reading

router = APIRouter(route_class=Route)


class Reading(BaseModel):
    """What the named member may open besides the document, over HTTP only."""

    handle: UUID
    items: list[dict[str, Any]]


class Openable(BaseModel):
    handle: UUID


@router.get("/v1/sealed")
async def list_sealed(call: Reader) -> list[Openable]:
    """Cases of which the caller, as a named member, may open something now."""
    handles = Handles(call.rt.keys.index_key, call.who.agency)
    cases = await view.called_cases(call.rt, call.who)
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
    for case in await view.called_cases(call.rt, call.who):
        if handles.of("case", case) == str(id) and (items := await _sealed(call, case)):
            await admitted(call)
            refs = tuple(
                ItemRef(
                    event=one.fact.event,
                    field=one.fact.field,
                    bases=tuple(BasisRef(kind=b.kind, id=b.id) for b in one.bases),
                )
                for one in items
            )
            await record_reading(call, case, refs)
            return Reading(handle=id, items=[item(handles, one) for one in items])
    raise not_found()


async def _sealed(call: Call, case: UUID) -> tuple[Item, ...]:
    judge: Judge = call.rt.state["judge"]
    told = (await judge.load(call.rt.reads, [case]))[case]
    known = await judge.world(call.rt.reads)
    who = call.who
    return reading(
        facts(told.own),
        matters(told.own),
        told.bases,
        known,
        who.subject,
        who.agency,
        call.now(),
    )
