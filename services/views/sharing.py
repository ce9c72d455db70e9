"""How sharing stands with each agency, in states and counts: no case, no person."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from shared.contracts import EVENTS
from shared.contracts.views import (
    FileMade,
    InputRefused,
    SecretShown,
    SubscriptionEvent,
    What,
)
from shared.runtime import Runtime

from .domain import way
from .domain.cover import ASTRAY
from .domain.way import Ways

MANY = (FileMade, InputRefused, SecretShown)
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
REFUSED = """
select split_part(stream, '/', 2) as agency, coalesce(data ->> 'what', 'digest') as kind,
       count(*) as times, max(at) as last
  from journal
 where type in ('jp.tsunagu.subscription.input_refused.v1', 'jp.tsunagu.disclosure.receipt_refused.v1')
   and at > $1
 group by 1, 2 order by 1, 2"""
LATELY = timedelta(days=30)
COMPARED = "select at, differences from broker_compared"


class Covers(NamedTuple):
    waiting: int = 0
    astray: int = 0


class Refusal(NamedTuple):
    """`times` on record, at most one a minute; `digest`: a receipt for something else than was sent."""

    kind: What | Literal["digest"]
    times: int
    last: datetime


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


async def refused(rt: Runtime, now: datetime) -> dict[str, list[Refusal]]:
    """By agency what came in its name and was refused within the last 30 days."""
    found: dict[str, list[Refusal]] = defaultdict(list)
    for row in await rt.reads.fetch(REFUSED, now - LATELY):
        found[row["agency"]].append(Refusal(row["kind"], row["times"], row["last"]))
    return dict(found)


async def compared(rt: Runtime) -> Compared:
    row = await rt.pool.fetchrow(COMPARED)
    return Compared(row["at"], row["differences"]) if row else Compared(None, [])
