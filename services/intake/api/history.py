"""The course of a case: what was recorded of it, by whom and when, as it was said at the time (L17)."""

from itertools import chain

from fastapi import APIRouter

from shared.http import Route

from .. import view
from .common import Fact, OnCaseDep, fact

router = APIRouter(route_class=Route)
KINDS = ("record", "consent", "basis")
"""Streams of a case besides its own."""


class Entry(Fact):
    stream: str
    actor: str


@router.get("/v1/cases/{id}/history")
async def get_history(on: OnCaseDep) -> list[Entry]:
    """In the order of recording, corrected words too: all that was recorded while the caller's agency led
    the case, and what it recorded itself (L20).
    """
    rt, case = on.call.rt, on.case
    streams = chain.from_iterable([await view.streams_of(rt, case, kind) for kind in KINDS])
    pasts = await on.call.loads(*streams)
    others = [e for past in pasts for e in past.events if on.sees(e)]
    on.reads(others)
    events = sorted([*on.shown(), *others], key=lambda e: (e.envelope.at, e.envelope.id))
    return [
        Entry(**dict(fact(on, e)), stream=e.envelope.stream, actor=e.envelope.actor) for e in events
    ]
