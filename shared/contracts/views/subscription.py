"""An agency's subscription: the key that its documents are sealed to, and whether anything flows."""

from typing import Annotated, Literal

from ..event import AgencyCode, Event, S, event

By = Literal["agency", "operator"]
What = Literal[
    "key", "webhook", "cursor", "receipt", "size", "form", "handle", "document", "line"
]  # fmt: skip
"""`size`, `form`: a body that is too large, or is not what the endpoint takes. `handle`: of no document
that the agency holds; `document`: a number that was never made; `line`: of a file of receipts.
"""


class SubscriptionEvent(Event):
    TOPIC = "views"
    STREAM = "subscription"
    agency: AgencyCode


@event("subscription.registered")
class SubscriptionRegistered(SubscriptionEvent):
    """An agency's own system subscribes; documents are sealed to this X25519 key (JWK)."""

    public_key: Annotated[dict[str, str], S]


@event("subscription.key_rotated")
class KeyRotated(SubscriptionEvent):
    """From now on another key: what is on the broker is sealed anew, nothing more to the old one."""

    public_key: Annotated[dict[str, str], S]


@event("subscription.key_revoked")
class KeyRevoked(SubscriptionEvent):
    """Nothing is sealed until there is a new key; the login at the broker is taken away."""


@event("subscription.login_renewed")
class LoginRenewed(SubscriptionEvent):
    """The login at the broker is replaced, the key stays: the old password ends, another is made."""


@event("subscription.paused")
class SubscriptionPaused(SubscriptionEvent):
    """Nothing new is sent; what takes content away still is. Who paused it resumes it."""

    by: Annotated[By, S]


@event("subscription.resumed")
class SubscriptionResumed(SubscriptionEvent):
    by: Annotated[By, S]


@event("subscription.quarantined")
class SubscriptionQuarantined(SubscriptionEvent):
    """Nothing is sent and nothing is read over HTTP, until an operator releases it. The reason speaks
    of a body, not of a person.
    """

    reason: Annotated[str, S]


@event("subscription.released")
class SubscriptionReleased(SubscriptionEvent):
    pass


@event("subscription.ended")
class SubscriptionEnded(SubscriptionEvent):
    """The topic, its login and its rights are taken away; what was disclosed stays on record."""


@event("subscription.input_refused")
class InputRefused(SubscriptionEvent):
    """Something that came in this agency's name, or that its documents were to go to, was refused, and
    nothing of it was kept; ce_actor says from whom it came. Not each time: once a minute. On a stream of
    its own for each agency, kind and day.
    """

    STREAM, FORMERLY = "refusal", SubscriptionEvent.STREAM
    what: Annotated[What, S]
