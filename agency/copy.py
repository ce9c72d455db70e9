"""The agency's own copy: documents, versions that outlive them, the place reached; SQLite or PostgreSQL."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agency.sealed import Change, Record
from agency.store import Row, store

APPLY = """
insert into documents values (:handle, :document, :edition, :body, :at)
on conflict (handle) do update
   set document = excluded.document, edition = excluded.edition, body = excluded.body,
       at = excluded.at
 where (excluded.document, excluded.edition, excluded.body is null)
     > (documents.document, documents.edition, documents.body is null)"""
HEALED = 'delete from refused where topic = :topic and handle = :handle and "offset" <= :offset'
REFUSE = """
insert into refused values (:topic, :offset, :handle, :reason, :key, :value, :headers, :at)
on conflict (topic, "offset") do update
   set handle = excluded.handle, reason = excluded.reason, key = excluded.key,
       value = excluded.value, headers = excluded.headers, at = excluded.at"""
MOVE = """
insert into position values (:topic, :next, :last_id, :up_to_date_at)
on conflict (topic) do update set next = excluded.next, last_id = excluded.last_id,
       up_to_date_at = coalesce(excluded.up_to_date_at, position.up_to_date_at)"""
OWE = """
insert into receipts values (:handle, :document, :ended)
on conflict (handle) do update set document = excluded.document,
       ended = case when receipts.ended = 1 then 1 else excluded.ended end"""
BEFORE = "select body from documents where handle = :handle"
EMPTY = '{"items": []}'
PAID = "delete from receipts where handle = :handle and document = :document"


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
    """Open once per process; `:memory:` is a copy that is thrown away. Raises Unavailable where it is in
    a database that does not answer.
    """

    def __init__(self, place: Path | str) -> None:
        self._store = store(place)

    def close(self) -> None:
        self._store.close()

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
        with self._store.transaction():
            for offset, change in changes:
                if self._taken(change, now, owe=owe):
                    taken.append(change)
                self._store.write(HEALED, topic=topic, handle=change.handle, offset=offset)
            for refusal in refusals:
                self._store.write(REFUSE, **_row(topic, refusal, now))
            if position:
                self._store.write(MOVE, topic=topic, **_members(position))
        if any(change.document is None or change.document.ended for change in taken):
            self._store.forget()
        return taken

    def _taken(self, change: Change, now: str, *, owe: bool) -> bool:
        before = self._store.read(BEFORE, handle=change.handle)
        row = {"handle": change.handle, "document": change.version, "body": change.body}
        if not self._store.write(APPLY, **row, edition=change.edition, at=now):
            return False
        if owe and change.document:
            ended = int(_left(before[0] if before else None, change))
            self._store.write(OWE, handle=change.handle, document=change.version, ended=ended)
        return True

    def documents(self) -> list[Held]:
        """All handles, those ended included, in their order."""
        return [_held(row) for row in self._store.read("select * from documents order by handle")]

    def document(self, handle: str) -> Held | None:
        rows = self._store.read("select * from documents where handle = :handle", handle=handle)
        return _held(rows[0]) if rows else None

    def position(self, topic: str) -> Position | None:
        rows = self._store.read("select * from position where topic = :topic", topic=topic)
        return Position(**{name: rows[0][name] for name in Position.__slots__}) if rows else None

    def topics(self) -> list[str]:
        return [row["topic"] for row in self._store.read("select topic from position")]

    def refused(self, topic: str) -> list[Refusal]:
        rows = self._store.read(
            'select * from refused where topic = :topic order by "offset"', topic=topic
        )
        return [_refusal(row) for row in rows]

    def restart(self, topic: str) -> None:
        """The topic is another one, or was read wrongly: it is to be read again from its start."""
        with self._store.transaction():
            self._store.write("delete from position where topic = :topic", topic=topic)
            self._store.write("delete from refused where topic = :topic", topic=topic)

    def owed(self, limit: int = 100) -> list[tuple[str, int, bool]]:
        """Receipts not yet given: handle, document, and whether something has left it."""
        rows = self._store.read("select * from receipts order by handle limit :limit", limit=limit)
        return [(row["handle"], row["document"], bool(row["ended"])) for row in rows]

    def paid(self, handle: str, document: int) -> None:
        self._store.write(PAID, handle=handle, document=document)

    def content(self) -> dict[str, tuple[int, int, str | None]]:
        """What two copies of the same topic must agree on, by handle."""
        rows = self._store.read("select * from documents")
        return {row["handle"]: (row["document"], row["edition"], row["body"]) for row in rows}


def _left(before: Row | None, change: Change) -> bool:
    """Has something left the document, that nothing corrected takes the place of? A copy that is new may
    not say: then views knows.
    """
    if before is None or change.document is None:
        return change.version > 1
    had = {item["item"]: _slot(item) for item in json.loads(before["body"] or EMPTY)["items"]}
    now = {item.item for item in change.document.items}
    gone = Counter(slot for item, slot in had.items() if item not in now)
    corrected = Counter(
        (item.type, item.field, item.person)
        for item in change.document.items
        if item.told and item.told.what == "corrected" and item.item not in had
    )
    return bool(gone - corrected)


def _slot(item: Mapping[str, Any]) -> tuple[Any, ...]:
    return item["type"], item["field"], item.get("person")


def _members(position: Position) -> dict[str, Any]:
    return {name: getattr(position, name) for name in Position.__slots__}


def _held(row: Row) -> Held:
    body = row["body"]
    return Held(
        row["handle"], row["document"], row["edition"], body and json.loads(body), row["at"]
    )


def _row(topic: str, refusal: Refusal, now: str) -> dict[str, Any]:
    record = refusal.record
    headers = json.dumps([[name, value.hex()] for name, value in record.headers])
    return {
        "topic": topic, "offset": record.offset, "handle": refusal.handle, "reason": refusal.reason,
        "key": record.key, "value": record.value, "headers": headers, "at": now,
    }  # fmt: skip


def _refusal(row: Row) -> Refusal:
    headers = tuple((name, bytes.fromhex(value)) for name, value in json.loads(row["headers"]))
    record = Record(row["offset"], row["key"], row["value"], headers)
    return Refusal(record, row["handle"], row["reason"], row["at"])
