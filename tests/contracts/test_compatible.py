"""Contracts only grow: whoever reads one shape of an event reads all others (FULL_TRANSITIVE)."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from shared.contracts import EVENTS
from tests.contracts.goldens import bare, breaks, goldens, shape

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
SHAPES = [pytest.param(one.type, one.shape, id=one.name) for one in goldens()]
PUBLISHED = [
    pytest.param(path.stem, bare(json.loads(path.read_text("utf-8"))), id=path.stem)
    for path in sorted(SCHEMAS.glob("*.json"))
]
OLD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "case": {"type": "string", "format": "uuid"},
        "note": {"type": ["string", "null"]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
    },
    "required": ["case", "items"],
    "$defs": {"Item": {"properties": {"id": {"type": "string"}}, "required": ["id"]}},
}


@pytest.mark.parametrize(("type_", "old"), [*SHAPES, *PUBLISHED])
def test_the_present_shape_reads_and_is_read_by_every_earlier_one(
    type_: str, old: dict[str, Any]
) -> None:
    """Otherwise: a new version of the event and an upcaster (CONTRIBUTING.md)."""
    if type_ in EVENTS:
        assert list(breaks(old, shape(EVENTS[type_]))) == []


def test_an_optional_field_may_be_added() -> None:
    new = deepcopy(OLD)
    new["properties"]["later"] = {"type": "string"}
    new["$defs"]["Item"]["properties"]["later"] = {"type": "string"}
    assert list(breaks(OLD, new)) == []


def _required(new: dict[str, Any]) -> None:
    new["properties"]["later"] = {"type": "string"}
    new["required"].append("later")


def _gone(new: dict[str, Any]) -> None:
    del new["properties"]["note"]


def _renamed(new: dict[str, Any]) -> None:
    new["properties"]["remark"] = new["properties"].pop("note")


def _retyped(new: dict[str, Any]) -> None:
    new["properties"]["case"] = {"type": "integer"}


def _narrowed(new: dict[str, Any]) -> None:
    new["properties"]["note"] = {"type": "string"}


def _widened(new: dict[str, Any]) -> None:
    new["properties"]["case"] = {"type": ["string", "null"], "format": "uuid"}


def _made_optional(new: dict[str, Any]) -> None:
    new["required"].remove("case")


def _made_required(new: dict[str, Any]) -> None:
    new["required"].append("note")


def _deep(new: dict[str, Any]) -> None:
    new["$defs"]["Item"]["properties"]["id"] = {"type": "integer"}


def _deep_required(new: dict[str, Any]) -> None:
    new["$defs"]["Item"]["properties"]["more"] = {"type": "integer"}
    new["$defs"]["Item"]["required"].append("more")


@pytest.mark.parametrize(
    "change",
    [
        _required, _gone, _renamed, _retyped, _narrowed, _widened, _made_optional, _made_required,
        _deep, _deep_required,
    ],
)  # fmt: skip
def test_anything_else_is_found(change: Any) -> None:
    new = deepcopy(OLD)
    change(new)
    assert list(breaks(OLD, new)) != []
