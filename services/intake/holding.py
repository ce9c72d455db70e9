"""Where what is held about one person is found: over all cases of the controller, from the journal."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import RightsRequested
from shared.db import Connection, Pool
from shared.http import Call
from shared.runtime import Runtime

from . import joined, view
from .disposal import NOTICES, cases_of
from .domain import holding, rights
from .domain.holding import Item

REQUESTS = f"""
select stream from journal where type = '{RightsRequested.TYPE}' and data ->> 'to' = $1 order by seq"""
OF_KEYS = "select * from journal where key = any($1::text[]) order by key, seq"
OF_IDS = "select key from journal where id = any($1::uuid[])"
ASKED_FOR = f"""
select stream from journal where type = '{RightsRequested.TYPE}' and data -> 'people' ?| $1::text[]"""
CITY = "city"


async def controller(rt: Runtime, agency: str) -> frozenset[str]:
    """The agencies whose controller answers together: the desks of the city, else the agency alone."""
    agencies = (await view.the_world(rt)).agencies
    mine = agencies.get(agency)
    if mine is None or mine.controller != CITY:
        return frozenset({agency})
    return frozenset(code for code, one in agencies.items() if one.controller == CITY)


async def items(call: Call, people: frozenset[UUID], before: UUID | None = None) -> list[Item]:
    """What the controller's agencies recorded about them, under whatever id (L18), in the order of their
    cases and of time; `before`: as it was held, and joined, when this event was written.
    """
    people = await joined.same(call.rt.pool, people, before)
    mine = await controller(call.rt, call.who.agency)
    found: list[Item] = []
    for case in await _cases(call.rt, people):
        events = [e for e in await _events(call.rt, case) if e.envelope.agency in mine]
        held = holding.items(events, people)
        if held:
            spoken = {item.event for item in held}
            told = [e for e in events if e.envelope.id in spoken]
            call.reads(f"case/{case}", "rights", told, case)
            found += held
    # ids of events are made in the order of time (UUIDv7)
    return [item for item in found if before is None or item.event < before]


async def _events(rt: Runtime, case: UUID) -> list[Recorded]:
    """Of the case and of the notices that were taken into it."""
    notices = [row["id"] for row in await rt.reads.fetch(NOTICES, str(case))]
    keys = [str(of) for of in (case, *notices)]
    events = await rt.read(await rt.pool.fetch(OF_KEYS, keys))
    return sorted(events, key=lambda e: (e.envelope.occurred_at, e.envelope.at))


async def _cases(rt: Runtime, people: Iterable[UUID]) -> list[UUID]:
    joined = await cases_of(rt.pool, people)
    return sorted({case for of in joined.values() for case in of})


async def strangers(call: Call, people: Sequence[UUID]) -> set[UUID]:
    """Those of whom the controller's agencies hold no case."""
    mine = await controller(call.rt, call.who.agency)
    unknown = set(people)
    for person, of in (await cases_of(call.rt.pool, people)).items():
        for case in of:
            past = await call.load(f"case/{case}")
            if mine & {e.envelope.agency for e in past.events}:
                unknown.discard(person)
    return unknown


async def corrects(call: Call, people: Iterable[UUID], events: Sequence[UUID]) -> bool:
    """Are all of these events of cases of the person?"""
    known = await joined.same(call.rt.pool, people)
    cases = {str(case) for case in await _cases(call.rt, known)}
    rows = await call.rt.pool.fetch(OF_IDS, list(events))
    return len(rows) == len(set(events)) and all(row["key"] in cases for row in rows)


async def requests(rt: Runtime, agency: str) -> list[str]:
    """Streams of all requests to an agency."""
    return [row["stream"] for row in await rt.pool.fetch(REQUESTS, agency)]


async def asked_for(rt: Runtime, db: Connection | Pool, people: Iterable[UUID]) -> bool:
    """Does a request of one of these people wait for its answer?"""
    rows = await db.fetch(ASKED_FOR, [str(person) for person in people])
    pasts = await rt.journal.load_all([row["stream"] for row in rows], db)
    states: list[rights.Request] = [past.fold(rights.DECIDER) for past in pasts]
    return any(state.status in ("open", "decided") for state in states)
