"""An intent: one dated thing that somebody at some agency does through a public API."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Actor:
    """Whose token is used."""

    agency: str
    subject: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Ref:
    """Stands in a body for the id that the answer to an earlier intent gives."""

    intent: str


@dataclass(frozen=True)
class Intent:
    """`path` has places such as `{case}`, filled from the answers to the intents in `refs`.

    `chain`: intents of one chain are sent in order. `needs`: those of other chains that must have
    been answered before. `at` is when it is typed, `occurred_at` when it happened. `expect`: the
    status and reason of a planned refusal. `effects`: how many events it writes.
    """

    id: str
    at: datetime
    kind: str
    service: str
    method: str
    path: str
    body: Mapping[str, Any]
    actor: Actor
    chain: str
    case: str | None = None
    refs: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    expect: tuple[int, str] | None = None
    effects: int = 1
    repeat: bool = False

    @property
    def happened(self) -> datetime:
        return self.occurred_at or self.at

    @property
    def needed(self) -> set[str]:
        """All intents whose answers this one builds on."""
        return {*self.needs, *self.refs.values(), *(ref.intent for ref in references(self.body))}

    def key(self, seed: int) -> str:
        """The Idempotency-Key: the same at each attempt."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tsunagu:{seed}:{self.id}"))


def references(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references(one)


def resolved(value: Any, ids: Mapping[str, str]) -> Any:
    """The value as JSON takes it, each Ref replaced by the id that it stands for."""
    if isinstance(value, Ref):
        return ids[value.intent]
    if isinstance(value, Mapping):
        return {name: resolved(one, ids) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(one, ids) for one in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
