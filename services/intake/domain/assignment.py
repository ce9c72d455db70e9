"""An agency's staff on one case: who works it, and who must not (L23); deputies by period."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    AssignmentEvent,
    DeputyEnded,
    DeputyNamed,
    StaffAssigned,
    StaffBlocked,
    StaffRelieved,
    StaffUnblocked,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Assignment:
    assigned: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PassOn:
    """The case passes from one worker to the next, if it is still his and the next may have it."""

    case: UUID
    agency: str
    staff: str
    to: str


def decide(state: Assignment, command: AssignmentEvent | PassOn) -> list[Event]:
    """What is so already writes nothing. Who is blocked from a case stops working it."""
    who = command.staff
    match command:
        case PassOn(case=case, agency=agency, to=to) if who in state.assigned - {to}:
            relieved = StaffRelieved(case=case, agency=agency, staff=who)
            return [*decide(state, StaffAssigned(case=case, agency=agency, staff=to)), relieved]
        case StaffAssigned() if who in state.blocked:
            raise Refused("staff-is-blocked", "blocked", ("blocks/lifting",))
        case StaffAssigned():
            return [] if who in state.assigned else [command]
        case StaffRelieved():
            return [command] if who in state.assigned else []
        case StaffBlocked(case=case, agency=agency) if who not in state.blocked:
            relieved = StaffRelieved(case=case, agency=agency, staff=who)
            return [relieved, command] if who in state.assigned else [command]
        case StaffUnblocked() if who in state.blocked:
            return [command]
        case _:
            return []


def evolve(state: Assignment, event: Event) -> Assignment:
    match event:
        case StaffAssigned(staff=who):
            return replace(state, assigned=state.assigned | {who})
        case StaffRelieved(staff=who):
            return replace(state, assigned=state.assigned - {who})
        case StaffBlocked(staff=who):
            return replace(state, blocked=state.blocked | {who})
        case StaffUnblocked(staff=who):
            return replace(state, blocked=state.blocked - {who})
        case _:
            return state


DECIDER = Decider(Assignment(), decide, evolve)


@dataclass(frozen=True)
class Deputyship:
    agency: str = ""
    staff: str = ""
    deputy: str = ""
    begins: date = date.max
    until: date = date.min
    ended: bool = False


def decide_deputyship(state: Deputyship, command: DeputyNamed | DeputyEnded) -> list[Event]:
    match command:
        case DeputyNamed() if not state.agency:
            return [command]
        case DeputyEnded() if state.agency and not state.ended:
            return [command]
        case _:
            status = "ended" if state.ended else "begun" if state.agency else "none"
            raise Refused(f"deputyship-is-{status}", status, ("ending",) * (status == "begun"))


def evolve_deputyship(state: Deputyship, event: Event) -> Deputyship:
    match event:
        case DeputyNamed():
            return Deputyship(event.agency, event.staff, event.deputy, event.begins, event.until)
        case DeputyEnded():
            return replace(state, ended=True)
        case _:
            return state


DEPUTYSHIP = Decider(Deputyship(), decide_deputyship, evolve_deputyship)
