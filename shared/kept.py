"""Events that a view keeps in their sealed wire form, found again by key; opened on each read."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from shared.broker import BETWEEN
from shared.contracts import Envelope
from shared.db import Connection, Pool, copy

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
FEW = 50
FIELDS = (*Envelope._fields, "data")
KEEP = "select keep($1)"
OF_KEYS = "select * from kept where key = any($1::text[]) order by stream, version"
OF_TYPES = "select * from kept where key = any($1::text[]) and type = any($2::text[])"
ALL_OF = "select * from kept where type = any($1::text[])"


def line(envelope: Envelope, wire: Any) -> bytes:
    """An event as `keep` takes it. No value of ours holds a line's end or BETWEEN (JSON escapes them);
    one that did would be refused for the columns that it leaves short.
    """
    told = [b"" if value is None else str(value).encode() for value in envelope]
    return BETWEEN.join((*told, to_json(wire)))


async def keep(db: Connection, lines: Sequence[bytes]) -> None:
    """Keep all of them with one statement. Many go by COPY, which takes two thirds of the time, a trip
    more, and refuses all if one is there already or leaves a column empty; of few, one that is there
    already changes nothing.
    """
    if len(lines) > FEW:
        rows = b"\n".join(lines).replace(b"\\", b"\\\\")
        await copy(db, "kept", rows, FIELDS, delimiter=BETWEEN.decode(), null="")
    elif lines:
        await db.execute(KEEP, together(lines))


def together(lines: Sequence[bytes]) -> str:
    """A parameter of the function `keep`, which names the columns in the order of `FIELDS`."""
    return b"\n".join(lines).decode()


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
