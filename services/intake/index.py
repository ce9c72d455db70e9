"""The search index of intake's view: a person's values as keyed digests of their terms (L24).

A digest is made with the agency that may find by it: who searches comes past nothing that others hold,
so that neither answer nor time tells what they know.
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import (
    CaseOpened,
    ItemProtected,
    LeadAccepted,
    PersonDescribed,
    ProtectionLifted,
)
from shared.db import Connection, by_column

from .domain import search

FOUND_BY = """
insert into search (case_id, person, field, recorder, terms)
select t.case_id, t.person, t.field, t.recorder, t.terms::bigint[]
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
       as t(case_id, person, field, recorder, terms)
on conflict (case_id, person, field, recorder) do update set terms = excluded.terms"""
LEADS = "select id, lead from cases where id = any($1::uuid[])"
HIT = """
select case_id, person from search s
 where terms @> ${}::bigint[]
   and not exists (select from protected p
                    where (p.case_id, p.person, p.field) = (s.case_id, s.person, s.field)
                      and $1 <> all(p.named))"""
PROTECT = """
insert into protected (case_id, person, field, named)
select t.case_id, t.person, t.field, t.named::text[]
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as t(case_id, person, field, named)
on conflict (case_id, person, field) do update set named = excluded.named"""
LIFT = """
delete from protected p using unnest($1::uuid[], $2::uuid[], $3::text[]) as t(case_id, person, field)
 where (p.case_id, p.person, p.field) = (t.case_id, t.person, t.field)"""

FORGET = """
delete from search s using cases c
 where s.case_id = any($1::uuid[]) and c.id = s.case_id and c.status = 'disposed'"""


async def project(key: bytes, db: Connection, events: Sequence[Recorded]) -> None:
    """After the cases of the batch: what is found of a case is found for who leads it."""
    leads: dict[UUID, str] = {}
    guarded: dict[tuple[UUID, UUID, str], str | None] = {}
    described: dict[tuple[UUID, UUID, str, str], tuple[str | None, set[str]]] = {}
    for recorded in events:
        match recorded.event:
            case CaseOpened(case=case, lead=lead) | LeadAccepted(case=case, lead=lead):
                leads[case] = lead
            case PersonDescribed(case=case, person=person) as told:
                for field, terms in search.described(told).items():
                    place = (case, person, field, recorded.envelope.agency)
                    described[place] = leads.get(case), terms
            case ItemProtected(case=case, person=person, item=str(item), named=named):
                guarded[case, person, item] = as_array(named)
            case ProtectionLifted(case=case, person=person, item=str(item)):
                guarded[case, person, item] = None
    if described:
        unknown = {place[0] for place, (lead, _) in described.items() if lead is None}
        known = {row["id"]: row["lead"] for row in await db.fetch(LEADS, list(unknown))}
        rows = []
        for (case, person, field, recorder), (found, terms) in described.items():
            leader = found or known[case]
            found_by = sorted({*terms_for(key, recorder, terms), *terms_for(key, leader, terms)})
            rows.append((case, person, field, recorder, as_array(found_by)))
        await db.execute(FOUND_BY, *by_column(rows, 5))
    if named_for := [(*place, named) for place, named in guarded.items() if named is not None]:
        await db.execute(PROTECT, *by_column(named_for, 4))
    if lifted := [place for place, named in guarded.items() if named is None]:
        await db.execute(LIFT, *by_column(lifted, 3))


def digests(key: bytes, terms: Iterable[str]) -> list[int]:
    """What stands in the index in place of a term: 64 bits of a keyed digest; sorted: a refold is equal."""
    return sorted(
        int.from_bytes(hmac.digest(key, b"search " + term.encode(), sha256)[:8], signed=True)
        for term in terms
    )


def as_array(members: Iterable[int | str]) -> str:
    """An array as PostgreSQL reads it: arrays of unlike length cannot be one parameter."""
    return "{" + ",".join(map(str, members)) + "}"


def terms_for(key: bytes, agency: str, terms: Iterable[str]) -> list[int]:
    """Digests by which this agency finds what has these terms."""
    return digests(key, (f"{agency} {term}" for term in terms))


def words(key: bytes, agency: str, query: str) -> list[list[int]] | None:
    """What each word of the query is found by; None: it holds a word that nothing is found by."""
    found = [terms_for(key, agency, terms) for terms in search.asked(query)]
    return found if found and all(found) else None


def hits(count: int, first: int) -> str:
    """A query for the cases with a person whom all words fit, among what agency $1 recorded or led; the
    words are parameters from `first` on.
    """
    fit = " intersect ".join(HIT.format(n) for n in range(first, first + count))
    return f"select case_id from ({fit}) fit"
