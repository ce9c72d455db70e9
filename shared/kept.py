"""Events that a view keeps in their sealed wire form, found again by key; opened on each read."""

from collections.abc import Sequence
from typing import Any

from shared.db import Connection, Pool
from shared.sealing import COLUMNS, ROWS, joined

KEPT = """
create table kept (
    key text not null,
    stream text not null,
    version int not null,
    id uuid not null,
    type text not null,
    data jsonb not null,
    at timestamptz not null,
    occurred_at timestamptz not null,
    actor text not null,
    agency text not null,
    basis text,
    correlation uuid not null,
    causation uuid,
    traceparent text,
    primary key (stream, version)
);
create index kept_key on kept (key, type);
create index kept_type on kept (type)"""
KEEP = f"insert into kept {COLUMNS}{ROWS} on conflict do nothing"
OF_KEYS = "select * from kept where key = any($1::text[]) order by stream, version"
OF_TYPES = "select * from kept where key = any($1::text[]) and type = any($2::text[])"
ALL_OF = "select * from kept where type = any($1::text[])"


async def keep(db: Connection, rows: Sequence[Sequence[str]]) -> None:
    """Keep all of them, as `texts` gives them, with one statement; keeping twice changes nothing."""
    if rows:
        await db.execute(KEEP, *joined(rows))


async def of_keys(
    db: Connection | Pool, keys: Sequence[str], types: Sequence[str] | None = None
) -> list[Any]:
    """Rows of these keys (cases, agencies, bodies); of some event types only if named."""
    if types is None:
        return list(await db.fetch(OF_KEYS, keys))
    return list(await db.fetch(OF_TYPES, keys, types))


async def all_of(db: Connection | Pool, types: Sequence[str]) -> list[Any]:
    """Rows of the given event types, whatever their key (directory, pools of bodies)."""
    return list(await db.fetch(ALL_OF, types))
