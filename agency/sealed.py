"""A record from the topic, checked and opened: sealed for this agency (JWE), padded against guessing."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import ValidationError

from agency.document import Document

ALGORITHMS = ["ECDH-ES", "A256GCM"]
"""Nothing else is opened, whatever a record's own header asks for."""
LARGEST = 1_048_576
"""Bytes that a record may have on the broker; the library stops at 64 KiB of its own accord."""
CHANGED = "jp.tsunagu.view.changed.v1"
HEARTBEAT = b"_heartbeat"


class _Registry(jwe.JWERegistry):
    max_ciphertext_length = LARGEST


class Poison(Exception):
    """A record that cannot be taken over: not sealed for us, or of another shape. Says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the broker keeps it; `value` None is a tombstone."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        return found[-1].decode("utf-8", "replace") if found else None

    @property
    def heartbeat(self) -> bool:
        return self.key == HEARTBEAT


@dataclass(frozen=True, slots=True)
class Change:
    """What one record says of one handle; `body` None: all content has ended (tombstone).

    `body` is the document as it was sent, for keeping; `document` the same, checked.
    """

    handle: str
    version: int
    edition: int
    body: str | None = None
    document: Document | None = None

    @property
    def rank(self) -> tuple[int, int, bool]:
        """The highest one wins, in whatever order they arrive; a tombstone ends its own version."""
        return self.version, self.edition, self.body is None


def opened(record: Record, keys: KeySet) -> Change:
    """Raises Poison."""
    if record.header("ce_type") != CHANGED:
        raise Poison("ce_type is not that of a view")
    handle = (record.key or b"").decode("utf-8", "replace")
    version, edition = _number(record, "ce_version"), _number(record, "ce_edition")
    if not handle:
        raise Poison("no key")
    if record.value is None:
        return Change(handle, version, edition)
    body = unsealed(record.value, keys)
    try:
        document = Document.model_validate_json(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise Poison(f"the document has another shape at {where or 'its start'}") from None
    if (document.handle, document.document) != (handle, version):
        raise Poison("the document is not the one that its record names")
    return Change(handle, version, edition, body, document)


def unsealed(value: bytes, keys: KeySet) -> str:
    """The JSON text without its padding, whichever key it is sealed to: it does not say. Raises Poison."""
    for key in keys.keys:
        with suppress(JoseError, ValueError, TypeError, KeyError):
            plain = jwe.decrypt_compact(value, key, registry=_REGISTRY).plaintext
            break
    else:
        raise Poison("it does not open with our key")
    try:
        return (plain or b"").rstrip(b" \t\r\n\0").decode()
    except UnicodeDecodeError:
        raise Poison("the document is no text") from None


def heartbeat_at(record: Record) -> str | None:
    """The time up to which everything has been sent before this record; None while the subscription
    is paused, when something may be held back. Raises Poison.
    """
    try:
        value: Any = json.loads(record.value or b"")
        at: Any = value["at"]
    except (ValueError, KeyError, TypeError):
        raise Poison("a heartbeat without time") from None
    if not isinstance(at, str):
        raise Poison("a heartbeat without time")
    return None if value.get("paused") else at


_REGISTRY = _Registry(algorithms=ALGORITHMS)


def highest(changes: Iterable[Change]) -> dict[str, Change]:
    """By handle, what a complete copy holds in the end."""
    found: dict[str, Change] = {}
    for change in changes:
        if change.handle not in found or change.rank > found[change.handle].rank:
            found[change.handle] = change
    return found


def _number(record: Record, name: str) -> int:
    text = record.header(name) or ""
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        raise Poison(f"{name} is no number")
    return int(text)
