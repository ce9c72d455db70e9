"""An agency's subscription: its key, who paused it, whether it is quarantined."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.contracts import Event
from shared.contracts.views import (
    KeyRevoked,
    KeyRotated,
    LoginRenewed,
    SubscriptionEnded,
    SubscriptionPaused,
    SubscriptionQuarantined,
    SubscriptionRegistered,
    SubscriptionReleased,
    SubscriptionResumed,
)
from shared.decider import Decider, Refused

Status = Literal["none", "active", "paused", "key_revoked", "quarantined", "ended"]


@dataclass(frozen=True)
class Subscription:
    """`used`: the `x` of every key so far. A quarantine is of the agency: it may come before the
    first key, and outlasts an end.
    """

    registered: bool = False
    ended: bool = False
    public_key: dict[str, str] | None = None
    used: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()
    quarantined: bool = False

    @property
    def status(self) -> Status:
        if self.quarantined:
            return "quarantined"
        if not self.registered:
            return "ended" if self.ended else "none"
        if self.public_key is None:
            return "key_revoked"
        return "paused" if self.paused else "active"


@dataclass(frozen=True)
class Register:
    """The first key, another one, or the same once more."""

    agency: str
    public_key: dict[str, str]


Command = (
    Register
    | KeyRevoked
    | LoginRenewed
    | SubscriptionPaused
    | SubscriptionResumed
    | SubscriptionQuarantined
    | SubscriptionReleased
    | SubscriptionEnded
)
ALLOWED: dict[Status, tuple[str, ...]] = {
    "none": ("registration", "quarantine"),
    "active": ("new key", "key-revocation", "login-renewal", "pause", "quarantine", "ending"),
    "paused": ("new key", "key-revocation", "login-renewal", "resumption", "quarantine", "ending"),
    "key_revoked": ("new key", "pause", "quarantine", "ending"),
    "quarantined": ("key-revocation", "release", "ending"),
    "ended": ("registration", "quarantine"),
}


def decide(state: Subscription, command: Command) -> list[Event]:
    if wrong := _wrong(state, command):
        raise Refused(wrong, state.status, ALLOWED[state.status])
    if not isinstance(command, Register):
        return [command]
    if command.public_key == state.public_key:
        return []
    made = KeyRotated if state.registered else SubscriptionRegistered
    return [made(agency=command.agency, public_key=command.public_key)]


def _wrong(state: Subscription, command: Command) -> str | None:
    """Why not. A quarantined agency brings no new key: whoever holds its login may be another."""
    match command:
        case Register(public_key=key):
            if state.quarantined:
                return "subscription-is-quarantined"
            retired = key != state.public_key and key["x"] in state.used
            return "key-was-retired" if retired else None
        case SubscriptionQuarantined():
            return "subscription-is-quarantined" if state.quarantined else None
        case SubscriptionReleased():
            return None if state.quarantined else "not-quarantined"
        case _ if not state.registered:
            return "subscription-has-ended" if state.ended else "not-subscribed"
        case KeyRevoked():
            return None if state.public_key else "key-is-revoked"
        case LoginRenewed():
            return _no_login(state)
        case SubscriptionPaused(by=by):
            return "subscription-is-paused" if by in state.paused else None
        case SubscriptionResumed(by=by) if by not in state.paused:
            return "paused-by-another" if state.paused else "not-paused"
        case _:
            return None


def _no_login(state: Subscription) -> str | None:
    """Without a key, or in quarantine, there is none; the next key or the release brings another."""
    if state.quarantined:
        return "subscription-is-quarantined"
    return None if state.public_key else "key-is-revoked"


def evolve(state: Subscription, event: Event) -> Subscription:
    match event:
        case SubscriptionRegistered(public_key=key) | KeyRotated(public_key=key):
            used = state.used | {key["x"]}
            return replace(state, registered=True, ended=False, public_key=key, used=used)
        case KeyRevoked():
            return replace(state, public_key=None)
        case SubscriptionPaused(by=by):
            return replace(state, paused=state.paused | {by})
        case SubscriptionResumed(by=by):
            return replace(state, paused=state.paused - {by})
        case SubscriptionQuarantined():
            return replace(state, quarantined=True)
        case SubscriptionReleased():
            return replace(state, quarantined=False)
        case SubscriptionEnded():
            return replace(state, registered=False, ended=True, public_key=None, paused=frozenset())
        case _:
            return state


DECIDER = Decider(Subscription(), decide, evolve)
