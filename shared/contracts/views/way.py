"""The ways, besides its topic, by which an agency's own system is told of its documents."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from ..event import Id, S, event
from .subscription import SubscriptionEvent

URL = r"^https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,300})?$|" + (
    r"^https?://\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,300})?$"
)
"""Without user, query or fragment: no secret stands in it."""

OFFICE = (
    r"^[A-Za-z0-9.!#$%&*+/=?_~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}$|^[0-9]{6,15}$"
)
"""Mail of an office, or the digits of its fax."""


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


@event("subscription.secret_shown")
class SecretShown(SubscriptionEvent):
    """The secret that signs its files in both directions was shown; ce_actor says to whom."""


@event("subscription.webhook_removed")
class WebhookRemoved(SubscriptionEvent):
    way: Id


@event("subscription.office_registered")
class OfficeRegistered(SubscriptionEvent):
    """Cover sheets for an agency without a system go to this office; `place` is how they name it."""

    place: Id
    by: Annotated[Literal["mail", "fax"], S]
    address: Annotated[str, StringConstraints(pattern=OFFICE), S]


@event("subscription.office_removed")
class OfficeRemoved(SubscriptionEvent):
    by: Annotated[Literal["mail", "fax"], S]
