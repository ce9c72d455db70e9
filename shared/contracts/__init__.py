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
    readable,
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
    "readable",
    "referral",
    "sealed_fields",
    "views",
]
