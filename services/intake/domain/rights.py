"""A request of a person about his own data: judged item by item, decided within its days, answered. Pure."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID

from shared.contracts import Event, Unreadable
from shared.contracts.intake import (
    RightsAnswered,
    RightsDecided,
    RightsExtended,
    RightsItemJudged,
    RightsOverdue,
    RightsRequested,
    RightsWithdrawn,
)
from shared.decider import Decider, Refused

Status = Literal["none", "open", "decided", "answered", "withdrawn"]


@dataclass(frozen=True)
class Judged:
    outcome: str
    ground: str | None


@dataclass(frozen=True)
class Request:
    status: Status = "none"
    to: str = ""
    kind: str = ""
    people: frozenset[UUID] = frozenset()
    received_on: date = date.min
    due_on: date = date.min
    extended: bool = False
    overdue: bool = False
    judged: tuple[tuple[UUID, str, Judged], ...] = ()

    def judgement(self, event: UUID, field: str) -> Judged | None:
        """The last one of an item."""
        found = (j for e, f, j in reversed(self.judged) if (e, f) == (event, field))
        return next(found, None)


Command = (
    RightsRequested
    | RightsExtended
    | RightsOverdue
    | RightsItemJudged
    | RightsDecided
    | RightsAnswered
    | RightsWithdrawn
)
ALLOWED: dict[str, tuple[str, ...]] = {
    "none": (),
    "open": ("items", "extension", "decision", "withdrawal"),
    "decided": ("answer",),
    "answered": (),
    "withdrawn": (),
}


def decide(state: Request, command: Command) -> list[Event]:
    match state.status, command:
        case "none", RightsRequested():
            return [command]
        case "open", RightsExtended():
            if state.extended:
                raise Refused("extended-already", state.status, ALLOWED["open"])
            return [command]
        case "open", RightsOverdue():
            return [] if state.overdue else [command]
        case "open", RightsItemJudged():
            return [command]
        case "open", RightsDecided(corrections=corrections):
            if corrections and state.kind != "correction":
                raise Refused("corrects-only-when-asked-to", state.status, ALLOWED["open"])
            return [command]
        case "decided", RightsAnswered():
            return [command]
        case "open", RightsWithdrawn():
            return [command]
        case _:
            raise Refused(f"request-is-{state.status}", state.status, ALLOWED[state.status])


def evolve(state: Request, event: Event) -> Request:
    match event:
        case RightsRequested():
            return replace(
                state,
                status="open",
                to=event.to,
                kind=_plain(event.kind),
                people=frozenset(event.people),
                received_on=event.received_on,
                due_on=event.due_on,
            )
        case RightsExtended(due_on=due_on):
            return replace(state, due_on=due_on, extended=True, overdue=False)
        case RightsOverdue():
            return replace(state, overdue=True)
        case RightsItemJudged():
            ground = _plain(event.ground) or None
            one = (event.event, event.field, Judged(_plain(event.outcome), ground))
            return replace(state, judged=(*state.judged, one))
        case RightsDecided():
            return replace(state, status="decided")
        case RightsAnswered():
            return replace(state, status="answered")
        case RightsWithdrawn():
            return replace(state, status="withdrawn")
        case _:
            return state


def _plain(value: object) -> str:
    return "" if value is None or isinstance(value, Unreadable) else str(value)


DECIDER = Decider(Request(), decide, evolve)
