"""The grammar of decider tests: given(decider, *events).when(command).then(*events)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from shared.contracts import Event
from shared.decider import Anything, Refused


@dataclass(frozen=True)
class When:
    decider: Anything
    state: Any
    command: Any

    def then(self, *expected: Event) -> None:
        """Exactly these events, and the state takes them."""
        written = self.decider.decide(self.state, self.command)
        assert list(written) == list(expected)
        for event in written:
            self.decider.evolve(self.state, event)

    def refused(self, reason: str) -> Refused:
        with pytest.raises(Refused) as refusal:
            self.decider.decide(self.state, self.command)
        assert refusal.value.reason == reason
        return refusal.value


@dataclass(frozen=True)
class Given:
    decider: Anything
    events: Sequence[Event]

    def when(self, command: Any) -> When:
        return When(self.decider, self.decider.fold(self.events), command)


def given(decider: Anything, *events: Event) -> Given:
    """A stream with these events in it."""
    return Given(decider, events)
