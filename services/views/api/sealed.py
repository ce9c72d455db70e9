"""Sealed facts of statutory matters, for named and pledged members, over HTTP only (L5, L12)."""

from typing import Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from shared.contracts.views import BasisRef, ItemRef, ReadingRefused
from shared.http import Call, Caller, PathId, Route, to_uuid
from shared.problems import Problem, not_found

from .. import view
from ..domain.disclose import Item, matters, offices, reading
from ..domain.document import Handles, item
from ..domain.facts import facts
from ..judge import Judge
from ..refusals import unknown
from .common import Reader, admitted, on_record, record_reading

router = APIRouter(route_class=Route)


class Reading(BaseModel):
    """What the named member may open besides the document, over HTTP only."""

    handle: UUID
    items: list[dict[str, Any]]


class Openable(BaseModel):
    handle: UUID


class Open(NamedTuple):
    """What the caller may open of a case. `surely`: nothing can have ended unheard that it rests on."""

    case: UUID
    items: tuple[Item, ...]
    surely: bool


@router.get("/v1/sealed")
async def list_sealed(call: Reader) -> list[Openable]:
    """Cases of which the caller, as a named member or of a body's secretariat (L5a), may open something
    now. 503 while nobody knows.
    """
    handles = Handles(call.rt.keys.index_key, call.who.agency)
    found = [one for one in await _opened(call, handles) if one.items]
    if found and not any(one.surely for one in found):
        raise Problem("recovering")
    return [Openable(handle=UUID(handles.of("case", one.case))) for one in found if one.surely]


@router.get("/v1/views/{handle}/sealed")
async def get_sealed(handle: PathId, call: Caller) -> Reading:
    """404 for whoever may open nothing: not called, not pledged, matter ended, or no such case. 503 while
    a basis may have ended that is not heard of yet: each opening discloses anew.
    """
    id = to_uuid(handle)
    handles = Handles(call.rt.keys.index_key, call.who.agency)
    for case, items, surely in await _opened(call, handles, str(id)):
        if not items:
            await on_record(call, ReadingRefused(agency=call.who.agency, case=case))
            raise not_found()
        await admitted(call)
        if not surely:
            raise Problem("recovering")
        await record_reading(call, case, tuple(_ref(one) for one in items))
        return Reading(handle=id, items=[item(handles, one) for one in items])
    await unknown(call, "handle")
    raise not_found()


async def _opened(call: Call, handles: Handles, handle: str | None = None) -> list[Open]:
    """Of the case with that handle, or of all with a live matter; all of it as it was at one moment."""
    judge: Judge = call.rt.state["judge"]
    rt, who, now = call.rt, call.who, call.now()
    async with rt.reads.acquire() as db, db.transaction(isolation="repeatable_read"):
        sure = await judge.sure(db)
        known = await judge.world(db)
        found = await view.submitted(db, who, offices(known, who.subject, who.agency))
        cases = [
            case
            for case, live in found.items()
            if (live if handle is None else handles.of("case", case) == handle)
        ]
        told = await judge.load(db, cases)
    opened = []
    for case, its in told.items():
        before = matters(its.own)
        items = reading(facts(its.own), before, its.bases, known, who.subject, who.agency, now)
        opened.append(Open(case, items, sure.of(its)))
    return opened


def _ref(one: Item) -> ItemRef:
    bases = tuple(BasisRef(kind=basis.kind, id=basis.id) for basis in one.bases)
    return ItemRef(event=one.fact.event, field=one.fact.field, bases=bases)
