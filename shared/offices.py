"""What a service's view knows of programmes and desks, and whose a row of it is now (L2)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from shared.contracts import Recorded
from shared.db import Connection
from shared.directory import OFFICE_TYPES, Offices, Passed, offices
from shared.journal import Damaged, Past
from shared.kept import all_of
from shared.runtime import Runtime
from shared.together import Together

CHANGED = "update offices set mark = mark # $1"
LOAD = """
select o.mark, j.*
  from (values ((select mark from offices where one))) o (mark)
  left join journal j on j.stream = any(array(select unnest($1::text[])))
 order by j.stream, j.version"""
"""At least one row; the mark is of the same moment as the streams. How many streams there are is not told to
the planner: for one it would plan anew each time, which takes four times as long as to carry it out.
"""
KEEPER = """
coalesce((select went.keeper
            from jsonb_to_recordset({passed}::jsonb) as went (agency text, person text,
                 since timestamptz, until timestamptz, keeper text)
           where went.agency = {agency} and went.person = {by}
             and went.since <= {at} and {at} < went.until),
         {agency})"""
"""An expression: who has now what somebody (`by`) did for an agency at a moment; '': nobody."""
LEADS = """
insert into cases (id, lead, led_by, led_at)
select distinct on (id) id, lead, led_by, led_at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
       with ordinality as t(id, lead, led_by, led_at, n)
 order by id, n desc
on conflict (id) do update set lead = excluded.lead, led_by = excluded.led_by,
                               led_at = excluded.led_at"""
"""Who leads each case now, and who of it said so since when: the newest of what comes together."""
IS_MINE = f"""
({{agency}} = any({{sought}}::text[]) and {KEEPER} = any({{names}}::text[]))"""
"""A condition on a row that says who did something for which agency, and when; see `Mine`."""


class Mine(NamedTuple):
    """How an agency finds the rows that are its own now: `names`, itself and the desks that it has;
    `sought`, beside them those from whom something came to it with a programme; `passed`, all that went
    from hand to hand.
    """

    names: list[str]
    sought: list[str]
    passed: list[dict[str, Any]]


def mine(known: Offices, passed: Iterable[Passed], agency: str, at: datetime) -> Mine:
    names = [agency, *sorted(known.desks_of(agency, at))]
    former = {one.agency for one in passed if one.keeper == agency}
    rows = [
        {**one._asdict(), "since": f"{one.since}", "until": f"{one.until or 'infinity'}"}
        for one in passed
    ]
    return Mine(names, [*names, *sorted(former)], rows)


async def fold(db: Connection, events: Iterable[Recorded]) -> None:
    """The mark changes with each event of them, and is the same for the same events in any order."""
    mark = 0
    for recorded in events:
        if recorded.envelope.type in OFFICE_TYPES:
            mark ^= int.from_bytes(recorded.envelope.id.bytes[8:], signed=True)
    if mark:
        await db.execute(CHANGED, mark)


Loaded = tuple[list[Past], Offices]


async def with_offices(rt: Runtime, *streams: str) -> Loaded:
    """Streams, and programmes and desks as they are at that moment, with one trip that others share.
    Raises Damaged.
    """
    asked: Together[Sequence[str], Loaded] | None = rt.state.get("with_offices")
    if asked is None:
        asked = rt.state["with_offices"] = Together(partial(_load, rt))
    return await asked(streams)


async def the_offices(rt: Runtime) -> Offices:
    """Programmes and desks, by themselves."""
    return (await with_offices(rt))[1]


async def _load(rt: Runtime, asked: Sequence[Sequence[str]]) -> list[Loaded | Exception]:
    wanted = [stream for streams in asked for stream in streams]
    rows = await rt.reads.fetch(LOAD, list(set(wanted)))
    known = await _known(rt, rows[0]["mark"])
    pasts = iter(await rt.journal.opened(wanted, rows if rows[0]["stream"] else []))
    return [_of(list(islice(pasts, len(streams))), known) for streams in asked]


def _of(found: list[Past | Damaged], known: Offices) -> Loaded | Damaged:
    pasts: list[Past] = []
    for past in found:
        if isinstance(past, Damaged):
            return past
        pasts.append(past)
    return pasts, known


async def _known(rt: Runtime, mark: int) -> Offices:
    """Read again only when there are other events of them than before."""
    known: tuple[Any, Offices] = rt.state.get("offices") or (None, Offices())
    if known[0] != mark:
        known = mark, offices(await rt.read(await all_of(rt.reads, OFFICE_TYPES)))
        rt.state["offices"] = known
    return known[1]


async def what_is_mine(rt: Runtime, agency: str) -> Mine:
    known, now = await the_offices(rt), rt.clock.now()
    return mine(known, _passed(rt, known, now), agency, now)


def _passed(rt: Runtime, known: Offices, at: datetime) -> list[Passed]:
    """Gone through again only when a contract has begun or ended since, or the directory has changed."""
    turn = max((one for one in known.moments(known.contracts) if one <= at), default=None)
    last: tuple[Any, ...] = rt.state.get("passed") or (None, None, [])
    if last[0] is not known or last[1] != turn:
        last = known, turn, known.passed(at)
        rt.state["passed"] = last
    return list(last[2])
