"""A transfer of a worker's cases: all successors accept, or it does not take effect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    TransferAccepted,
    TransferAgreed,
    TransferDeclined,
    TransferEffected,
    TransferProposed,
    TransferWithdrawn,
)
from shared.deadline import Also
from shared.decider import Decider, Refused

from . import assignment, case

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
Status = Literal["none", "proposed", "agreed", "declined", "withdrawn", "effected"]


@dataclass(frozen=True)
class Transfer:
    status: Status = "none"
    agency: str = ""
    staff: str = ""
    successors: Mapping[UUID, str] = field(default_factory=dict)
    """By case."""
    effective_at: datetime = NEVER
    accepted: frozenset[str] = frozenset()


Command = (
    TransferProposed | TransferAccepted | TransferDeclined | TransferWithdrawn | TransferEffected
)
ALLOWED: dict[str, tuple[str, ...]] = {
    "none": (),
    "proposed": ("acceptance", "decline", "withdrawal"),
    "agreed": ("withdrawal",),
    "declined": (),
    "withdrawn": (),
    "effected": (),
}


def decide(state: Transfer, command: Command) -> list[Event]:
    match state.status, command:
        case "none", TransferProposed():
            return [command]
        case "proposed" | "agreed", TransferAccepted(successor=who) if who in state.accepted:
            return []
        case "proposed", TransferAccepted(transfer=id, successor=who):
            _asked(state, who)
            if {*state.successors.values()} - state.accepted - {who}:
                return [command]
            return [command, TransferAgreed(transfer=id, effective_at=state.effective_at)]
        case "proposed", TransferDeclined(successor=who):
            _asked(state, who)
            return [command]
        case ("proposed" | "agreed", TransferWithdrawn()) | ("agreed", TransferEffected()):
            return [command]
        case _:
            raise Refused(f"transfer-is-{state.status}", state.status, ALLOWED[state.status])


def _asked(state: Transfer, who: str) -> None:
    if who not in state.successors.values():
        raise Refused("not-a-successor", state.status, ALLOWED[state.status])


def evolve(state: Transfer, event: Event) -> Transfer:
    match event:
        case TransferProposed() as e:
            successors = dict(zip(e.cases, e.successors, strict=True))
            return Transfer("proposed", e.agency, e.staff, successors, e.effective_at)
        case TransferAccepted(successor=who):
            return replace(state, accepted=state.accepted | {who})
        case TransferAgreed():
            return replace(state, status="agreed")
        case TransferDeclined():
            return replace(state, status="declined")
        case TransferWithdrawn():
            return replace(state, status="withdrawn")
        case TransferEffected():
            return replace(state, status="effected")
        case _:
            return state


def moves(state: Transfer) -> Sequence[Also]:
    """What takes effect with it. Next actions, deadlines and deputies follow the worker of the case."""
    found: list[Also] = []
    for of, to in state.successors.items():
        key = str(of)
        staff = assignment.PassOn(of, state.agency, state.staff, to)
        led = case.PassCoordination(of, state.agency, state.staff, to)
        found += [
            Also(f"assignment/{state.agency}/{of}", key, assignment.DECIDER, staff),
            Also(f"case/{of}", key, case.DECIDER, led),
        ]
    return found


DECIDER = Decider(Transfer(), decide, evolve)
