"""The published language: the only thing services know of one another."""

from . import intake, meetings, metrics, referral, views
from .event import (
    CONSENTABLE,
    ERASED,
    EVENTS,
    SHUT,
    UPCASTS,
    Coded,
    Envelope,
    Event,
    Personal,
    Recorded,
    Structural,
    Unreadable,
    declared,
    sealed_fields,
)

__all__ = [
    "CONSENTABLE",
    "ERASED",
    "EVENTS",
    "SHUT",
    "UPCASTS",
    "Coded",
    "Envelope",
    "Event",
    "Personal",
    "Recorded",
    "Structural",
    "Unreadable",
    "declared",
    "intake",
    "meetings",
    "metrics",
    "referral",
    "sealed_fields",
    "views",
]
