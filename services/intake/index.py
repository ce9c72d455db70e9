"""The search index of intake's view: a person's values as keyed digests of their terms (L24)."""

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
from shared.runtime import Runtime

from .domain import search

FOUND_BY = """
insert into search (case_id, person, field, recorder, lead, terms)
select t.case_id, t.person, t.field, t.recorder, coalesce(t.lead, c.lead),
       t.terms::bigint[]
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
       as t(case_id, person, field, recorder, lead, terms)
  join cases c on c.id = t.case_id
on conflict (case_id, person, field, recorder) do update set lead = excluded.lead, terms = excluded.terms"""
FIND = """
select distinct case_id, person from search s
 where terms @> $2::bigint[] and (recorder = $1 or lead = $1)
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
    found_by: dict[tuple[UUID, UUID, str, str], tuple[str | None, str]] = {}
    for recorded in events:
        match recorded.event:
            case CaseOpened(case=case, lead=lead) | LeadAccepted(case=case, lead=lead):
                leads[case] = lead
            case PersonDescribed(case=case, person=person) as told:
                for field, terms in search.described(told).items():
                    place = (case, person, field, recorded.envelope.agency)
                    found_by[place] = leads.get(case), as_array(digests(key, terms))
            case ItemProtected(case=case, person=person, item=str(item), named=named):
                guarded[case, person, item] = as_array(named)
            case ProtectionLifted(case=case, person=person, item=str(item)):
                guarded[case, person, item] = None
    if found_by:
        rows = [(*place, *value) for place, value in found_by.items()]
        await db.execute(FOUND_BY, *by_column(rows, 6))
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


async def find(rt: Runtime, agency: str, query: str) -> set[UUID]:
    """Cases with a person whom every word of the query fits, among what the agency recorded or led."""
    found: set[tuple[UUID, UUID]] | None = None
    for terms in search.asked(query):
        if not terms:
            return set()
        rows = await rt.reads.fetch(FIND, agency, digests(rt.keys.index_key, terms))
        fits = {(row["case_id"], row["person"]) for row in rows}
        found = fits if found is None else found & fits
    return {case for case, _ in found or ()}
