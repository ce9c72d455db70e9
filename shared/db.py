"""Connections to PostgreSQL: pools with a jsonb codec, and what counts as passing trouble."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from pydantic_core import from_json, to_json

GIVES_WAY = "3s"
"""Locks of a process that stands still in a transaction are given to the others after this time."""
NAME = "tsunagu"
BY_INDEX = {"enable_seqscan": "off"}
"""Each statement has its index. Of a table that has just grown there are no statistics, and it would
be read whole, again and again, for as long as the prepared statement lives.
"""

ONE_PLAN = "force_generic_plan"
"""Of who sends the same few statements for each event: planned once, not anew for each list of another
length, which takes as long as all the rest of a short statement.
"""

Pool = asyncpg.Pool
Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection

PASSING = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the library, when a session is ended under it
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""Errors that pass by themselves: waited out, never parked. A full disk is one of them."""

UNREAD = """
select pg_terminate_backend(pid) from pg_stat_activity
 where usename = current_user and application_name = current_setting('application_name')
   and state = 'active' and wait_event = 'ClientWrite'
   and query_start < clock_timestamp() - interval '2 s'"""
"""Ends our sessions whose answer nobody reads: their process stands still, and no timeout of
PostgreSQL ends a session that waits to write, so that its locks would stay.
"""

RACED = asyncpg.UniqueViolationError
"""Somebody appended to the same stream first: load again."""
REFUSED = asyncpg.PostgresError


class _Plain(asyncpg.Connection):
    """Nothing of ours outlives a transaction (`set local` only), so a release needs no round trip."""

    def get_reset_query(self) -> str:
        return ""


async def prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: to_json(value).decode(),
        decoder=from_json,
    )


@asynccontextmanager
async def pool(url: str, *, size: int = 12, **server_settings: str) -> AsyncIterator[Pool]:
    """A pool whose connections give up on a statement after 30 s, and on an idle transaction."""
    async with asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        init=prepare,
        connection_class=_Plain,
        command_timeout=30,
        server_settings={
            "timezone": "UTC",
            "application_name": NAME,
            "idle_in_transaction_session_timeout": GIVES_WAY,
            **BY_INDEX,
            **server_settings,
        },
    ) as made:
        yield made


async def connect(url: str, **server_settings: str) -> asyncpg.Connection:
    """A connection outside any pool, for session locks (releasing to a pool would drop them)."""
    connection = await asyncpg.connect(
        url,
        command_timeout=30,
        server_settings={
            "timezone": "UTC",
            "application_name": NAME,
            **BY_INDEX,
            "plan_cache_mode": ONE_PLAN,
            **server_settings,
        },
    )
    await prepare(connection)
    return connection


def by_column(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """As `unnest` takes them: a list for each column."""
    return [[row[n] for row in rows] for n in range(width)]


NOTHING = "\1"
LINES = "string_to_array(${}, chr(10), chr(1))"
"""A column of many rows as one text, a line each, to be cast to an array: of an array the driver looks at
each element, which took longer than all else. No value of ours holds a line's end, and none is empty.
"""


def line(value: Any) -> str:
    return NOTHING if value is None else str(value)


def lines(column: Iterable[Any]) -> str:
    """A parameter of `LINES`."""
    return "\n".join(map(line, column))


def unfolded(kinds: Sequence[str], first: int = 1) -> str:
    """A `select` of rows from their columns, of these types, each as `lines` made it."""
    places = range(first, first + len(kinds))
    values = ", ".join(f"n{n}::{kind}" for n, kind in zip(places, kinds, strict=True))
    columns, names = ", ".join(map(LINES.format, places)), ", ".join(f"n{n}" for n in places)
    return f"\nselect {values}\n  from unnest({columns}) n ({names})"


DISK = "(select set_config('synchronous_commit', 'off', true) as waits) disk"
UNWAITED = "waits = 'off'"
"""In the `from` and the `where` of a statement: its transaction does not wait for the disk, and may be lost
with the database's last half second, in order and as a whole. For what is made anew by itself then.
"""


async def copy(
    db: Connection, table: str, rows: bytes, columns: Sequence[str], **form: Any
) -> None:
    """Rows in the form of COPY. The driver takes a buffer as it is, which its types do not say; what has a
    `read` it reads in another thread.
    """
    await db.copy_to_table(table, source=memoryview(rows), columns=columns, **form)  # type: ignore[arg-type]
