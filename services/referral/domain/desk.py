"""A desk (窓口): of an agency in its own right or of a programme, for life; who sits at it."""

from dataclasses import dataclass, replace

from shared.contracts import Event
from shared.contracts.referral import (
    DeskClosed,
    DeskMemberLeft,
    DeskMemberNamed,
    DeskRegistered,
)
from shared.decider import Decider, Refused

Who = tuple[str, str]
"""Agency and person."""


@dataclass(frozen=True)
class Desk:
    registered: DeskRegistered | None = None
    closed: bool = False
    members: frozenset[Who] = frozenset()


@dataclass(frozen=True)
class Register:
    registered: DeskRegistered


Command = Register | DeskClosed | DeskMemberNamed | DeskMemberLeft


def decide(state: Desk, command: Command) -> list[Event]:
    if isinstance(command, Register):
        return _registered(state, command.registered)
    if state.registered is None or state.closed:
        raise Refused(f"desk-is-{'closed' if state.closed else 'none'}")
    match command:
        case DeskMemberNamed(agency=agency, member=member):
            if state.registered.agency not in (None, agency):
                raise Refused("desk-of-another-agency", "open")
            return [] if (agency, member) in state.members else [command]
        case DeskMemberLeft(agency=agency, member=member):
            return [command] if (agency, member) in state.members else []
        case DeskClosed():
            return [command]


def _registered(state: Desk, new: DeskRegistered) -> list[Event]:
    """Its name may change; whose it is may not: a person consented to that."""
    old = state.registered
    if state.closed:
        raise Refused("desk-is-closed")
    if old and (old.agency, old.programme) != (new.agency, new.programme):
        raise Refused("desk-belongs-elsewhere", "open")
    return [] if new == old else [new]


def evolve(state: Desk, event: Event) -> Desk:
    match event:
        case DeskRegistered():
            return replace(state, registered=event)
        case DeskClosed():
            return replace(state, closed=True)
        case DeskMemberNamed(agency=agency, member=member):
            return replace(state, members=state.members | {(agency, member)})
        case DeskMemberLeft(agency=agency, member=member):
            return replace(state, members=state.members - {(agency, member)})
        case _:
            return state


DECIDER = Decider(Desk(), decide, evolve)
