"""A watch: registered once, in use or suspended, called every month if it is an alarm unit, removed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from shared.contracts import Event
from shared.contracts.intake import (
    WatchCalled,
    WatchCorrected,
    WatchMissed,
    WatchMoved,
    WatchRegistered,
    WatchRemoved,
    WatchResumed,
    WatchSuspended,
)
from shared.contracts.intake.watch import WatchKind
from shared.decider import Decider, Refused

Status = Literal["none", "in_use", "suspended", "removed"]


@dataclass(frozen=True)
class Watch:
    status: Status = "none"
    agency: str = ""
    kind: WatchKind = "partner"


Command = (
    WatchRegistered
    | WatchCorrected
    | WatchMoved
    | WatchSuspended
    | WatchResumed
    | WatchRemoved
    | WatchCalled
    | WatchMissed
)
ALWAYS = ("correction", "moving", "removal")
ALLOWED: Mapping[Status, tuple[str, ...]] = {
    "none": (),
    "in_use": (*ALWAYS, "suspension", "calls"),
    "suspended": (*ALWAYS, "resumption"),
    "removed": (),
}


def decide(state: Watch, command: Command) -> list[Event]:
    allowed = ALLOWED[state.status]
    match state.status, command:
        case ("in_use", WatchCalled() | WatchMissed()) if state.kind != "alarm_unit":
            raise Refused("not-an-alarm-unit", state.status, allowed)
        case (
            ("none", WatchRegistered())
            | ("in_use", WatchSuspended() | WatchCalled() | WatchMissed())
            | ("suspended", WatchResumed())
            | ("in_use" | "suspended", WatchCorrected() | WatchMoved() | WatchRemoved())
        ):
            return [command]
        case _:
            raise Refused(f"watch-is-{state.status}", state.status, allowed)


def evolve(state: Watch, event: Event) -> Watch:
    match event:
        case WatchRegistered(agency=agency, kind=kind):
            return replace(state, status="in_use", agency=agency, kind=kind)
        case WatchSuspended():
            return replace(state, status="suspended")
        case WatchResumed():
            return replace(state, status="in_use")
        case WatchRemoved():
            return replace(state, status="removed")
        case _:
            return state


DECIDER = Decider(Watch(), decide, evolve)
