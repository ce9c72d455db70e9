"""A copy in PostgreSQL: the schema `tsunagu` of a database of the agency."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from agency.store import SCHEMA, Row, Unavailable

NAMED = re.compile(r":([a-z_]+)")
CONNECT_SECONDS = 5
BEGIN = """
create schema if not exists tsunagu;
set search_path to tsunagu;
set synchronous_commit to on;
"""
ONE_AFTER_ANOTHER = "lock table documents in exclusive mode"
"""As SQLite does it: readers go on, two that write do not mix."""


class Postgresql:
    """One connection, made again when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept: psycopg.Connection[dict[str, Any]] | None = None
        with self._asked() as db:
            db.execute("select 1")

    def read(self, sql: str, **given: Any) -> list[Row]:
        with self._asked() as db:
            return list(db.execute(*_spoken(sql, given)).fetchall())

    def write(self, sql: str, **given: Any) -> int:
        with self._asked() as db:
            return int(db.execute(*_spoken(sql, given)).rowcount)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._asked() as db, db.transaction():
            db.execute(ONE_AFTER_ANOTHER)
            yield

    def forget(self) -> None:
        """The server's log and backups are kept as the agency keeps those of its other records."""
        self.write("vacuum documents")

    def close(self) -> None:
        if self._kept:
            self._kept.close()

    @contextmanager
    def _asked(self) -> Iterator["psycopg.Connection[dict[str, Any]]"]:
        try:
            yield self._connection()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if self._kept:
                self._kept.close()
            raise Unavailable(type(error).__name__) from error

    def _connection(self) -> "psycopg.Connection[dict[str, Any]]":
        if self._kept is None or self._kept.closed:
            made = psycopg.connect(
                self._url,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=CONNECT_SECONDS,
                application_name="tsunagu-agency",
            )
            made.execute(BEGIN)
            made.execute(SCHEMA.replace("BYTES", "bytea"))
            self._kept = made
        return self._kept


def _spoken(sql: str, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """As the client wants it; a text here holds no NUL."""
    values = {
        name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for name, value in given.items()
    }
    return NAMED.sub(r"%(\1)s", sql), values
