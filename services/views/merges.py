"""Merges in the view: which hold, and which cases change with one another."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import CasesMerged, ConsentConfirmed, MergeUndone
from shared.contracts.views import DocumentChanged, ItemRef
from shared.db import Connection, Pool

from .domain.joined import Merge

TYPES = tuple(e.TYPE for e in (CasesMerged, ConsentConfirmed, MergeUndone))
MERGED = """
insert into merges (id, merged, into_case, same, at) values ($1, $2, $3, $4, $5)
on conflict do nothing"""
CONFIRMED = """
update merges set confirmed = array(select distinct unnest(confirmed || $2::uuid) order by 1)
 where id = $1 returning merged, into_case"""
UNDONE = """
update merges set undone = true, undone_at = $2 where id = $1 returning merged, into_case"""
HOLDING = """
with recursive near (id) as (
     select unnest($1::uuid[])
     union
     select n.id from near c, lateral (
            select m.into_case as id from merges m where m.merged = c.id and not m.undone
            union all
            select m.merged from merges m where m.into_case = c.id and not m.undone) n)
select id, merged, into_case, same, confirmed from merges
 where merged = any(array(select id from near)) and not undone"""
HELD = """
with recursive near (id) as (
     select $1::uuid
     union
     select n.id from near c, lateral (
            select m.into_case as id from merges m where m.merged = c.id
            union all
            select m.merged from merges m where m.into_case = c.id) n)
select * from merges
 where merged = any(array(select id from near)) and at <= $2 and (undone_at is null or undone_at > $2)"""
OF_MERGE = "select * from merges where id = $1"
IDS = """
with recursive pairs (one, other) as (
     select (p ->> 0)::uuid, (p ->> 1)::uuid
       from merges m cross join jsonb_array_elements(m.same) p where not m.undone),
     known (id) as (
     select $1::uuid union
     select case k.id when p.one then p.other else p.one end
       from known k join pairs p on k.id in (p.one, p.other))
select id from known order by id"""
SIDE = """
with recursive side (id) as (
     select $1::uuid union select m.merged from merges m join side s on m.into_case = s.id)
select k.id, k.type, k.data ->> 'consent' as consent
  from side s join kept k on k.key = s.id::text"""
TARGETS = """
with recursive target (id) as (
     select $1::uuid union select m.into_case from merges m join target t on m.merged = t.id)
select id::text from target"""
DOCUMENTS = """
select data, at from journal
 where key = any($1::text[]) and stream like 'disclosure/%' and type = $2
 order by stream, version"""


async def project(db: Connection, events: Iterable[Recorded]) -> set[UUID]:
    """Cases whose documents may change."""
    touched: set[UUID] = set()
    for recorded in events:
        match recorded.event:
            case CasesMerged() as e:
                same = [list(map(str, pair)) for pair in e.same]
                await db.execute(MERGED, e.merge, e.merged, e.into, same, recorded.envelope.at)
                touched |= {e.merged, e.into}
            case ConsentConfirmed(merge=id, consent=consent):
                touched |= set(await db.fetchrow(CONFIRMED, id, consent) or ())
            case MergeUndone(merge=id):
                touched |= set(await db.fetchrow(UNDONE, id, recorded.envelope.at) or ())
    return touched


async def holding(db: Connection | Pool, cases: Sequence[UUID]) -> list[Merge]:
    """All by which others stand together with these cases."""
    return merges_of(await db.fetch(HOLDING, cases)) if cases else []


def merges_of(rows: Iterable[Any]) -> list[Merge]:
    """From rows, or from the same as JSON."""
    found = {
        str(row["id"]): Merge(
            UUID(str(row["id"])),
            UUID(str(row["merged"])),
            UUID(str(row["into_case"])),
            tuple((UUID(one), UUID(other)) for one, other in row["same"]),
            frozenset(UUID(str(consent)) for consent in row["confirmed"]),
        )
        for row in rows
    }
    return [found[id] for id in sorted(found)]


async def held(db: Connection, case: UUID, at: datetime) -> list[Merge]:
    """By which others stood together with the case at that moment."""
    return merges_of(await db.fetch(HELD, case, at))


async def ids_of(db: Pool, person: UUID) -> list[UUID]:
    """All ids of a person, by merges that hold."""
    return [row["id"] for row in await db.fetch(IDS, person)]


async def of_id(db: Pool, id: UUID) -> Any | None:
    return await db.fetchrow(OF_MERGE, id)


async def grown(
    db: Pool, journal: Pool, merged: UUID, into: UUID
) -> list[tuple[Any, Any, int, int]]:
    """Documents that ever showed something through a merge: each with its time, how many items came
    from the other case, and how many of them rested on a consent of the other case alone.
    """
    side = await db.fetch(SIDE, merged)
    events = {row["id"] for row in side}
    consents = {row["consent"] for row in side if row["consent"]}
    targets = [row["id"] for row in await db.fetch(TARGETS, into)]
    found = []
    for row in await journal.fetch(DOCUMENTS, targets, DocumentChanged.TYPE):
        document = DocumentChanged.model_validate(row["data"])
        crossing = [ref for ref in document.items if _crosses(ref, events, consents)]
        there = [ref for ref in document.items if ref.event in events or ref in crossing]
        found.append((document, row["at"], len(there), len(crossing)))
    return found


def _crosses(ref: ItemRef, events: set[UUID], consents: set[str]) -> bool:
    there = ref.event in events
    return all(b.kind == "consent" and (b.id in consents) != there for b in ref.bases)
