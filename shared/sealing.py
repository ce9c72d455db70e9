"""Events to their wire form and back: what is declared personal or coded is sealed, field by field."""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError
from pydantic_core import from_json, to_json, to_jsonable_python

from shared.contracts import EVENTS, UPCASTS, Envelope, Event, Recorded, Unreadable, sealed_fields
from shared.contracts.event import Coded, Personal
from shared.keyring import KeyMissing, Keyring

PAD = 64
"""Sealed values are padded with JSON white space, so that their length tells no code."""
KEY_ID = re.compile(r"(codes|text|person)/[0-9A-Fa-f-]{32,36}")


class Poison(Exception):
    """A record that can never be read: unknown type, wrong shape, bad tag. It parks its stream."""


def upcast(type_: str, data: dict[str, Any]) -> tuple[type[Event], dict[str, Any]]:
    while type_ not in EVENTS:
        if type_ not in UPCASTS:
            raise Poison(f"unknown event type {type_}")
        type_, data = UPCASTS[type_](data)
    return EVENTS[type_], data


def bound_to(envelope: Envelope, field: str, mark: Coded | Personal, key_id: str) -> bytes:
    """Associated data: a sealed value moved to another event, field or version does not open."""
    return "\x1f".join(
        (
            str(envelope.id),
            envelope.stream,
            str(envelope.version),
            envelope.type,
            field,
            mark.data_class,
            key_id,
        )
    ).encode()


class Codec:
    """Seals and opens whole batches with one visit to the keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def seal(self, events: Sequence[tuple[Event, Envelope]]) -> list[dict[str, Any]]:
        """The wire form of each event; keys that do not exist yet are made first."""
        plain = [to_jsonable_python(event) for event, _ in events]
        wanted = {
            mark.key_id(data)
            for (event, _), data in zip(events, plain, strict=True)
            for name, mark in sealed_fields(type(event)).items()
            if data[name] is not None
        }
        keys = await self._keyring.fetch(wanted, make=True) if wanted else {}
        for (event, envelope), data in zip(events, plain, strict=True):
            for name, mark in sealed_fields(type(event)).items():
                if data[name] is not None:
                    key_id = mark.key_id(data)
                    aad = bound_to(envelope, name, mark, key_id)
                    data[name] = _seal(keys[key_id], data[name], aad)
        return plain

    async def open(
        self, rows: Iterable[tuple[Envelope, dict[str, Any]]]
    ) -> list[Recorded | Poison]:
        """Each row opened, or the Poison that it is. Errors of the keyring itself propagate."""
        ready: list[tuple[Envelope, dict[str, Any], type[Event], dict[str, Any]] | Poison] = []
        wanted: set[str] = set()
        for envelope, wire in rows:
            try:
                model, data = upcast(envelope.type, wire)
                marks = sealed_fields(model)
                ids = {m.key_id(data) for n, m in marks.items() if data.get(n) is not None}
                if not all(map(KEY_ID.fullmatch, ids)):
                    raise Poison(f"{envelope.type}: wrong shape of an id")
                wanted |= ids
                ready.append((envelope, wire, model, data))
            except Poison as poison:
                ready.append(poison)
            except KeyError as field:
                ready.append(Poison(f"{envelope.type} without {field}"))
            except (TypeError, ValueError, AttributeError):
                ready.append(Poison(f"{envelope.type}: wrong shape"))
        try:
            keys = await self._keyring.fetch(wanted) if wanted else {}
        except KeyMissing:
            keys = await self._one_by_one(wanted)
        return [row if isinstance(row, Poison) else _open(keys, *row) for row in ready]

    async def _one_by_one(self, wanted: set[str]) -> dict[str, AESGCM | Unreadable]:
        found: dict[str, AESGCM | Unreadable] = {}
        for key_id in wanted:
            try:
                found |= await self._keyring.fetch([key_id])
            except KeyMissing:
                continue
        return found


def _seal(key: AESGCM | Unreadable, value: Any, aad: bytes) -> str:
    if isinstance(key, Unreadable):
        raise ErasedKey
    plain = to_json(value)
    nonce = os.urandom(12)
    padded = plain.ljust(-(-len(plain) // PAD) * PAD)
    return b64encode(nonce + key.encrypt(nonce, padded, aad)).decode()


class ErasedKey(Exception):
    """Nothing more can be written about a person whose keys were destroyed."""


def _open(
    keys: dict[str, AESGCM | Unreadable],
    envelope: Envelope,
    wire: dict[str, Any],
    model: type[Event],
    data: dict[str, Any],
) -> Recorded | Poison:
    opened = dict(data)
    try:
        for name, mark in sealed_fields(model).items():
            if data.get(name) is None:
                continue
            key_id = mark.key_id(data)
            if key_id not in keys:
                return Poison(f"the key of {name} is not in the keyring")
            key = keys[key_id]
            if isinstance(key, Unreadable):
                opened[name] = key
                continue
            raw = b64decode(data[name], validate=True)
            aad = bound_to(envelope, name, mark, key_id)
            opened[name] = from_json(key.decrypt(raw[:12], raw[12:], aad))
        return Recorded(model.model_validate(opened), envelope, wire)
    except InvalidTag:
        return Poison(f"{envelope.type}: a sealed field does not belong to this event")
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        return Poison(f"{envelope.type}: wrong shape at {where}")
    except (ValueError, TypeError):
        return Poison(f"{envelope.type}: a sealed field is not sealed")


def envelope_of(row: Any) -> Envelope:
    """The envelope of one journal row."""
    return Envelope(
        id=row["id"],
        stream=row["stream"],
        version=row["version"],
        key=row["key"],
        type=row["type"],
        at=row["at"],
        occurred_at=row["occurred_at"],
        actor=row["actor"],
        agency=row["agency"],
        basis=row["basis"],
        correlation=row["correlation"],
        causation=row["causation"],
        traceparent=row["traceparent"],
    )


def wire_schema(model: type[Event]) -> dict[str, Any]:
    """JSON Schema of the wire form: sealed fields are base64 strings, other fields as declared."""
    schema = model.model_json_schema()
    for name in sealed_fields(model):
        nullable = {"type": "null"} in schema["properties"][name].get("anyOf", ())
        sealed = {
            "type": ["string", "null"] if nullable else "string",
            "contentEncoding": "base64",
            "description": "sealed (AES-256-GCM)",
        }
        schema["properties"][name] = sealed
    return schema


__all__ = ["Codec", "ErasedKey", "Poison", "envelope_of", "upcast", "wire_schema"]
