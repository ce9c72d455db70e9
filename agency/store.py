"""Where a copy is kept: one SQLite file, or one schema of a PostgreSQL database. The SQL is the same."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

SCHEMA = """
create table if not exists documents (
    handle text primary key, document int not null, edition int not null, body text, at text not null
);
create table if not exists position (
    topic text primary key, next bigint not null, last_id text, up_to_date_at text
);
create table if not exists refused (
    topic text, "offset" bigint, handle text not null, reason text not null, key BYTES, value BYTES,
    headers text not null, at text not null, primary key (topic, "offset")
);
create table if not exists receipts (
    handle text primary key, document int not null, ended int not null
);
"""
Row = Mapping[str, Any]


class Unavailable(Exception):
    """The database does not answer just now; what was asked of it has not happened, or will be taken
    for a repeat.
    """


class Store(Protocol):
    """Parameters stand in the SQL as `:name`. All raise Unavailable."""

    def read(self, sql: str, **given: Any) -> list[Row]: ...

    def write(self, sql: str, **given: Any) -> int:
        """How many rows it has changed; a transaction of its own unless in one."""

    def transaction(self) -> AbstractContextManager[None]:
        """Whole or not at all, and one after another."""

    def forget(self) -> None:
        """What was deleted or overwritten leaves the disk too, as far as that is in our hands."""

    def close(self) -> None: ...


class Sqlite:
    def __init__(self, path: str) -> None:
        if path != ":memory:":
            os.close(os.open(path, os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # What has ended leaves the file too, not only the table.
        self._db.executescript("pragma secure_delete = on; pragma journal_mode = wal;")
        self._db.executescript("pragma synchronous = normal; pragma busy_timeout = 5000;")
        self._db.executescript(SCHEMA.replace("BYTES", "blob"))

    def read(self, sql: str, **given: Any) -> list[Row]:
        return [dict(row) for row in self._db.execute(sql, given)]

    def write(self, sql: str, **given: Any) -> int:
        return self._db.execute(sql, given).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def forget(self) -> None:
        self._db.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        self._db.close()


def store(place: Path | str) -> Store:
    """A file, `:memory:`, or `postgresql://…`, which needs `pip install tsunagu-agency[postgresql]`."""
    if str(place).startswith(("postgresql://", "postgres://")):
        from agency.postgresql import Postgresql

        return Postgresql(str(place))
    return Sqlite(str(place))
