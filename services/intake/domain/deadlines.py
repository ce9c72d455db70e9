"""Deadlines of intake: consents and other bases end by themselves, an urgent one is reviewed in time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.contracts import Envelope, Event
from shared.contracts.intake import (
    BasisEnded,
    BasisReviewed,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentWithdrawn,
    GroundRecorded,
    UrgentAsserted,
)
from shared.deadline import Due, Timer

from . import basis, consent


def plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    stream = envelope.stream
    match event:
        case ConsentRecorded(until=until) | ConsentNarrowed(until=until) if until:
            yield Timer(stream, until, stream, {"case": str(event.case)})
        case UrgentAsserted(case=case, review_by=review_by, until=until):
            yield Timer(stream, until, stream, {"case": str(case)})
            yield Timer(f"{stream}/review", review_by, stream, {"case": str(case), "review": True})
        case GroundRecorded(case=case, until=until):
            yield Timer(stream, until, stream, {"case": str(case)})
        case BasisReviewed():
            yield Timer(f"{stream}/review", None)
        case BasisEnded():
            yield Timer(stream, None)
            yield Timer(f"{stream}/review", None)
        case ConsentWithdrawn():
            yield Timer(stream, None)


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    if stream.startswith("consent/"):
        return Due(consent.DECIDER, command["case"], consent.Expire())
    missed = basis.MissReview() if command.get("review") else basis.Expire()
    return Due(basis.DECIDER, command["case"], missed)
