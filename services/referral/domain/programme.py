"""A programme and its contracts: one agency at a time runs it, on days agreed ahead (L2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import Event
from shared.contracts.referral import (
    ContractBegun,
    ContractEnded,
    ContractExpired,
    ProgrammeContracted,
    ProgrammeRegistered,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Term:
    """`begun` and `expired`: that day has come and was told."""

    made: ProgrammeContracted
    ends: datetime
    begun: bool = False
    expired: bool = False


@dataclass(frozen=True)
class Programme:
    registered: ProgrammeRegistered | None = None
    terms: Mapping[UUID, Term] = field(default_factory=dict)


@dataclass(frozen=True)
class Register:
    registered: ProgrammeRegistered


@dataclass(frozen=True)
class Contract:
    made: ProgrammeContracted


@dataclass(frozen=True)
class End:
    """It runs until before `ends`; one that has not begun yet may never run."""

    contract: UUID
    ends: datetime


@dataclass(frozen=True)
class Tell:
    """That a contract's first day has come, or its last is over, by `at`."""

    contract: UUID
    at: datetime


Command = Register | Contract | End | Tell


def decide(state: Programme, command: Command) -> list[Event]:
    match command:
        case Register(registered):
            return [] if registered == state.registered else [registered]
        case Contract(made):
            if state.registered is None:
                raise Refused("programme-is-none", "none")
            if any(one.made.begins < made.ends and made.begins < one.ends for one in _run(state)):
                raise Refused("another-contract-runs-then", "contracted")
            return [made]
        case End(contract, ends):
            return [_ended(state, contract, ends)]
        case Tell(contract, at):
            return _told(state, contract, at)


def _run(state: Programme) -> list[Term]:
    """Those that have a day at all: one that ended before it began has none."""
    return [one for one in state.terms.values() if one.made.begins < one.ends]


def _ended(state: Programme, contract: UUID, ends: datetime) -> Event:
    term = state.terms.get(contract)
    if term is None or term.expired or term not in _run(state):
        raise Refused("contract-is-over", "over")
    never_ran = ends == term.made.begins and not term.begun
    if not (term.made.begins < ends < term.ends or never_ran):
        raise Refused("not-ahead-of-its-time", "contracted", ("an earlier last day",))
    return ContractEnded(programme=term.made.programme, contract=contract, ends=ends)


def _told(state: Programme, contract: UUID, at: datetime) -> list[Event]:
    term = state.terms.get(contract)
    if term is None or term not in _run(state):
        return []
    about: dict[str, Any] = {"programme": term.made.programme, "contract": contract}
    found: list[Event] = []
    if not term.begun and term.made.begins <= at:
        found.append(ContractBegun(**about))
    if not term.expired and term.ends <= at:
        found.append(ContractExpired(**about))
    return found


def evolve(state: Programme, event: Event) -> Programme:
    match event:
        case ProgrammeRegistered():
            return replace(state, registered=event)
        case ProgrammeContracted(contract=id, ends=ends):
            return replace(state, terms={**state.terms, id: Term(event, ends)})
        case ContractEnded(contract=id, ends=ends) if id in state.terms:
            return _with(state, replace(state.terms[id], ends=ends))
        case ContractBegun(contract=id) if id in state.terms:
            return _with(state, replace(state.terms[id], begun=True))
        case ContractExpired(contract=id) if id in state.terms:
            return _with(state, replace(state.terms[id], expired=True))
        case _:
            return state


def _with(state: Programme, term: Term) -> Programme:
    return replace(state, terms={**state.terms, term.made.contract: term})


DECIDER = Decider(Programme(), decide, evolve)
