"""The document: what an agency holds of one case, as it arrives. Newer members are kept, not refused."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Basis(_Shape):
    """Why an item may be held; `id` is the agency's own handle of it."""

    kind: str
    id: str


class Person(_Shape):
    """`classes`: each consentable data class, `covered` or `not_covered`."""

    person: str
    classes: dict[str, str]


class Told(_Shape):
    """Of a value that was held before: `corrected` by this one, or `recorded_in_error`, and nothing
    takes its place.
    """

    what: str
    at: AwareDatetime


class Item(_Shape):
    """`told`: only where the value that this agency held before was wrong."""

    item: str
    type: str
    field: str
    class_: str = Field(alias="class")
    person: str | None = None
    value: Any
    occurred_at: AwareDatetime
    recorded_by: str | None = None
    bases: tuple[Basis, ...]
    told: Told | None = None


class Document(_Shape):
    """`document` counts the versions of one handle; no items means that the content has ended, or with
    `withheld` that it does not come this way: read it over HTTP.
    """

    handle: str
    document: PositiveInt
    cause: Literal["content_changed", "content_ended"]
    at: AwareDatetime
    persons: tuple[Person, ...]
    items: tuple[Item, ...]
    withheld: str | None = None

    @property
    def ended(self) -> bool:
        return not self.items


def digest(body: Mapping[str, Any]) -> str:
    """Of a document as this agency holds it: SHA-256 of its canonical JSON (RFC 8785), in hex."""
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()
