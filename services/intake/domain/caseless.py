"""Disposing of what ended without a case, a closed notice or a removed watch: the steps of a case's. Pure."""

from dataclasses import dataclass

from shared.contracts import Event
from shared.decider import Decider, Refused

from . import disposal


@dataclass(frozen=True)
class Step:
    """`ended`: the notice is closed, the watch removed. Neither can come back, so what is true when it is
    asked is true when this is written, though that stands in another stream (0046).
    """

    ended: bool
    event: disposal.Caseless


def decide(state: disposal.Disposal, command: Step) -> list[Event]:
    if not command.ended:
        raise Refused("has-not-ended", state.step)
    return disposal.decide(state, True, command.event)


DECIDER = Decider(disposal.NONE, decide, disposal.evolve)
