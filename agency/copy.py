"""The agency's own copy in one SQLite file: documents, versions that outlive them, the place reached."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agency.sealed import Change, Record

SCHEMA = """
create table if not exists documents (
    handle text primary key, document int not null, edition int not null, body text, at text not null
);
create table if not exists position (
    topic text primary key, next int not null, last_id text, up_to_date_at text
);
create table if not exists refused (
    topic text, offset int, handle text not null, reason text not null, key blob, value blob,
    headers text not null, at text not null, primary key (topic, offset)
);
create table if not exists receipts (
    handle text primary key, document int not null, ended int not null
);
"""
APPLY = """
insert into documents values (:handle, :document, :edition, :body, :at)
on conflict (handle) do update
   set document = :document, edition = :edition, body = :body, at = :at
 where (:document, :edition, :body is null)
     > (documents.document, documents.edition, documents.body is null)"""
HEALED = "delete from refused where topic = ? and handle = ? and offset <= ?"
REFUSE = "insert or replace into refused values (?, ?, ?, ?, ?, ?, ?, ?)"
MOVE = """
insert into position values (:topic, :next, :last_id, :up_to_date_at)
on conflict (topic) do update set next = :next, last_id = :last_id,
       up_to_date_at = coalesce(:up_to_date_at, up_to_date_at)"""
OWE = """
insert into receipts values (?, ?, ?)
on conflict (handle) do update set document = excluded.document,
       ended = max(ended, excluded.ended)"""
BEFORE = "select body from documents where handle = ?"


@dataclass(frozen=True, slots=True)
class Held:
    """One handle of the copy; `body` None: its content has ended, only the version is kept."""

    handle: str
    document: int
    edition: int
    body: dict[str, Any] | None
    at: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record kept aside, to be looked at; the next good one of its handle heals it."""

    record: Record
    handle: str
    reason: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the copy is in its topic: the next offset, and the id of the record before it."""

    next: int
    last_id: str | None
    up_to_date_at: str | None = None


class Copy:
    """Open once per process; `:memory:` is a copy that is thrown away."""

    def __init__(self, path: Path | str) -> None:
        if str(path) != ":memory:":
            os.close(os.open(path, os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # What has ended leaves the file too, not only the table.
        self._db.executescript("pragma secure_delete = on; pragma journal_mode = wal;")
        self._db.executescript("pragma synchronous = normal; pragma busy_timeout = 5000;" + SCHEMA)

    def close(self) -> None:
        self._db.close()

    def apply(
        self,
        changes: Iterable[tuple[int, Change]] = (),
        refusals: Iterable[Refusal] = (),
        *,
        topic: str = "",
        position: Position | None = None,
        owe: bool = False,
    ) -> list[Change]:
        """One transaction: what is higher than what we have, and the new place in the topic.

        `changes` come with their offsets; `owe` notes a receipt for each. Returns what was taken over.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        taken: list[Change] = []
        with self._transaction() as db:
            for offset, change in changes:
                before = db.execute(BEFORE, (change.handle,)).fetchone()
                row = {"handle": change.handle, "document": change.version, "body": change.body}
                if db.execute(APPLY, {**row, "edition": change.edition, "at": now}).rowcount:
                    taken.append(change)
                    if owe and change.document:
                        db.execute(OWE, (change.handle, change.version, _left(before, change)))
                db.execute(HEALED, (topic, change.handle, offset))
            for refusal in refusals:
                db.execute(REFUSE, _row(topic, refusal, now))
            if position:
                db.execute(MOVE, {"topic": topic, **_members(position)})
        if any(change.document is None or change.document.ended for change in taken):
            self._db.execute("pragma wal_checkpoint(truncate)")
        return taken

    def documents(self) -> list[Held]:
        """All handles, those ended included, in their order."""
        return [_held(row) for row in self._db.execute("select * from documents order by handle")]

    def document(self, handle: str) -> Held | None:
        row = self._db.execute("select * from documents where handle = ?", (handle,)).fetchone()
        return _held(row) if row else None

    def position(self, topic: str) -> Position | None:
        rows = self._db.execute("select * from position where topic = ?", (topic,)).fetchall()
        return Position(**{name: rows[0][name] for name in Position.__slots__}) if rows else None

    def topics(self) -> list[str]:
        return [row["topic"] for row in self._db.execute("select topic from position")]

    def refused(self, topic: str) -> list[Refusal]:
        rows = self._db.execute("select * from refused where topic = ? order by offset", (topic,))
        return [_refusal(row) for row in rows]

    def restart(self, topic: str) -> None:
        """The topic is another one, or was read wrongly: it is to be read again from its start."""
        with self._transaction() as db:
            db.execute("delete from position where topic = ?", (topic,))
            db.execute("delete from refused where topic = ?", (topic,))

    def owed(self, limit: int = 100) -> list[tuple[str, int, bool]]:
        """Receipts not yet given: handle, document, and whether something has left it."""
        rows = self._db.execute("select * from receipts order by rowid limit ?", (limit,))
        return [(row["handle"], row["document"], bool(row["ended"])) for row in rows]

    def paid(self, handle: str, document: int) -> None:
        sql = "delete from receipts where handle = ? and document = ?"
        self._db.execute(sql, (handle, document))

    def content(self) -> dict[str, tuple[int, int, str | None]]:
        """What two copies of the same topic must agree on, by handle."""
        rows = self._db.execute("select handle, document, edition, body from documents")
        return {handle: (document, edition, body) for handle, document, edition, body in rows}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("begin immediate")
        try:
            yield self._db
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")


def _left(before: sqlite3.Row | None, change: Change) -> bool:
    """Has something left the document? A copy that is new may not say: then views knows."""
    if before is None or change.document is None:
        return change.version > 1
    had = {item["item"] for item in json.loads(before["body"] or '{"items": []}')["items"]}
    return bool(had - {item.item for item in change.document.items})


def _members(position: Position) -> dict[str, Any]:
    return {name: getattr(position, name) for name in Position.__slots__}


def _held(row: sqlite3.Row) -> Held:
    body = row["body"]
    return Held(
        row["handle"], row["document"], row["edition"], body and json.loads(body), row["at"]
    )


def _row(topic: str, refusal: Refusal, now: str) -> tuple[Any, ...]:
    record = refusal.record
    headers = json.dumps([[name, value.hex()] for name, value in record.headers])
    return (
        topic, record.offset, refusal.handle, refusal.reason, record.key, record.value, headers, now,
    )  # fmt: skip


def _refusal(row: sqlite3.Row) -> Refusal:
    headers = tuple((name, bytes.fromhex(value)) for name, value in json.loads(row["headers"]))
    record = Record(row["offset"], row["key"], row["value"], headers)
    return Refusal(record, row["handle"], row["reason"], row["at"])
