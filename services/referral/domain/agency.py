"""An agency in the directory: the newest values stand, the same values again change nothing."""

from dataclasses import dataclass

from shared.contracts import Event
from shared.contracts.referral import AgencyRegistered
from shared.decider import Decider


@dataclass(frozen=True)
class Agency:
    registered: AgencyRegistered | None = None


@dataclass(frozen=True)
class Register:
    registered: AgencyRegistered


def decide(state: Agency, command: Register) -> list[Event]:
    return [] if command.registered == state.registered else [command.registered]


def evolve(state: Agency, event: Event) -> Agency:
    match event:
        case AgencyRegistered():
            return Agency(event)
        case _:
            return state


DECIDER = Decider(Agency(), decide, evolve)
