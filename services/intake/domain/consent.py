"""A consent: one person's dated, scoped, revocable answer (L3–L4a)."""

from dataclasses import dataclass, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    ConsentExpired,
    ConsentRecorded,
    ConsentToldOfMember,
    ConsentWithdrawn,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Consent:
    status: str = "none"
    case: UUID | None = None
    consent: UUID | None = None
    holders: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Record:
    recorded: ConsentRecorded


@dataclass(frozen=True)
class TellOfMember:
    agency: str


@dataclass(frozen=True)
class Withdraw:
    pass


@dataclass(frozen=True)
class Expire:
    pass


Command = Record | TellOfMember | Withdraw | Expire
ALLOWED = {"none": (), "recorded": ("withdrawal", "told-members"), "ended": ()}


def decide(state: Consent, command: Command) -> list[Event]:
    if state.status == "none" and isinstance(command, Record):
        return [command.recorded]
    if state.status != "recorded" or state.consent is None or state.case is None:
        raise Refused(f"consent-is-{state.status}", state.status, ALLOWED[state.status])
    ids = {"consent": state.consent, "case": state.case}
    match command:
        case TellOfMember(agency):
            if state.group is None:
                raise Refused("consent-names-no-group", state.status, ("withdrawal",))
            return [ConsentToldOfMember(**ids, agency=agency)]
        case Withdraw():
            return [ConsentWithdrawn(**ids)]
        case Expire():
            return [ConsentExpired(**ids)]
        case _:
            raise Refused("consent-is-recorded", state.status, ALLOWED[state.status])


def evolve(state: Consent, event: Event) -> Consent:
    match event:
        case ConsentRecorded():
            return Consent("recorded", event.case, event.consent, event.holders, event.group)
        case ConsentWithdrawn() | ConsentExpired():
            return replace(state, status="ended")
        case _:
            return state


DECIDER = Decider(Consent(), decide, evolve)
