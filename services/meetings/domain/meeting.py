"""A meeting: convened for one body or several, then held or cancelled."""

from dataclasses import dataclass, replace

from shared.contracts import Event
from shared.contracts.meetings import MeetingCancelled, MeetingConvened, MeetingHeld
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Meeting:
    status: str = "none"
    convened: MeetingConvened | None = None


@dataclass(frozen=True)
class Convene:
    convened: MeetingConvened


@dataclass(frozen=True)
class Hold:
    held: MeetingHeld


@dataclass(frozen=True)
class Cancel:
    cancelled: MeetingCancelled


Command = Convene | Hold | Cancel
ALLOWED = {
    "none": (),
    "planned": ("agenda", "holding", "cancellation"),
    "held": ("decisions",),
    "cancelled": (),
}


def refusal(status: str) -> Refused:
    return Refused(f"meeting-is-{status}", status, ALLOWED.get(status, ()))


def decide(state: Meeting, command: Command) -> list[Event]:
    match state.status, command:
        case "none", Convene(convened):
            return [convened]
        case "planned", Hold(held):
            return [held]
        case "planned", Cancel(cancelled):
            return [cancelled]
        case _:
            raise refusal(state.status)


def evolve(state: Meeting, event: Event) -> Meeting:
    match event:
        case MeetingConvened():
            return Meeting("planned", event)
        case MeetingHeld():
            return replace(state, status="held")
        case MeetingCancelled():
            return replace(state, status="cancelled")
        case _:
            return state


DECIDER = Decider(Meeting(), decide, evolve)
