"""An agency's ways besides its topic: a webhook, once it has a key; files, while anything may flow; and
for one without a system the office that cover sheets go to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    FileMade,
    OfficeRegistered,
    OfficeRemoved,
    SecretShown,
    SubscriptionEnded,
    WebhookRegistered,
    WebhookRemoved,
    WebhookRestarted,
)
from shared.decider import Decider, Refused

from . import subscription
from .subscription import Subscription


@dataclass(frozen=True)
class Ways:
    agency: str = ""
    life: Subscription = field(default_factory=Subscription)
    way: UUID | None = None
    url: str = ""
    offices: Mapping[str, OfficeRegistered] = field(default_factory=dict)
    """By `mail` and `fax`."""


@dataclass(frozen=True)
class Restart:
    pass


@dataclass(frozen=True)
class Remove:
    pass


Command = (
    WebhookRegistered | FileMade | SecretShown | Restart | Remove | OfficeRegistered | OfficeRemoved
)


def may_flow(state: Ways) -> None:
    """Raises Refused."""
    if state.life.status != "active":
        raise Refused("no-subscription", state.life.status, ("subscriptions",))


def keyed(state: Ways) -> Mapping[str, str]:
    """The key, while it is one and nobody has doubts about who holds it. Raises Refused."""
    key = state.life.public_key
    if key is None or state.life.status not in ("active", "paused"):
        raise Refused("no-key", state.life.status, ("subscriptions",))
    return key


def decide(state: Ways, command: Command) -> list[Event]:
    match command:
        case FileMade():
            may_flow(state)
            return [command]
        case SecretShown():
            keyed(state)
            return [command]
        case WebhookRegistered(url=url):
            keyed(state)
            return [] if state.way and url == state.url else [command]
        case OfficeRegistered(by=by, address=address):
            known = state.offices.get(by)
            return [] if known and known.address == address else [command]
        case OfficeRemoved(by=by):
            if by not in state.offices:
                raise Refused("no-office", "none", ("offices",))
            return [command]
        case _ if state.way is None:
            raise Refused("no-webhook", "none", ("webhook",))
        case Restart():
            return [WebhookRestarted(agency=state.agency, way=state.way)]
        case Remove():
            return [WebhookRemoved(agency=state.agency, way=state.way)]


def evolve(state: Ways, event: Event) -> Ways:
    state = replace(state, life=subscription.DECIDER.evolve(state.life, event))
    match event:
        case WebhookRegistered(agency=agency, way=way, url=url):
            return replace(state, agency=agency, way=way, url=url)
        case WebhookRemoved() | SubscriptionEnded():
            return replace(state, way=None, url="")
        case OfficeRegistered(by=by):
            return replace(state, offices={**state.offices, by: event})
        case OfficeRemoved(by=by):
            left = {way: office for way, office in state.offices.items() if way != by}
            return replace(state, offices=left)
        case _:
            return state


DECIDER = Decider(Ways(), decide, evolve)
