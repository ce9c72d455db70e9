"""What was withdrawn from an agency, and how far it has given it back. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.contracts import Recorded
from shared.contracts.views import (
    DocumentChanged,
    ItemRef,
    ReadingRecorded,
    ReceiptRecorded,
    RetractionConfirmed,
    RetractionOverdue,
)

from .deadlines import confirmation_due
from .disclosure import retracts

State = Literal["told", "delivered", "overdue", "confirmed"]


@dataclass(frozen=True)
class Retraction:
    """One document of one agency that withdrew something. `delivered_at`: by the first receipt or
    reading that covers it; `confirmed_at` with `kept`, the ground on which the agency keeps it, if it does.
    """

    document: DocumentChanged
    since: datetime
    delivered_at: datetime | None = None
    overdue_at: datetime | None = None
    confirmed_at: datetime | None = None
    kept: str | None = None

    @property
    def due(self) -> datetime:
        return confirmation_due(self.since)

    @property
    def items(self) -> tuple[ItemRef, ...]:
        return self.document.withdrawn

    def state(self, on_broker: int = 0) -> State:
        """`on_broker`: the newest document that the broker acknowledged for the agency."""
        if self.confirmed_at:
            return "confirmed"
        if self.overdue_at:
            return "overdue"
        return "delivered" if self.delivered_at or on_broker >= self.document.document else "told"


def retractions(events: Iterable[Recorded]) -> list[Retraction]:
    """Of one stream, in order; the events in any."""
    events = sorted(events, key=lambda e: e.envelope.version)
    return [
        _retraction(event, recorded.envelope.at, events)
        for recorded in events
        if isinstance(event := recorded.event, DocumentChanged) and retracts(event)
    ]


def _retraction(change: DocumentChanged, since: datetime, events: list[Recorded]) -> Retraction:
    delivered = overdue = confirmed = kept = None
    for e in events:
        at = e.envelope.at
        match e.event:
            case ReceiptRecorded(document=n) | ReadingRecorded(document=n):
                if n and n >= change.document and not delivered:
                    delivered = at
            case RetractionOverdue(document=n) if n == change.document:
                overdue = at
            case RetractionConfirmed(document=n, kept=ground):
                if n >= change.document and not confirmed:
                    confirmed, kept = at, ground
    return Retraction(change, since, delivered, overdue, confirmed, kept)
