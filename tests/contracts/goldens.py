"""Golden events: one file for each shape an event ever had, kept for ever, with the keys to open it."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.broker import envelope_in
from shared.contracts import Envelope, Event, Unreadable
from shared.keyring import KeyMissing, Keyring
from shared.sealing import wire_schema

FOLDER = Path(__file__).with_name("golden")
WORDS = ("title", "description", "default")
"""What a schema may change freely: it does not decide what is valid."""


class FixedKeyring(Keyring):
    """A keyring without a database: exactly these keys, 32 bytes or Unreadable; `make` adds none."""

    def __init__(self, keys: Mapping[str, bytes | Unreadable]) -> None:
        self.keys = dict(keys)

    def at_hand(self) -> Callable[[str], AESGCM | Unreadable | None]:
        return lambda key_id: None

    async def fetch(
        self, ids: Iterable[str], *, make: bool = False
    ) -> dict[str, AESGCM | Unreadable]:
        wanted = set(ids)
        if missing := wanted - set(self.keys):
            raise KeyMissing(f"{len(missing)} keys are not in the keyring")
        found = {key_id: self.keys[key_id] for key_id in wanted}
        return {k: v if isinstance(v, Unreadable) else AESGCM(v) for k, v in found.items()}


@dataclass(frozen=True)
class Golden:
    """A record as it once stood on its topic, the keys of that day, and what it opened to."""

    name: str
    type: str
    topic: str
    key: str
    headers: dict[str, str]
    value: dict[str, Any]
    keys: dict[str, str]
    opened: dict[str, Any]
    shape: dict[str, Any]

    @property
    def envelope(self) -> Envelope:
        headers = [(name, value.encode()) for name, value in self.headers.items()]
        return envelope_in(headers, self.key.encode())

    @property
    def keyring(self) -> FixedKeyring:
        return FixedKeyring({key_id: b64decode(key) for key_id, key in self.keys.items()})


def goldens() -> list[Golden]:
    return [
        Golden(path.stem, **json.loads(path.read_text("utf-8")))
        for path in sorted(FOLDER.glob("*.json"))
    ]


def shape(model: type[Event]) -> dict[str, Any]:
    """The wire schema without its words: what readers and writers rely on."""
    found = bare(wire_schema(model))
    assert isinstance(found, dict)
    return found


def bare(node: Any, names: bool = False) -> Any:
    """`names`: the keys of this node are names of fields, not words of JSON Schema."""
    if isinstance(node, list):
        return [bare(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        key: bare(part, names=not names and key in ("properties", "$defs"))
        for key, part in node.items()
        if names or key not in WORDS
    }


def _grown(one: Any, other: Any) -> bool:
    """The same closed list with more values: who does not know one parks its stream (decision 0015)."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return False
    rest = [{k: v for k, v in field.items() if k != "enum"} for field in (one, other)]
    values = [set(field.get("enum", ())) for field in (one, other)]
    return rest[0] == rest[1] and bool(values[0]) and values[0] < values[1]


def breaks(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """What keeps a reader of one shape from the records of the other, both ways (FULL).

    A shape may only gain fields, and those must be optional.
    """
    before, after = old.get("properties", {}), new.get("properties", {})
    for field in before.keys() - after.keys():
        yield f"{at}{field} is gone"
    for field in before.keys() & after.keys():
        if before[field] != after[field] and not _grown(before[field], after[field]):
            yield f"{at}{field} changed from {before[field]} to {after[field]}"
    for field in set(old.get("required", ())) ^ set(new.get("required", ())):
        if field in before and field in after:
            yield f"{at}{field} is required in one of them only"
        elif field in after:
            yield f"{at}{field} is new and not optional"
    for name in old.get("$defs", {}).keys() & new.get("$defs", {}).keys():
        yield from breaks(old["$defs"][name], new["$defs"][name], f"{at}{name}.")
