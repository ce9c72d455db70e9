"""A referral: requested on live bases, answered by its receiver, ended by a person."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from shared.basis import Consent, World
from shared.calendar import TOKYO
from shared.contracts import Event, sealed_fields, tracking
from shared.contracts.referral import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralEvent,
    ReferralReceived,
    ReferralRequested,
    ServiceStarted,
)
from shared.decider import Decider, Refused
from shared.grounds import Ground, classes_for

ALLOWED = {
    "none": (),
    "requested": ("receipt",),
    "received": ("acceptance", "decline"),
    "accepted": ("service-start", "decline"),
    "in_progress": ("completion",),
    "completed": (),
    "declined": (),
}
OPEN = tuple(status for status, moves in ALLOWED.items() if moves)
"""Somebody still has to act."""
TRACKED = {
    "requested": "requested",
    "received": "received",
    "accepted": "in_progress",
    "in_progress": "in_progress",
    "completed": "ended",
    "declined": "ended",
}
"""L10: how far it is, as who sent it is told without a basis."""
UNTRACKED = "untracked"
"""The same, when it ended so long ago that he is told no more."""
ANSWER = sealed_fields(ReferralDeclined)["code"].data_class
"""Of what is finer than that."""
ASKED = {name: sealed_fields(ReferralRequested)[name].data_class for name in ("need", "urgency")}
"""Class of each part of a request; `classes` are what they name."""

AFTER: dict[type[Event], str] = {
    ReferralRequested: "requested",
    ReferralReceived: "received",
    ReferralAccepted: "accepted",
    ReferralDeclined: "declined",
    ServiceStarted: "in_progress",
    ReferralCompleted: "completed",
}
"""The status that each event leads to."""


@dataclass(frozen=True)
class Referral:
    status: str = "none"
    requested: ReferralRequested | None = None


@dataclass(frozen=True)
class Request:
    """`requested.bases` are what `covering` found at the moment of the request."""

    requested: ReferralRequested


@dataclass(frozen=True)
class Receive:
    pass


@dataclass(frozen=True)
class Accept:
    """It will be taken up; the first contact may be agreed already. Not yet a start."""

    first_contact_on: date | None = None


@dataclass(frozen=True)
class Decline:
    code: str
    text: str | None = None


@dataclass(frozen=True)
class Start:
    """The person was met: only now has the service begun."""

    first_contact_on: date


@dataclass(frozen=True)
class Complete:
    outcome: str
    text: str | None = None


Command = Request | Receive | Accept | Decline | Start | Complete


def decide(state: Referral, command: Command) -> list[Event]:
    if state.requested is None:
        return _request(command)
    about = state.requested.model_dump(include={"referral", "case", "person"})
    match state.status, command:
        case "requested", Receive():
            return [ReferralReceived(**about)]
        case "received", Accept(day):
            return [ReferralAccepted(**about, first_contact_on=day)]
        case "received" | "accepted", Decline(code, text):
            return [ReferralDeclined(**about, code=code, text=text)]
        case "accepted", Start(day):
            return [ServiceStarted(**about, first_contact_on=day)]
        case "in_progress", Complete(outcome, text):
            return [ReferralCompleted(**about, outcome=outcome, text=text)]
        case _:
            raise Refused(f"referral-is-{state.status}", state.status, ALLOWED[state.status])


def _request(command: Command) -> list[Event]:
    if not isinstance(command, Request):
        raise Refused("referral-is-none", "none", ALLOWED["none"])
    if not command.requested.bases:
        raise Refused("no-live-basis", "none", ALLOWED["none"])
    return [command.requested]


def evolve(state: Referral, event: Event) -> Referral:
    match event:
        case ReferralRequested():
            return Referral("requested", event)
        case ReferralEvent():
            return replace(state, status=AFTER.get(type(event), state.status))
        case _:
            return state


DECIDER = Decider(Referral(), decide, evolve)


def covering(
    given: Iterable[Consent | Ground],
    person: UUID,
    sender: str,
    receiver: str,
    classes: Iterable[str],
    world: World,
    at: datetime,
) -> tuple[UUID, ...]:
    """Ids of the bases that together let the sender tell the receiver all the classes of this person
    (L3, L7, L8, L9), oldest first; empty if a class is left uncovered.
    """
    asked = set(classes)
    used = [
        (one.recorded.begins, one.id, useful)
        for one in given
        if (useful := asked & classes_for(one, person, receiver, sender, world, at))
    ]
    if asked.difference(*(useful for _, _, useful in used)):
        return ()
    return tuple(id for _, id, _ in sorted(used, key=lambda one: one[:2]))


def tracked_since(now: datetime) -> datetime:
    """What ended before this moment is tracked no more."""
    return now - timedelta(days=tracking.days(now.astimezone(TOKYO).date()))


def told(status: str, moved_at: datetime, now: datetime) -> str:
    """What who sent it is told without a basis (L10); `moved_at`: its last step was recorded."""
    ended = not ALLOWED[status]
    return UNTRACKED if ended and moved_at < tracked_since(now) else TRACKED[status]
