"""Disposing of a closed case: held, proposed by one person, decided by another, carried out. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.contracts import Event
from shared.contracts.intake import (
    CaseDisposed,
    DisposalApproved,
    DisposalDeclined,
    DisposalProposed,
    HoldLifted,
    HoldPlaced,
)
from shared.decider import Refused

Step = Literal["none", "proposed", "approved", "disposed"]


@dataclass(frozen=True)
class Disposal:
    step: Step = "none"
    held: bool = False
    proposed_by: str = ""


NONE = Disposal()
Command = (
    HoldPlaced | HoldLifted | DisposalProposed | DisposalDeclined | DisposalApproved | CaseDisposed
)
COMMANDS = (
    HoldPlaced,
    HoldLifted,
    DisposalProposed,
    DisposalDeclined,
    DisposalApproved,
    CaseDisposed,
)


def decide(state: Disposal, closed: bool, command: Command) -> list[Event]:
    """`closed`: only what is closed has a time that can run out."""
    match state.step, command:
        case (("none" | "proposed"), HoldPlaced()):
            return [] if state.held else [command]
        case _, HoldLifted():
            return [command] if state.held else []
        case "approved", CaseDisposed():
            return [command]
        case (("none" | "proposed"), (DisposalProposed() | DisposalApproved())) if state.held:
            raise Refused("on-hold", state.step, ("hold-lifting",))
        case "none", DisposalProposed() if closed:
            return [command]
        case "proposed", DisposalDeclined():
            return [command]
        case "proposed", DisposalApproved(by=by) if closed:
            if by == state.proposed_by:
                raise Refused("needs-a-second-person", state.step, ("approval", "decline"))
            return [command]
        case _:
            raise Refused(f"disposal-is-{state.step}", state.step)


def evolve(state: Disposal, event: Event) -> Disposal:
    match event:
        case HoldPlaced():
            return replace(state, held=True)
        case HoldLifted():
            return replace(state, held=False)
        case DisposalProposed(by=by):
            return replace(state, step="proposed", proposed_by=by)
        case DisposalDeclined():
            return replace(state, step="none", proposed_by="")
        case DisposalApproved():
            return replace(state, step="approved")
        case CaseDisposed():
            return replace(state, step="disposed")
        case _:
            return state
