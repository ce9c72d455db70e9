"""How sharing stands with each agency, in states and counts: no case, no person."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from shared.contracts import EVENTS
from shared.contracts.views import (
    FileMade,
    InputRefused,
    SubscriptionEvent,
)
from shared.runtime import Runtime

from .domain import way
from .domain.cover import ASTRAY
from .domain.way import Ways

MANY = (FileMade, InputRefused)
TOLD = [
    type_
    for type_, event in EVENTS.items()
    if issubclass(event, SubscriptionEvent) and not issubclass(event, MANY)
]
"""Of what a subscription's stream holds, what says how it stands now."""
LIVES = """
select stream, type, data from journal
 where stream >= 'subscription/' and stream < 'subscription0' and type = any($1)
 order by stream, version"""
FILES = """
select substr(stream, 14) as agency, max(at) as at from journal
 where stream >= 'subscription/' and stream < 'subscription0' and type = $1 group by 1"""
COVERS = """
select agency, count(*) filter (where state = 'waiting') as waiting,
       count(*) filter (where state = any($1)) as astray
  from cover_post group by 1"""
COMPARED = "select at, differences from broker_compared"


class Covers(NamedTuple):
    waiting: int = 0
    astray: int = 0


class Compared(NamedTuple):
    """The broker with what it should hold; `at` None: nobody has compared them yet."""

    at: datetime | None
    differences: list[dict[str, Any]]


async def lives(rt: Runtime) -> dict[str, Ways]:
    """By agency, as its own events say it."""
    found: dict[str, Ways] = defaultdict(lambda: way.DECIDER.initial)
    for row in await rt.reads.fetch(LIVES, TOLD):
        agency = row["stream"].partition("/")[2]
        event = EVENTS[row["type"]].model_validate(row["data"])
        found[agency] = way.DECIDER.evolve(found[agency], event)
    return dict(found)


async def files(rt: Runtime) -> dict[str, datetime]:
    """When the newest file was made for each agency."""
    return {row["agency"]: row["at"] for row in await rt.reads.fetch(FILES, FileMade.TYPE)}


async def covers(rt: Runtime) -> dict[str, Covers]:
    rows = await rt.pool.fetch(COVERS, list(ASTRAY))
    return {row["agency"]: Covers(row["waiting"], row["astray"]) for row in rows}


async def compared(rt: Runtime) -> Compared:
    row = await rt.pool.fetchrow(COMPARED)
    return Compared(row["at"], row["differences"]) if row else Compared(None, [])
