"""A merge of two cases: said once, consents confirmed while it holds, undone."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import CasesMerged, ConsentConfirmed, MergeUndone
from shared.decider import Decider, Refused

Status = Literal["none", "merged", "undone"]


@dataclass(frozen=True)
class Merge:
    status: Status = "none"
    merged: UUID | None = None
    into: UUID | None = None
    same: tuple[tuple[UUID, UUID], ...] = ()
    confirmed: frozenset[UUID] = frozenset()


Command = CasesMerged | ConsentConfirmed | MergeUndone
ALLOWED = {"none": (), "merged": ("confirmations", "undoing"), "undone": ()}


def decide(state: Merge, command: Command) -> list[Event]:
    match state.status, command:
        case "none", CasesMerged(merged=merged, into=into):
            if merged == into:
                raise Refused("merged-into-itself", state.status, ())
            return [command]
        case "merged", ConsentConfirmed(consent=consent):
            return [] if consent in state.confirmed else [command]
        case "merged", MergeUndone():
            return [command]
        case _:
            raise Refused(f"merge-is-{state.status}", state.status, ALLOWED[state.status])


def evolve(state: Merge, event: Event) -> Merge:
    match event:
        case CasesMerged(merged=merged, into=into, same=same):
            return replace(state, status="merged", merged=merged, into=into, same=same)
        case ConsentConfirmed(consent=consent):
            return replace(state, confirmed=state.confirmed | {consent})
        case MergeUndone():
            return replace(state, status="undone")
        case _:
            return state


DECIDER = Decider(Merge(), decide, evolve)
