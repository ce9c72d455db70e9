"""Events of views, one noun a file."""

from .cover import CoverIssued, CoverUsed
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
from .way import FileMade, WebhookRegistered, WebhookRemoved, WebhookRestarted

__all__ = [
    "BasisRef",
    "CoverIssued",
    "CoverUsed",
    "DisclosureEvent",
    "DocumentChanged",
    "FileMade",
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
