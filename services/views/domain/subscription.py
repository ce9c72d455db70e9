"""An agency's own system and the key that its documents are sealed to."""

from dataclasses import dataclass, field

from shared.contracts import Event
from shared.contracts.views import SubscriptionRegistered
from shared.decider import Decider


@dataclass(frozen=True)
class Subscription:
    public_key: dict[str, str] = field(default_factory=dict)


def decide(state: Subscription, command: SubscriptionRegistered) -> list[Event]:
    return [] if command.public_key == state.public_key else [command]


def evolve(state: Subscription, event: Event) -> Subscription:
    assert isinstance(event, SubscriptionRegistered)
    return Subscription(event.public_key)


DECIDER = Decider(Subscription(), decide, evolve)
