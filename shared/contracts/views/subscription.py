"""An agency's own system, and the key that its documents are sealed to."""

from typing import Annotated

from ..event import AgencyCode, Event, S, event


@event("subscription.registered")
class SubscriptionRegistered(Event):
    """An agency's own system subscribes; documents are sealed to this X25519 key (JWK)."""

    TOPIC = "views"
    STREAM = "subscription"
    agency: AgencyCode
    public_key: Annotated[dict[str, str], S]
