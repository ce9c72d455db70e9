"""Deadlines of intake: a consent with an end expires by itself."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.contracts import Envelope, Event
from shared.contracts.intake import ConsentNarrowed, ConsentRecorded, ConsentWithdrawn
from shared.deadline import Due, Timer

from . import consent


def plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    match event:
        case ConsentRecorded(until=until) | ConsentNarrowed(until=until) if until:
            yield Timer(envelope.stream, until, envelope.stream, {"case": str(event.case)})
        case ConsentWithdrawn():
            yield Timer(envelope.stream, None)


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    return Due(consent.DECIDER, command["case"], consent.Expire())
