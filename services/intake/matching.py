"""Persons in intake's view as keyed digests, to be compared by; and which desk was asked about two of them.

Nothing is compared when something is written: neither answer, size nor time of a write tells a
worker whether the person is known elsewhere (L24). `likely` compares, in its own time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import (
    CaselessDisposed,
    MatchAnswered,
    MatchEnquired,
    NoticeReceived,
    NoticeTaken,
    PersonDescribed,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

from .domain import match
from .domain.matching import marks, traits
from .index import digests

MARKS = ("kana", "name", "initial", "birth", "year", "phone", "address")
Place = tuple[UUID, UUID]
MARK = f"""
with told as (
     select * from unnest($1::uuid[], $2::uuid[], {", ".join(f"${n}::bigint[]" for n in range(3, 10))},
                          $10::jsonb[]) t (case_id, person, {", ".join(MARKS)}, terms)),
     marked as (
     insert into marks as m (case_id, person, {", ".join(MARKS)}, terms) select * from told
     on conflict (case_id, person) do update
        set {", ".join(f"{mark} = coalesce(excluded.{mark}, m.{mark})" for mark in MARKS)},
            terms = m.terms || excluded.terms)
insert into uncompared select case_id, person from told order by 1, 2 on conflict do nothing"""
TAKEN = """
with t as (select * from unnest($1::uuid[], $2::uuid[]) t (id, into_case)),
     moved as (
     update marks m set case_id = t.into_case from t where m.case_id = t.id and m.person = t.id)
insert into uncompared select id, id from t union select into_case, id from t order by 1, 2
on conflict do nothing"""
FORGET = """
with gone as (
     delete from marks s using cases c
      where s.case_id = any($1::uuid[]) and c.id = s.case_id and c.status = 'disposed'
     returning s.case_id, s.person)
insert into uncompared select * from gone order by 1, 2 on conflict do nothing"""
DISPOSED = "insert into forgotten select * from unnest($1::uuid[]) on conflict do nothing"
FORGET_NOTICE = """
with gone as (
     delete from marks s using forgotten f
      where s.case_id = any($1::uuid[]) and s.person = s.case_id and f.id = s.case_id
     returning s.case_id, s.person)
insert into uncompared select * from gone order by 1, 2 on conflict do nothing"""
ASKED = """
insert into enquiry (match, cases, agency, asked_at, waits) values ($1, $2, $3, $4, true)
on conflict (match) do update set agency = excluded.agency, asked_at = excluded.asked_at, waits = true"""
ANSWERED = "update enquiry set waits = false where match = $1"
WAITING = "select match from enquiry where agency = $1 and waits order by asked_at, match limit 500"
ABOUT = "select match from enquiry where cases @> $1::uuid[]"


async def project(key: bytes, db: Connection, events: Iterable[Recorded]) -> None:
    found: dict[Place, dict[str, Any]] = {}
    terms: dict[Place, dict[str, list[int]]] = defaultdict(dict)
    taken: list[tuple[UUID, UUID]] = []
    disposed: list[UUID] = []
    notices: list[UUID] = []
    for recorded in events:
        match recorded.event:
            case PersonDescribed(case=case, person=person) as told:
                _mark(key, found, terms, (case, person), told)
            case NoticeReceived(notice=id, about=name, place=address):
                about = PersonDescribed(case=id, person=id, name=name, address=address)
                _mark(key, found, terms, (id, id), about)
                notices.append(id)
            case NoticeTaken(notice=id, into=case):
                taken.append((id, case))
            case CaselessDisposed(caseless=id):
                disposed.append(id)
    if found:
        rows = [
            (*place, *(marked.get(mark) for mark in MARKS), terms[place])
            for place, marked in found.items()
        ]
        await db.execute(MARK, *by_column(rows, 10))
    if taken:
        await db.execute(TAKEN, *by_column(taken, 2))
    if disposed:
        await db.execute(DISPOSED, disposed)
    if ended := [*notices, *disposed]:
        await db.execute(FORGET_NOTICE, ended)
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


async def states(rt: Runtime, ids: Iterable[UUID]) -> dict[UUID, match.Match]:
    """From the journal: the answers are codes, and stand in no view."""
    ids = list(ids)
    pasts = await rt.journal.loads([f"match/{id}" for id in ids])
    return {id: past.fold(match.DECIDER) for id, past in zip(ids, pasts, strict=True)}


async def waiting(rt: Runtime, agency: str) -> list[UUID]:
    return [row["match"] for row in await rt.reads.fetch(WAITING, agency)]


async def said_same(rt: Runtime, cases: Sequence[UUID]) -> bool:
    """A desk has answered that a person of the one and a person of the other are the same."""
    ids = [row["match"] for row in await rt.reads.fetch(ABOUT, list(cases))]
    return any(state.answer == "same" for state in (await states(rt, ids)).values())
