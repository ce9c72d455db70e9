"""Events of views, one noun a file."""

from .disclosure import (
    BasisRef,
    DisclosureEvent,
    DocumentChanged,
    ItemRef,
    ReadingRecorded,
    ReceiptRecorded,
    ReceiptRefused,
    RetractionConfirmed,
    RetractionOverdue,
)
from .subscription import (
    KeyRevoked,
    KeyRotated,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionPaused,
    SubscriptionQuarantined,
    SubscriptionRegistered,
    SubscriptionReleased,
    SubscriptionResumed,
)
from .way import WebhookRegistered, WebhookRemoved, WebhookRestarted

__all__ = [
    "BasisRef",
    "DisclosureEvent",
    "DocumentChanged",
    "ItemRef",
    "KeyRevoked",
    "KeyRotated",
    "ReadingRecorded",
    "ReceiptRecorded",
    "ReceiptRefused",
    "RetractionConfirmed",
    "RetractionOverdue",
    "SubscriptionEnded",
    "SubscriptionEvent",
    "SubscriptionPaused",
    "SubscriptionQuarantined",
    "SubscriptionRegistered",
    "SubscriptionReleased",
    "SubscriptionResumed",
    "WebhookRegistered",
    "WebhookRemoved",
    "WebhookRestarted",
]
