"""An agency's webhook: registered once it has a key, told again from the start, removed."""

from dataclasses import dataclass, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    SubscriptionEnded,
    SubscriptionQuarantined,
    SubscriptionRegistered,
    SubscriptionReleased,
    WebhookRegistered,
    WebhookRemoved,
    WebhookRestarted,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Webhook:
    agency: str = ""
    keyed: bool = False
    quarantined: bool = False
    way: UUID | None = None
    url: str = ""


@dataclass(frozen=True)
class Restart:
    pass


@dataclass(frozen=True)
class Remove:
    pass


Command = WebhookRegistered | Restart | Remove


def decide(state: Webhook, command: Command) -> list[Event]:
    match command:
        case WebhookRegistered(url=url):
            if state.quarantined:
                raise Refused("subscription-is-quarantined", "quarantined", ("release",))
            if not state.keyed:
                raise Refused("no-key", "unsubscribed", ("subscriptions",))
            return [] if state.way and url == state.url else [command]
        case _ if state.way is None:
            raise Refused("no-webhook", "none", ("webhook",))
        case Restart():
            return [WebhookRestarted(agency=state.agency, way=state.way)]
        case Remove():
            return [WebhookRemoved(agency=state.agency, way=state.way)]


def evolve(state: Webhook, event: Event) -> Webhook:
    match event:
        case SubscriptionRegistered(agency=agency):
            return replace(state, agency=agency, keyed=True)
        case WebhookRegistered(way=way, url=url):
            return replace(state, way=way, url=url)
        case WebhookRemoved():
            return replace(state, way=None, url="")
        case SubscriptionEnded():
            return replace(state, keyed=False, way=None, url="")
        case SubscriptionQuarantined() | SubscriptionReleased():
            return replace(state, quarantined=isinstance(event, SubscriptionQuarantined))
        case _:
            return state


DECIDER = Decider(Webhook(), decide, evolve)
