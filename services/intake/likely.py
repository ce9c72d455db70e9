"""Likely duplicates, kept: who changed is compared with all others every half minute, and when somebody asks.

Not when he is written, nor in the fold: neither takes longer where somebody is known elsewhere (L24).
One compares at a time, and what he keeps follows from `marks` and the rule alone.
"""

import asyncio
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog

from shared.db import PASSING, REFUSED, Connection, by_column
from shared.ids import uuid8
from shared.runtime import Runtime

from .domain.matching import LOOKED_AT, Level, likeness, rule_mark

EVERY_SECONDS = 30.0
PIECE = 500
"""Persons who are compared in one transaction."""
WAITS = "select exists (select from uncompared) or exists (select from compared where rule <> $1)"
BY_INDEX = "set local jit = off; set local enable_hashjoin = off; set local enable_mergejoin = off"
"""A few with all others: by the index of each pair of marks, whatever statistics there are."""
RULE = "select rule from compared for update"
ANEW = """
with told as (update compared set rule = $1)
insert into uncompared select case_id, person from marks order by 1, 2 on conflict do nothing"""
TAKE = """
delete from uncompared u
 using (select case_id, person from uncompared order by 1, 2 limit $1 for update skip locked) t
 where (u.case_id, u.person) = (t.case_id, t.person) returning u.case_id, u.person"""
ON = [" and ".join(f"a.{mark} = b.{mark}" for mark in both) for both in LOOKED_AT]
LOOK = f"""
with one as (select m.* from marks m join unnest($1::uuid[], $2::uuid[]) t (case_id, person)
                    using (case_id, person)),
     pair as ({
    " union ".join(
        "select a.case_id as a, a.person as p, b.case_id as b, b.person as q from one a "
        f"join marks b on {on} and a.case_id <> b.case_id and a.person <> b.person"
        for on in ON
    )
})
select pair.*, m.terms as terms_a, n.terms as terms_b
  from pair join marks m on (m.case_id, m.person) = (a, p)
       join marks n on (n.case_id, n.person) = (b, q)"""
DROP = """
delete from likely l using unnest($1::uuid[], $2::uuid[]) t (case_id, person)
 where (l.case_{0}, l.person_{0}) = (t.case_id, t.person)"""
KEEP = """
insert into likely (id, case_a, person_a, case_b, person_b, points, levels)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::float8[], $7::jsonb[])"""
PAIRS = """
select l.*, c.lead as lead_a, d.lead as lead_b, asked
  from likely l join cases c on c.id = case_a join cases d on d.id = case_b
 cross join lateral (select exists (select from enquiry e where e.match = l.id) as asked) e
 where {} and c.household <> d.household and 'disposed' not in (c.status, d.status)
   and not exists (select from merges where not undone
                      and (merged, into_case) in ((case_a, case_b), (case_b, case_a)))
   and not exists (select from merges x join merges y using (into_case)
                    where x.merged = case_a and y.merged = case_b and not x.undone and not y.undone)"""
OF_ID = PAIRS.format("l.id = $1")
NEXT = PAIRS.format("l.id > $1 and ($3::bool is null or asked = $3)") + " order by l.id limit $2"

log = structlog.get_logger()


@dataclass(frozen=True)
class Side:
    """One of the two: his case, the desk that holds it, and he (or the notice that tells of him)."""

    case: UUID
    lead: str
    person: UUID


@dataclass(frozen=True)
class Pair:
    """`asked`: a desk was asked about it."""

    id: UUID
    points: float
    levels: Mapping[str, Level]
    sides: tuple[Side, Side]
    asked: bool


async def run(rt: Runtime) -> None:
    """Never returns. At its own pace, so that no writer feels whom he has brought."""
    while True:
        try:
            await compare(rt)
        except (REFUSED, *PASSING) as error:
            log.warning("likely.waits", error=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def compare(rt: Runtime) -> None:
    """All who were not compared since something of them, or the rule, changed."""
    while await rt.reads.fetchval(WAITS, rule_mark()):
        async with rt.pool.acquire() as db, db.transaction():
            await rt.applier.enter(db)
            await _piece(rt.keys.index_key, db)


async def _piece(key: bytes, db: Connection) -> None:
    await db.execute(BY_INDEX)
    if await db.fetchval(RULE) != rule_mark():
        await db.execute(ANEW, rule_mark())
    taken = await db.fetch(TAKE, PIECE)
    some = by_column([tuple(row) for row in taken], 2)
    found: dict[UUID, tuple[Any, ...]] = {}
    for row in await db.fetch(LOOK, *some):
        one, other = ({k: set(v) for k, v in row[name].items()} for name in ("terms_a", "terms_b"))
        alike = likeness(one, other)
        if alike.likely:
            places = sorted(((row["a"], row["p"]), (row["b"], row["q"])))
            id = _id(key, places)
            found[id] = (id, *places[0], *places[1], alike.points, dict(alike.levels))
    for side in ("a", "b"):
        await db.execute(DROP.format(side), *some)
    await db.execute(KEEP, *by_column(list(found.values()), 7))


async def pairs(rt: Runtime, after: UUID, limit: int, asked: bool | None = None) -> list[Pair]:
    """Those that come next by id; but those in one household, and what is merged already. `asked`: only
    those about which a desk was asked, or was not.
    """
    return _pairs(await rt.reads.fetch(NEXT, after, limit, asked))


async def of_id(rt: Runtime, id: UUID) -> Pair | None:
    found = _pairs(await rt.reads.fetch(OF_ID, id))
    return found[0] if found else None


def _pairs(rows: Iterable[Any]) -> list[Pair]:
    return [
        Pair(
            row["id"],
            row["points"],
            row["levels"],
            (
                Side(row["case_a"], row["lead_a"], row["person_a"]),
                Side(row["case_b"], row["lead_b"], row["person_b"]),
            ),
            row["asked"],
        )
        for row in rows
    ]


def _id(key: bytes, sides: Sequence[tuple[UUID, UUID]]) -> UUID:
    """The same for the same two, whoever asks; not to be guessed from their ids."""
    name = "match " + " ".join(sorted(f"{case}/{person}" for case, person in sides))
    return uuid8(hmac.digest(key, name.encode(), sha256))
