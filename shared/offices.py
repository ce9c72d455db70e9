"""What a service's view knows of programmes and desks, and whose a row of it is now (L2)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from shared.directory import OFFICE_TYPES, Offices, Passed, offices
from shared.kept import all_of
from shared.runtime import Runtime

MARK = """
select count(*) || '/' || coalesce(bit_xor(hashtextextended(id::text, 0)), 0)
  from kept where type = any($1::text[])"""
KEEPER = """
coalesce((select went.keeper
            from jsonb_to_recordset({passed}::jsonb) as went (agency text, person text,
                 since timestamptz, until timestamptz, keeper text)
           where went.agency = {agency} and went.person = {by}
             and went.since <= {at} and {at} < went.until),
         {agency})"""
"""An expression: who has now what somebody (`by`) did for an agency at a moment; '': nobody."""
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


async def the_offices(rt: Runtime) -> Offices:
    """Programmes and desks; read again only when there are other events of them than before."""
    mark = await rt.reads.fetchval(MARK, OFFICE_TYPES)
    known: tuple[object, Offices] = rt.state.get("offices") or (None, Offices())
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
