"""Proof by refolding: the journals folded once more, and every row compared with the promoted view's.

All in one transaction that is rolled back, so a proof that is killed leaves nothing. It sees the
promoted view as it was when it began, and holds nobody up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import asyncpg

from operate.install import Refused
from operate.repair import refold, screen
from operate.repair.place import alone, journals, runtime
from operate.stack import Stack
from shared import views
from shared.db import Connection
from shared.follow import Applier, Taken
from shared.runtime import Runtime

SCRATCH = 0
"""A number that no view has."""
PATIENCE = 3600.0  # seconds for one comparison
FIRST = 5
TABLES = """
select c.relname::text as name,
       array_agg(a.attname::text order by a.attnum)
           filter (where not c.relname || '.' || a.attname = any($2::text[])) as columns,
       array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum))
           filter (where a.attnum = any(i.indkey)) as keys
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_index i on i.indrelid = c.oid and i.indisprimary
 where c.relnamespace = to_regnamespace($1) and c.relkind = 'r' and c.relname <> all($2::text[])
 group by c.relname order by c.relname"""
COMPARE = """
with kept as (select concat_ws('/', {keys}) as key, md5(row({columns})::text) as digest
                from view_{live}."{table}"),
     folded as (select concat_ws('/', {keys}) as key, md5(row({columns})::text) as digest
                  from view_{scratch}."{table}"),
     differing as (select key from kept full join folded using (key)
                    where kept.digest is distinct from folded.digest order by key)
select (select count(*) from kept) as kept, (select count(*) from folded) as folded,
       (select md5(string_agg(digest, '' order by key)) from kept) as digest,
       (select count(*) from differing) as differing,
       array(select key from differing limit {first}) as first"""


@dataclass(frozen=True)
class Compared:
    """One table: rows in the promoted view and in the refold, and where they differ (keys only)."""

    view: str
    table: str
    kept: int
    folded: int
    differing: int
    digest: str | None
    first: list[str]

    def document(self) -> dict[str, Any]:
        return asdict(self)


async def verify(stack: Stack, service: str) -> list[Compared]:
    """Each table of a service's promoted view against a refold of the journals, of which the projection
    is given everything: so that it also proves what a view says of the types that it needs.
    """
    async with refolding(stack, service) as (rt, db, records):
        whole = replace(rt.applier.view, projected=None)
        scratch = Applier(whole, SCRATCH, rt.pool, rt.codec, promoted=False)
        async for some in records:
            await scratch.fold(db, await scratch.opened(some))
        return await compared(db, rt)


@asynccontextmanager
async def refolding(
    stack: Stack, service: str
) -> AsyncIterator[tuple[Runtime, Connection, AsyncIterator[list[Taken]]]]:
    """Empty tables to fold into, one snapshot, and all that the view has applied."""
    async with runtime(stack, service) as rt, journals(stack) as sources, alone(rt) as db:
        view, live = rt.applier.view, rt.applier.number
        transaction = db.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            await views.make(db, view, SCRATCH)
            lack = await refold.lacking(db, view.name, live, SCRATCH)

            async def records() -> AsyncIterator[list[Taken]]:
                done = 0
                with screen.progress(f"{service}: refolding", refold.events_in(lack)) as shown:
                    async for some in refold.chunks(lack, sources, view.topics):
                        yield some
                        done += len(some)
                        shown(done)

            yield rt, db, records()
        finally:
            await transaction.rollback()


async def compared(db: Connection, rt: Runtime) -> list[Compared]:
    view, live = rt.applier.view, rt.applier.number
    found = []
    for row in await db.fetch(TABLES, f"view_{SCRATCH}", view.unfolded):
        sql = COMPARE.format(
            keys=quoted(row["keys"], "::text"), columns=quoted(row["columns"]),
            table=row["name"], live=live, scratch=SCRATCH, first=FIRST,
        )  # fmt: skip
        try:
            one = await db.fetchrow(sql, timeout=PATIENCE)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            raise Refused(
                f"the promoted view of {view.name} has other tables than this version makes; "
                f"rebuild and promote it first"
            ) from None
        assert one is not None
        found.append(Compared(view.name, row["name"], **one))
    return found


def quoted(names: Iterable[str], cast: str = "") -> str:
    return ", ".join(f'"{name}"{cast}' for name in names)


def said(tables: Iterable[Compared]) -> str | None:
    """What is wrong, in words."""
    wrong = [f"{one.view}.{one.table}" for one in tables if one.differing]
    again = "rebuild and promote the view, and report it"
    return f"rows of {', '.join(wrong)} differ from the refold; {again}" if wrong else None
