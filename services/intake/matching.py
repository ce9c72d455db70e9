"""Likely duplicates in intake's view: each person by keyed digests, and which desk was asked.

Nothing is compared when something is written: neither answer, size nor time of a write tells a
worker whether the person is known elsewhere (L24). Pairs are found when the matching role asks.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid8

from shared.contracts import Recorded
from shared.contracts.intake import (
    MatchAnswered,
    MatchEnquired,
    NoticeReceived,
    NoticeTaken,
    PersonDescribed,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

from .domain import match
from .domain.matching import LOOKED_AT, Likeness, likeness, marks, traits
from .index import digests

MARKS = ("kana", "name", "initial", "birth", "year", "phone", "address")
Place = tuple[UUID, UUID]
MARK = f"""
insert into marks as m (case_id, person, {", ".join(MARKS)}, terms)
select * from unnest($1::uuid[], $2::uuid[], {", ".join(f"${n}::bigint[]" for n in range(3, 10))},
                     $10::jsonb[])
on conflict (case_id, person) do update
   set {", ".join(f"{mark} = coalesce(excluded.{mark}, m.{mark})" for mark in MARKS)},
       terms = m.terms || excluded.terms"""
TAKEN = """
update marks m set case_id = t.into_case from unnest($1::uuid[], $2::uuid[]) as t(id, into_case)
 where m.case_id = t.id and m.person = t.id"""
FORGET = """
delete from marks s using cases c
 where s.case_id = any($1::uuid[]) and c.id = s.case_id and c.status = 'disposed'"""
ASKED = """
insert into enquiry (match, cases, agency, asked_at, waits) values ($1, $2, $3, $4, true)
on conflict (match) do update set agency = excluded.agency, asked_at = excluded.asked_at, waits = true"""
ANSWERED = "update enquiry set waits = false where match = $1"
WAITING = "select match from enquiry where agency = $1 and waits order by asked_at, match limit 500"
ABOUT = "select match from enquiry where cases @> $1::uuid[]"
EVERY = "select match from enquiry"
ON = [" and ".join(f"a.{mark} = b.{mark}" for mark in both) for both in LOOKED_AT]
PAIRS = f"""
with pair as ({
    " union ".join(
        "select a.case_id as a, a.person as p, b.case_id as b, b.person as q from marks a "
        f"join marks b on {on} and a.case_id < b.case_id and a.person <> b.person"
        for on in ON
    )
})
select pair.*, c.lead as lead_a, d.lead as lead_b, m.terms as terms_a, n.terms as terms_b
  from pair join cases c on c.id = a join cases d on d.id = b
       join marks m on (m.case_id, m.person) = (a, p)
       join marks n on (n.case_id, n.person) = (b, q)
 where c.household <> d.household
   and not exists (select from merges where not undone
                      and (merged, into_case) in ((a, b), (b, a)))
   and not exists (select from merges x join merges y using (into_case)
                    where x.merged = a and y.merged = b and not x.undone and not y.undone)"""


PIECE = 100
WHOLE = "set local enable_seqscan = on; set local work_mem = '64MB'; set local jit = off"
"""All persons are compared with all others: by one pass over them, not by an index for each."""


@dataclass(frozen=True)
class Side:
    """One of the two: his case, the desk that holds it, and he (or the notice that tells of him)."""

    case: UUID
    lead: str
    person: UUID


@dataclass(frozen=True)
class Pair:
    id: UUID
    likeness: Likeness
    sides: tuple[Side, Side]


async def project(key: bytes, db: Connection, events: Iterable[Recorded]) -> None:
    found: dict[Place, dict[str, Any]] = {}
    terms: dict[Place, dict[str, list[int]]] = defaultdict(dict)
    taken: list[tuple[UUID, UUID]] = []
    for recorded in events:
        match recorded.event:
            case PersonDescribed(case=case, person=person) as told:
                _mark(key, found, terms, (case, person), told)
            case NoticeReceived(notice=id, about=name, place=address):
                about = PersonDescribed(case=id, person=id, name=name, address=address)
                _mark(key, found, terms, (id, id), about)
            case NoticeTaken(notice=id, into=case):
                taken.append((id, case))
    if found:
        rows = [
            (*place, *(marked.get(mark) for mark in MARKS), terms[place])
            for place, marked in found.items()
        ]
        await db.execute(MARK, *by_column(rows, 10))
    if taken:
        await db.execute(TAKEN, *by_column(taken, 2))
    for recorded in events:
        match recorded.event:
            case MatchEnquired() as e:
                at = recorded.envelope.occurred_at
                await db.execute(ASKED, e.match, list(e.cases), e.to, at)
            case MatchAnswered(match=id):
                await db.execute(ANSWERED, id)


def _mark(
    key: bytes,
    found: dict[Place, dict[str, Any]],
    terms: dict[Place, dict[str, list[int]]],
    place: Place,
    person: PersonDescribed,
) -> None:
    told = marks(person)
    known = found.setdefault(place, {})
    known |= {name: digests(key, [mark])[0] for name, mark in told.items()}
    terms[place] |= {name: digests(key, of) for name, of in traits(person).items()}


async def pairs(rt: Runtime) -> list[Pair]:
    """Likely duplicates among all cases, by id; but in one household, and what is merged already. Read
    in pieces: whoever else asks meanwhile is answered in between.
    """
    found: list[Pair] = []
    async with rt.reads.acquire() as db, db.transaction():
        await db.execute(WHOLE)
        async for row in db.cursor(PAIRS, prefetch=PIECE):
            if pair := _likely(rt.keys.index_key, row):
                found.append(pair)
    return sorted(found, key=lambda pair: pair.id)


def _likely(key: bytes, row: Any) -> Pair | None:
    one, other = ({k: set(v) for k, v in row[name].items()} for name in ("terms_a", "terms_b"))
    if not (alike := likeness(one, other)).likely:
        return None
    sides = (
        Side(row["a"], row["lead_a"], row["p"]),
        Side(row["b"], row["lead_b"], row["q"]),
    )
    return Pair(_id(key, sides), alike, sides)


def _id(key: bytes, sides: Sequence[Side]) -> UUID:
    """The same for the same two, whoever asks; not to be guessed from their ids."""
    name = "match " + " ".join(sorted(f"{side.case}/{side.person}" for side in sides))
    made = hmac.digest(key, name.encode(), sha256)
    return uuid8(*(int.from_bytes(part) for part in (made[:6], made[6:8], made[8:16])))


async def states(rt: Runtime, ids: Iterable[UUID]) -> dict[UUID, match.Match]:
    """From the journal: the answers are codes, and stand in no view."""
    ids = list(ids)
    pasts = await rt.journal.loads([f"match/{id}" for id in ids])
    return {id: past.fold(match.DECIDER) for id, past in zip(ids, pasts, strict=True)}


async def asked(rt: Runtime) -> list[UUID]:
    return [row["match"] for row in await rt.reads.fetch(EVERY)]


async def waiting(rt: Runtime, agency: str) -> list[UUID]:
    return [row["match"] for row in await rt.reads.fetch(WAITING, agency)]


async def said_same(rt: Runtime, cases: Sequence[UUID]) -> bool:
    """A desk has answered that a person of the one and a person of the other are the same."""
    ids = [row["match"] for row in await rt.reads.fetch(ABOUT, list(cases))]
    return any(state.answer == "same" for state in (await states(rt, ids)).values())
