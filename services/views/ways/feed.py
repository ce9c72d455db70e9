"""The feed: an agency's documents as state, in an order of its own that no change falls behind.

Feed, webhook and file read it alike; from zero, late or catching up it is the same path. Each case
stands in it once, with its newest document, at the place of its last change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.contracts.views import DocumentChanged
from shared.runtime import Runtime

from ..delivery import NONE, opened
from ..view import newest_documents
from .cursor import Cursor

PLACED_TOGETHER = 1000

WAITS = """
select exists (select from delivery where agency = $1 and place is null
                and (placed_after is null or placed_after < now()))"""
PLACE = f"""
with waiting as materialized (
     select case_id, changed_at from delivery
      where agency = $1 and place is null and (placed_after is null or placed_after < now())
      order by changed_at, case_id limit {PLACED_TOGETHER} for update skip locked),
     numbered as (
     select case_id, row_number() over (order by changed_at, case_id) as n,
            count(*) over () as of_all from waiting),
     moved as (
     insert into feed (agency, place) select $1, count(*) from waiting
         on conflict (agency) do update set place = feed.place + excluded.place
     returning place)
update delivery d set place = m.place - n.of_all + n.n
  from numbered n, moved m where d.agency = $1 and d.case_id = n.case_id"""
"""Who places holds the agency's row of `feed` until it commits: places appear in their order."""
READ = """
select f.era, f.place as last, d.*
  from feed f left join lateral (
       select case_id, handle, document, edition, ended, place from delivery
        where agency = f.agency and place > case when f.era = $2 and $3 <= f.place then $3 else 0 end
        order by place limit $4) d on true
 where f.agency = $1 order by d.place"""
LATER = """
update delivery set place = null, placed_after = now() + interval '1 second'
 where agency = $1 and case_id = any($2::uuid[])"""


@dataclass(frozen=True)
class Entry:
    """One case as it is now for this agency; `content` None: its content has ended."""

    cursor: Cursor
    case: UUID
    handle: UUID
    document: int
    edition: int
    ended: bool
    content: dict[str, Any] | None
    recorded: DocumentChanged | None


@dataclass(frozen=True)
class Page:
    """`cursor`: where the next one begins. `restarted`: the cursor was of an order that is gone, and
    this is the start.
    """

    entries: Sequence[Entry]
    cursor: Cursor
    up_to_date: bool
    restarted: bool


async def page(rt: Runtime, agency: str, after: Cursor, limit: int) -> Page:
    """What comes after the cursor, opened now. What must wait until this view is whole again loses
    its place and comes later.
    """
    if await rt.pool.fetchval(WAITS, agency):
        await rt.pool.execute(PLACE, agency)
    rows = await rt.pool.fetch(READ, agency, after.era, after.place, limit)
    if not rows:
        return Page([], after, True, False)
    era, last = rows[0]["era"], rows[0]["last"]
    restarted = after.place > 0 and (era != after.era or after.place > last)
    found = [row for row in rows if row["place"] is not None]
    entries = await _entries(rt, agency, era, found)
    start = Cursor(era, 0 if restarted else after.place)
    reached = Cursor(era, found[-1]["place"]) if found else start
    return Page(entries, reached, len(found) < limit, restarted)


async def _entries(rt: Runtime, agency: str, era: UUID, rows: Sequence[Any]) -> list[Entry]:
    living = [(agency, row["case_id"]) for row in rows if not row["ended"]]
    newest = await newest_documents(rt.pool, living)
    documents, early, _ = await opened(rt, newest) if newest else NONE
    entries: list[Entry] = []
    later: list[UUID] = []
    for row in rows:
        case, cursor = row["case_id"], Cursor(era, row["place"])
        content = None if (agency, case) in early else documents.get((agency, case))
        if content is None and not row["ended"]:
            later.append(case)
            continue
        # A newer one may have been recorded since the row was read: the record names what it holds.
        number = row["document"] if content is None else content["document"]
        recorded = None if content is None else newest[agency, case][0]
        entries.append(
            Entry(
                cursor, case, row["handle"], number, row["edition"], row["ended"], content, recorded
            )
        )
    if later:
        await rt.pool.execute(LATER, agency, later)
    return entries
