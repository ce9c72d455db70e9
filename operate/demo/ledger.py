"""The demo's own record of what was acknowledged: the oracle and the checks rest on nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from operate.demo.intent import Intent


@dataclass(frozen=True)
class Done:
    """One acknowledged intent: what was sent, and where it ended. `at`: domain time of recording."""

    intent: Intent
    body: Mapping[str, Any]
    places: Mapping[str, str]
    at: datetime
    id: str
    stream: str
    version: int

    @property
    def occurred(self) -> datetime:
        return self.intent.happened

    @property
    def agency(self) -> str:
        return self.intent.actor.agency


@dataclass
class Ledger:
    """In the order of the answers; by intent."""

    done: dict[str, Done] = field(default_factory=dict)
    refused: int = 0
    repeated: int = 0

    def add(self, done: Done) -> None:
        self.done[done.intent.id] = done

    @property
    def ids(self) -> dict[str, str]:
        return {name: done.id for name, done in self.done.items()}
