"""Deadlines as values: which timer an event sets, and what a timer does when it fires. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts import Envelope, Event
from shared.decider import Anything


@dataclass(frozen=True)
class Timer:
    """`due` None cancels the timer of that id."""

    id: str
    due: datetime | None
    stream: str = ""
    command: dict[str, Any] | None = None


@dataclass(frozen=True)
class Due:
    """What a fired timer does to its stream."""

    decider: Anything
    key: str
    command: Any


Plan = Callable[[Event, Envelope], Iterable[Timer]]
Fire = Callable[[str, dict[str, Any], datetime], Due]


def no_plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    return ()


def no_fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    raise LookupError(stream)
