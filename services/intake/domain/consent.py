"""A consent: one person's dated, scoped, revocable answer (L3–L4a)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    ConsentExpired,
    ConsentNarrowed,
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
    holders: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    group: str | None = None
    classes: frozenset[str] = frozenset()
    until: datetime | None = None


@dataclass(frozen=True)
class Record:
    recorded: ConsentRecorded


@dataclass(frozen=True)
class TellOfMember:
    agency: str


@dataclass(frozen=True)
class Narrow:
    """Fewer agencies, fewer classes, an earlier end: what is left must be less, and not nothing."""

    excluded: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True)
class Withdraw:
    pass


@dataclass(frozen=True)
class Expire:
    pass


Command = Record | TellOfMember | Narrow | Withdraw | Expire
ALLOWED = {"none": (), "recorded": ("withdrawal", "narrowing", "told-members"), "ended": ()}


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
        case Narrow(excluded, dropped, until):
            _smaller(state, command)
            return [ConsentNarrowed(**ids, excluded=excluded, dropped=dropped, until=until)]
        case Withdraw():
            return [ConsentWithdrawn(**ids)]
        case Expire():
            return [ConsentExpired(**ids)]
        case _:
            raise Refused("consent-is-recorded", state.status, ALLOWED[state.status])


def _smaller(state: Consent, less: Narrow) -> None:
    """Refuses what would take nothing away, and what would leave nothing (that is a withdrawal)."""
    if not state.group and not state.holders.issuperset(less.excluded):
        raise Refused("agency-not-in-consent", state.status, ALLOWED[state.status])
    if not state.classes.issuperset(less.dropped):
        raise Refused("class-not-in-consent", state.status, ALLOWED[state.status])
    if less.until and state.until and less.until >= state.until:
        raise Refused("consent-gets-no-smaller", state.status, ALLOWED[state.status])
    after = _without(state, less.excluded, less.dropped, less.until)
    if after == state:
        raise Refused("consent-gets-no-smaller", state.status, ALLOWED[state.status])
    if not after.classes or not (after.group or after.holders):
        raise Refused("nothing-left-of-consent", state.status, ALLOWED[state.status])


def evolve(state: Consent, event: Event) -> Consent:
    match event:
        case ConsentRecorded():
            return Consent(
                "recorded",
                event.case,
                event.consent,
                frozenset(event.holders) - set(event.excluded),
                frozenset(event.excluded),
                event.group,
                frozenset(event.classes),
                event.until,
            )
        case ConsentNarrowed(excluded=excluded, dropped=dropped, until=until):
            return _without(state, excluded, dropped, until)
        case ConsentWithdrawn() | ConsentExpired():
            return replace(state, status="ended")
        case _:
            return state


def _without(
    state: Consent, agencies: Iterable[str], classes: Iterable[str], until: datetime | None
) -> Consent:
    return replace(
        state,
        holders=state.holders.difference(agencies),
        excluded=state.excluded.union(agencies),
        classes=state.classes.difference(classes),
        until=until or state.until,
    )


DECIDER = Decider(Consent(), decide, evolve)
