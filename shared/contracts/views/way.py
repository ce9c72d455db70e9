"""The ways, besides its topic, by which an agency's own system is told of its documents."""

from typing import Annotated

from pydantic import StringConstraints

from ..event import Id, S, event
from .subscription import SubscriptionEvent

URL = r"^https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,300})?$|" + (
    r"^https?://\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,300})?$"
)
"""Without user, query or fragment: no secret stands in it."""


@event("subscription.webhook_registered")
class WebhookRegistered(SubscriptionEvent):
    """Documents go to this address too, from the start; `way` names the secret that signs them."""

    way: Id
    url: Annotated[str, StringConstraints(pattern=URL), S]


@event("subscription.webhook_restarted")
class WebhookRestarted(SubscriptionEvent):
    """All is told again from the start, what was refused included."""

    way: Id


@event("subscription.file_made")
class FileMade(SubscriptionEvent):
    """A file of so many documents was made, to be carried to the agency's network (L21)."""

    documents: Annotated[int, S]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), S]


@event("subscription.webhook_removed")
class WebhookRemoved(SubscriptionEvent):
    way: Id
