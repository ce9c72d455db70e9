"""The course of a case: what was recorded of it, by whom and when, as it was said at the time (L17)."""

from fastapi import APIRouter

from shared.http import Route

from .common import Fact, OnCaseDep, fact

router = APIRouter(route_class=Route)


class Entry(Fact):
    stream: str
    actor: str


@router.get("/v1/cases/{id}/history")
async def get_history(on: OnCaseDep) -> list[Entry]:
    """In the order of recording, corrected words too: all that was recorded while the caller's agency led
    the case, and what it recorded itself (L20).
    """
    pasts = await on.streams("record", "consent", "basis")
    others = [e for past in pasts for e in past.events if on.sees(e)]
    on.reads(others)
    events = sorted([*on.shown(), *others], key=lambda e: (e.envelope.at, e.envelope.id))
    return [
        Entry(**dict(fact(on, e)), stream=e.envelope.stream, actor=e.envelope.actor) for e in events
    ]
