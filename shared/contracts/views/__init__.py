"""Events of views, one noun a file."""

from .disclosure import (
    BasisRef,
    DisclosureEvent,
    DocumentChanged,
    ItemRef,
    ReadingRecorded,
    ReceiptRecorded,
    RetractionConfirmed,
    RetractionOverdue,
)
from .subscription import SubscriptionRegistered

__all__ = [
    "BasisRef",
    "DisclosureEvent",
    "DocumentChanged",
    "ItemRef",
    "ReadingRecorded",
    "ReceiptRecorded",
    "RetractionConfirmed",
    "RetractionOverdue",
    "SubscriptionRegistered",
]
