"""Deadlines as values: which timer an event sets, and what a timer does when it fires. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from shared.contracts import Envelope, Event
from shared.decider import Anything


@dataclass(frozen=True)
class Timer:
    """`due` None cancels the timer of that id."""

    id: str
    due: datetime | None
    stream: str = ""
    command: dict[str, Any] | None = None


class Also(NamedTuple):
    """A command to another stream."""

    stream: str
    key: str
    decider: Anything
    command: Any


def _nothing(state: Any) -> Sequence[Also]:
    return ()


@dataclass(frozen=True)
class Due:
    """What a fired timer does to its stream; and `also`, given that stream's state, to others in the
    same transaction. What is refused by one of those leaves it as it is.
    """

    decider: Anything
    key: str
    command: Any
    also: Callable[[Any], Sequence[Also]] = _nothing


Plan = Callable[[Event, Envelope], Iterable[Timer]]
Fire = Callable[[str, dict[str, Any], datetime], Due]


def no_plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    return ()


def no_fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    raise LookupError(stream)
