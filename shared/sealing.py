"""Events to their wire form and back: what is declared personal or coded is sealed, field by field."""

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable, Container, Iterable, Sequence
from functools import cache
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError
from pydantic_core import (
    CoreConfig,
    SchemaValidator,
    core_schema,
    from_json,
    to_json,
    to_jsonable_python,
)

from shared.contracts import (
    EVENTS,
    SHUT,
    UPCASTS,
    Envelope,
    Event,
    Recorded,
    Unreadable,
    sealed_fields,
)
from shared.contracts.event import Coded, Personal
from shared.db import line, unfolded
from shared.keyring import KeyMissing, Keyring

NONCE = 12
PAD = 64
"""Sealed values are padded with JSON white space, so that their length tells no code."""
BREATH = 50
NOT_BASE64 = "not base64"
BASE64 = SchemaValidator(
    core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64", title=NOT_BASE64)
)
"""Three times as fast as the standard library's."""


class Poison(Exception):
    """A record that can never be read: unknown type, wrong shape, bad tag. It parks its stream."""


def upcast(type_: str, data: dict[str, Any]) -> tuple[type[Event], dict[str, Any]]:
    while type_ not in EVENTS:
        if type_ not in UPCASTS:
            raise Poison(f"unknown event type {type_}")
        type_, data = UPCASTS[type_](data)
    return EVENTS[type_], data


def named(envelope: Envelope) -> str:
    """An event as sealed values are bound to it."""
    e = envelope
    return f"{e.id!s}\x1f{e.stream}\x1f{e.version}\x1f{e.type}"


def placed(field: str, mark: Coded | Personal) -> str:
    """A field as what is sealed in it is bound to it."""
    return f"\x1f{field}\x1f{mark.data_class}\x1f"


def bound_to(event: str, place: str, key_id: str) -> bytes:
    """Associated data: a sealed value moved to another event, field or version does not open."""
    return f"{event}{place}{key_id}".encode()


class Codec:
    """Seals and opens whole batches with one visit to the keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def seal(self, events: Sequence[tuple[Event, Envelope]]) -> list[dict[str, Any]]:
        """The wire form of each event; keys that do not exist yet are made first."""
        plain = [to_jsonable_python(event) for event, _ in events]
        to_seal = [
            [
                (name, place, kind + data[owner])
                for name, place, kind, owner in _sealed(type(event))
                if data[name] is not None
            ]
            for (event, _), data in zip(events, plain, strict=True)
        ]
        wanted = {key_id for fields in to_seal for _, _, key_id in fields}
        keys = await self._keyring.fetch(wanted, make=True) if wanted else {}
        for (_, envelope), data, fields in zip(events, plain, to_seal, strict=True):
            bound, fresh = named(envelope), os.urandom(NONCE * len(fields))
            for n, (name, place, key_id) in enumerate(fields):
                nonce = fresh[NONCE * n : NONCE * (n + 1)]
                aad = bound_to(bound, place, key_id)
                data[name] = _seal(keys[key_id], nonce, data[name], aad)
        return plain

    async def open(
        self,
        rows: Iterable[tuple[Envelope, dict[str, Any]]],
        *,
        shut: bool = False,
        only: Container[str] | None = None,
    ) -> list[Recorded | Poison]:
        """Each row opened, or the Poison that it is. Errors of the keyring itself propagate. `shut`:
        sealed fields are left as if this service had no key; so are those of types that are not among
        `only`.
        """
        opened: list[Recorded | Poison | None] = []
        late: dict[int, tuple[Envelope, dict[str, Any]]] = {}
        key_of = self._keyring.at_hand()
        for n, (envelope, wire) in enumerate(rows):
            if n and not n % BREATH:
                await asyncio.sleep(0)  # what else there is to do does not wait for all of a batch
            opened.append(found := _open(key_of, envelope, wire, shut, only))
            if found is None:
                late[n] = envelope, wire
        if late:
            wanted = {key_id for row in late.values() for key_id in _key_ids(*row)}
            try:
                keys = await self._keyring.fetch(wanted)
            except KeyMissing:
                keys = await self._one_by_one(wanted)
            for n, (envelope, wire) in late.items():
                missing = Poison(f"{envelope.type}: the key of a field is not in the keyring")
                opened[n] = _open(keys.get, envelope, wire, shut, only) or missing
        return cast("list[Recorded | Poison]", opened)

    async def _one_by_one(self, wanted: set[str]) -> dict[str, AESGCM | Unreadable]:
        found: dict[str, AESGCM | Unreadable] = {}
        for key_id in wanted:
            try:
                found |= await self._keyring.fetch([key_id])
            except KeyMissing:
                continue
        return found


def _seal(key: AESGCM | Unreadable, nonce: bytes, value: Any, aad: bytes) -> str:
    if isinstance(key, Unreadable):
        raise ErasedKey
    plain = to_json(value)
    padded = plain.ljust(-(-len(plain) // PAD) * PAD)
    return b64encode(nonce + key.encrypt(nonce, padded, aad)).decode()


class ErasedKey(Exception):
    """Nothing more can be written about a person whose keys were destroyed."""


@cache
def _sealed(model: type[Event]) -> list[tuple[str, str, str, str]]:
    """Of each field that is sealed: its name, as it is bound, the kind of its key with a slash, and the
    field that names whose key.
    """
    return [
        (name, placed(name, mark), f"{mark.key[0]}/", mark.key[1])
        for name, mark in sealed_fields(model).items()
    ]


def _key_ids(envelope: Envelope, wire: dict[str, Any]) -> list[str]:
    """Of the keys that it takes to open it, as far as it names them."""
    model, data = upcast(envelope.type, wire)
    sealed = [(kind, of) for name, _, kind, of in _sealed(model) if data.get(name) is not None]
    return [kind + whose for kind, of in sealed if isinstance(whose := data.get(of), str)]


def _open(
    key_of: Callable[[str], AESGCM | Unreadable | None],
    envelope: Envelope,
    wire: dict[str, Any],
    shut: bool,
    only: Container[str] | None,
) -> Recorded | Poison | None:
    """None: `key_of` lacks a key of it."""
    type_ = envelope.type
    try:
        model, data = EVENTS.get(type_), wire
        if model is None:
            model, data = upcast(type_, wire)
        closed = shut or (only is not None and model.TYPE not in only)
        opened, event = dict(data), named(envelope)
        for name, place, kind, owner in _sealed(model):
            if (value := data.get(name)) is None:
                continue
            key = SHUT if closed else key_of(key_id := kind + data[owner])
            if key is None:
                return None
            if isinstance(key, Unreadable):
                opened[name] = key
                continue
            raw = BASE64.validate_strings(value)
            aad = bound_to(event, place, key_id)
            opened[name] = from_json(key.decrypt(raw[:NONCE], raw[NONCE:], aad))
        made = model.__pydantic_validator__.validate_python(opened)
        return tuple.__new__(Recorded, (made, envelope, wire))
    except Poison as poison:
        return poison
    except InvalidTag:
        return Poison(f"{type_}: a sealed field does not belong to this event")
    except ValidationError as error:
        if error.title == NOT_BASE64:
            return Poison(f"{type_}: a sealed field is not sealed")
        field = next(iter(error.errors(include_input=False)[0]["loc"]), "its fields together")
        return Poison(f"{type_}: wrong shape at {field}")
    except KeyError as field:
        return Poison(f"{type_} without {field}")
    except (AttributeError, ValueError, TypeError):
        return Poison(f"{type_}: wrong shape")


def envelope_of(row: Any) -> Envelope:
    """The envelope of one row that was stored by `COLUMNS`."""
    return Envelope(*[row[name] for name in Envelope._fields])


ENVELOPE = ", ".join(Envelope._fields)
COLUMNS = f"({ENVELOPE}, data)"
KINDS = (
    *("uuid", "text", "int", "text", "text", "timestamptz", "timestamptz", "text", "text", "uuid"),
    *("text", "uuid", "text", "jsonb"),
)
ROWS = unfolded(KINDS)
"""What follows `insert into … COLUMNS`, with `stored` as its arguments."""


def stored(envelopes: Sequence[Envelope], wires: Sequence[bytes]) -> list[str]:
    """Events, their wire forms as JSON, as the columns of a table, each one text, a line an event. JSON
    escapes a line's end; a value that held one would be refused for the columns that it leaves short.
    """
    columns = zip(*envelopes, strict=True) if envelopes else [()] * len(Envelope._fields)
    texts = (line if name in Envelope._field_defaults else str for name in Envelope._fields)
    lines = ["\n".join(map(text, column)) for text, column in zip(texts, columns, strict=True)]
    return [*lines, b"\n".join(wires).decode()]


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


__all__ = [
    "COLUMNS",
    "ENVELOPE",
    "KINDS",
    "ROWS",
    "Codec",
    "ErasedKey",
    "Poison",
    "envelope_of",
    "stored",
    "upcast",
    "wire_schema",
]
