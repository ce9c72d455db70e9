"""The course of a case: what was recorded of it, by whom and when, as it was said at the time (L17)."""

from fastapi import APIRouter

from shared.contracts import Recorded
from shared.http import Route

from .common import Fact, OnCase, OnCaseDep, fact
from .joint import files

router = APIRouter(route_class=Route)


class Entry(Fact):
    stream: str
    actor: str


@router.get("/v1/cases/{id}/history")
async def get_history(on: OnCaseDep) -> list[Entry]:
    """In the order of recording, corrected words too: all that was recorded while the caller's agency led
    the case, and what it recorded itself (L20); of the cases too that go on with this one.
    """
    told = [(e, file) for file in await files(on) for e in await _of(file)]
    told.sort(key=lambda one: (one[0].envelope.at, one[0].envelope.id))
    return [
        Entry(**dict(fact(file, e)), stream=e.envelope.stream, actor=e.envelope.actor)
        for e, file in told
    ]


async def _of(on: OnCase) -> list[Recorded]:
    pasts = await on.streams("record", "consent", "basis")
    others = [e for past in pasts for e in past.events if on.sees(e)]
    on.reads(others)
    return [*on.shown(), *others]
