"""A decider: three pure things that hold the rules of one kind of stream."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Generic, TypeVar

from shared.contracts import Event

State = TypeVar("State")
Command = TypeVar("Command")


class Refused(Exception):
    """Illegal now (409): a stable kebab-case reason, the state, and what is allowed in it."""

    def __init__(self, reason: str, state: str = "", allowed: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason, self.state, self.allowed = reason, state, tuple(allowed)


@dataclass(frozen=True)
class Decider(Generic[State, Command]):
    """`decide` and `evolve` are pure; clock, ids and actor come inside the command."""

    initial: State
    decide: Callable[[State, Command], Sequence[Event]]
    evolve: Callable[[State, Event], State]

    def fold(self, events: Iterable[Event]) -> State:
        return reduce(self.evolve, events, self.initial)


Anything = Decider[Any, Any]
