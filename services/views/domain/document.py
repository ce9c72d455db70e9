"""The document that an agency receives: items under the agency's own handles, padded."""

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from pydantic_core import to_jsonable_python

from shared.contracts.views import ItemRef
from shared.protection import WARNING

from .disclose import Item, ItemKey, Shown
from .grant import Basis

_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
PAD = 4096
"""Documents come in steps of 4 KiB, so that their length tells little (L16)."""


@lru_cache(1 << 16)
def _handle(key: bytes, name: str) -> str:
    made = bytearray(hmac.digest(key, name.encode(), sha256))
    made[6], made[8] = made[6] & 0x0F | 0x80, made[8] & 0x3F | 0x80  # RFC 9562: version 8
    text = made[:16].hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Handles:
    """Names that one agency knows things by; those of two agencies cannot be joined (L14)."""

    def __init__(self, key: bytes, agency: str) -> None:
        self._key, self._agency = key, agency

    def of(self, kind: str, id: object) -> str:
        return _handle(self._key, f"{kind}\n{self._agency}\n{id}")

    def basis(self, basis: Basis) -> dict[str, str]:
        told = {"kind": basis.kind, "id": self.of(basis.kind, basis.id)}
        return {**told, "programme": basis.programme} if basis.programme else told


def item(handles: Handles, shown: Item) -> dict[str, Any]:
    fact = shown.fact
    made = {
        "item": handles.of("item", f"{fact.event}/{fact.field}"),
        "type": "warning.protected" if shown.warned else _type(fact.type),
        "field": fact.field,
        "class": fact.data_class,
        "person": fact.person and handles.of("person", fact.person),
        "value": WARNING if shown.warned else to_jsonable_python(fact.value),
        "occurred_at": fact.occurred_at.isoformat(),
        "recorded_by": fact.recorded_by if handles_own(shown) else None,
        "bases": [handles.basis(basis) for basis in shown.bases],
    }
    if shown.told:  # L17; the others are as they always were, to the byte
        made["told"] = {"what": shown.told, "at": (fact.error_at or fact.at).isoformat()}
    return made


def _type(type: str) -> str:
    return type.removeprefix("jp.tsunagu.").removesuffix(".v1")


def handles_own(shown: Item) -> bool:
    """Who recorded a fact is told only of one's own records: it can itself be telling."""
    return any(basis.kind == "own_record" for basis in shown.bases)


def content(handles: Handles, shown: Shown) -> dict[str, Any]:
    """What the document shows, without its number and time."""
    return {
        "persons": [
            {"person": handles.of("person", person), "classes": dict(classes)}
            for person, classes in shown.persons.items()
        ],
        "items": [item(handles, one) for one in shown.items],
    }


def canonical(content: Mapping[str, Any]) -> bytes:
    """One text for one content, as RFC 8785 has it: a subscriber can make it again from what it keeps."""
    return _canonical(content).encode()


def digest(key: bytes, content: Mapping[str, Any]) -> str:
    """Keyed: the journal keeps it, and nobody may guess content from it."""
    return digest_of(key, canonical(content))


def digest_of(key: bytes, plain: bytes) -> str:
    """The same of content in its canonical form."""
    return hmac.digest(key, plain, sha256).hex()


def is_whole(key: bytes, document: Mapping[str, Any], recorded: str) -> bool:
    """Does it show all that was recorded under this digest, and nothing else?"""
    return digest(key, {"persons": document["persons"], "items": document["items"]}) == recorded


def mark(key: bytes, outward: str) -> str:
    """A digest as an agency sends it, keyed for the same reason."""
    return digest_of(key, outward.encode())


def outward(plain: bytes) -> str:
    """What an agency answers as the digest of this document, given its canonical form."""
    return sha256(plain).hexdigest()


def numbered(
    content: Mapping[str, Any], handle: str, document: int, cause: str, at: datetime
) -> dict[str, Any]:
    return {
        "handle": handle,
        "document": document,
        "cause": cause,
        "at": to_jsonable_python(at),
        **content,
    }


def numbered_text(plain: bytes, handle: str, document: int, cause: str, at: datetime) -> bytes:
    """The canonical form of `numbered`, from that of the content: its names come after these."""
    return canonical(numbered({}, handle, document, cause, at))[:-1] + b"," + plain[1:]


def padded(plain: bytes) -> bytes:
    """With white space up to the next step."""
    return plain.ljust(-(-len(plain) // PAD) * PAD)


def only(shown: Shown, allowed: Iterable[ItemKey]) -> Shown:
    """The part of `shown` that is among `allowed`: shrinking never waits."""
    kept = set(allowed)
    items = tuple(i for i in shown.items if i.key in kept)
    people = {person for i in items for person in i.fact.subjects}
    return Shown(items, {p: c for p, c in shown.persons.items() if p in people})


def as_recorded(shown: Shown, refs: Iterable[ItemRef]) -> Shown:
    """The part of `shown` that a record names, with what the agency was told of it (L17)."""
    told = {(ref.event, ref.field, ref.bare): ref for ref in refs}
    kept = only(shown, told)
    items = tuple(i._replace(corrects=told[i.key].told == "corrected") for i in kept.items)
    return Shown(items, kept.persons)
