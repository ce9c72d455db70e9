"""Deadlines of views: a withdrawal is confirmed within so many working days of the city (L15)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.calendar import after_working_days
from shared.contracts import Envelope, Event
from shared.contracts.codes import retraction_days
from shared.contracts.views import DocumentChanged, RetractionConfirmed
from shared.deadline import Due, Timer

from . import disclosure


def confirmation_due(told_at: datetime) -> datetime:
    return after_working_days(told_at, retraction_days())


def plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    """One timer a withdrawal. A confirmation may speak for several: the timers of the others find
    nothing to do.
    """
    stream = envelope.stream
    match event:
        case DocumentChanged(case=case, document=document) if disclosure.retracts(event):
            command = {"case": str(case), "document": document}
            yield Timer(_name(stream, document), confirmation_due(envelope.at), stream, command)
        case RetractionConfirmed(document=document):
            yield Timer(_name(stream, document), None)


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    return Due(disclosure.DECIDER, command["case"], disclosure.MarkOverdue(command["document"]))


def _name(stream: str, document: int) -> str:
    return f"{stream}#{document}"
