"""Disposal of what has ended: held, proposed by one person, decided by another, carried out. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.contracts import Event
from shared.contracts.intake import (
    CaseDisposed,
    CaselessDisposalApproved,
    CaselessDisposalDeclined,
    CaselessDisposalProposed,
    CaselessDisposed,
    CaselessHoldLifted,
    CaselessHoldPlaced,
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
Caseless = (
    CaselessHoldPlaced
    | CaselessHoldLifted
    | CaselessDisposalProposed
    | CaselessDisposalDeclined
    | CaselessDisposalApproved
    | CaselessDisposed
)
COMMANDS = (
    HoldPlaced,
    HoldLifted,
    DisposalProposed,
    DisposalDeclined,
    DisposalApproved,
    CaseDisposed,
)


def decide(state: Disposal, closed: bool, command: Command | Caseless) -> list[Event]:
    """`closed`: only what is closed has a time that can run out."""
    match state.step, command:
        case (("none" | "proposed"), HoldPlaced() | CaselessHoldPlaced()):
            return [] if state.held else [command]
        case _, HoldLifted() | CaselessHoldLifted():
            return [command] if state.held else []
        case "approved", CaseDisposed() | CaselessDisposed():
            return [command]
        case (
            ("none" | "proposed"),
            (
                DisposalProposed()
                | DisposalApproved()
                | CaselessDisposalProposed()
                | CaselessDisposalApproved()
            ),
        ) if state.held:
            raise Refused("on-hold", state.step, ("hold-lifting",))
        case "none", DisposalProposed() | CaselessDisposalProposed() if closed:
            return [command]
        case "proposed", DisposalDeclined() | CaselessDisposalDeclined():
            return [command]
        case "proposed", DisposalApproved(by=by) | CaselessDisposalApproved(by=by) if closed:
            if by == state.proposed_by:
                raise Refused("needs-a-second-person", state.step, ("approval", "decline"))
            return [command]
        case _:
            raise Refused(f"disposal-is-{state.step}", state.step)


def evolve(state: Disposal, event: Event) -> Disposal:
    match event:
        case HoldPlaced() | CaselessHoldPlaced():
            return replace(state, held=True)
        case HoldLifted() | CaselessHoldLifted():
            return replace(state, held=False)
        case DisposalProposed(by=by) | CaselessDisposalProposed(by=by):
            return replace(state, step="proposed", proposed_by=by)
        case DisposalDeclined() | CaselessDisposalDeclined():
            return replace(state, step="none", proposed_by="")
        case DisposalApproved() | CaselessDisposalApproved():
            return replace(state, step="approved")
        case CaseDisposed() | CaselessDisposed():
            return replace(state, step="disposed")
        case _:
            return state
