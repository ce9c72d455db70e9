"""What was withdrawn from an agency, and how far it has given it back. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts import Event, Recorded
from shared.contracts.views import (
    DocumentChanged,
    ItemRef,
    PagePrinted,
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
    `copies`: numbers of those that were printed with some of it.
    """

    document: DocumentChanged
    since: datetime
    delivered_at: datetime | None = None
    overdue_at: datetime | None = None
    confirmed_at: datetime | None = None
    kept: str | None = None
    copies: tuple[int, ...] = ()

    @property
    def due(self) -> datetime:
        return confirmation_due(self.since)

    @property
    def items(self) -> tuple[ItemRef, ...]:
        return self.document.withdrawn

    def state(self, acknowledged: int = 0) -> State:
        """`acknowledged`: the newest document that the agency's topic or its webhook has taken."""
        if self.confirmed_at:
            return "confirmed"
        if self.overdue_at:
            return "overdue"
        return (
            "delivered" if self.delivered_at or acknowledged >= self.document.document else "told"
        )


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
    copies = _copies(change, [e.event for e in events])
    return Retraction(change, since, delivered, overdue, confirmed, kept, copies)


def _copies(change: DocumentChanged, events: Iterable[Event]) -> tuple[int, ...]:
    """Records from before `withdrawn` do not say what it was: then it may be on each."""
    gone, shown, found = _refs(change.withdrawn), dict[int, set[tuple[UUID, str]]](), list[int]()
    for event in events:
        match event:
            case DocumentChanged(document=n, items=items):
                shown[n] = _refs(item for item in items if not item.bare)
            case PagePrinted(document=n, copy_number=copy) if n < change.document:
                found += [copy] if not gone or gone & shown[n] else []
    return tuple(found)


def _refs(items: Iterable[ItemRef]) -> set[tuple[UUID, str]]:
    return {(item.event, item.field) for item in items}
