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
from .provision import GivenBack, ProvisionEvent, ProvisionRecorded, ReceiverTold, SheetPrinted
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
    "GivenBack",
    "ItemRef",
    "KeyRevoked",
    "KeyRotated",
    "ProvisionEvent",
    "ProvisionRecorded",
    "ReadingRecorded",
    "ReceiptRecorded",
    "ReceiptRefused",
    "ReceiverTold",
    "RetractionConfirmed",
    "RetractionOverdue",
    "SheetPrinted",
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
