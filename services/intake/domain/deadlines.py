"""Deadlines of intake: bases end, reviews and answers fall due, a transfer takes effect."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from shared.calendar import TOKYO
from shared.contracts import Envelope, Event
from shared.contracts.intake import (
    BasisEnded,
    BasisReviewed,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentWithdrawn,
    GroundRecorded,
    RightsDecided,
    RightsExtended,
    RightsOverdue,
    RightsRequested,
    RightsWithdrawn,
    TransferAgreed,
    TransferEffected,
    TransferWithdrawn,
    UrgentAsserted,
)
from shared.deadline import Due, Timer

from . import basis, consent, rights, transfer


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
        case TransferAgreed(effective_at=at):
            yield Timer(stream, at, stream, {})
        case ConsentWithdrawn() | TransferWithdrawn():
            yield Timer(stream, None)
        case RightsRequested(due_on=day) | RightsExtended(due_on=day):
            over = datetime.combine(day + timedelta(days=1), time(), TOKYO)
            yield Timer(stream, over, stream, {})
        case RightsDecided() | RightsWithdrawn():
            yield Timer(stream, None)


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    kind, _, name = stream.partition("/")
    if kind == "transfer":
        effected = TransferEffected(transfer=UUID(name))
        return Due(transfer.DECIDER, name, effected, transfer.moves)
    if kind == "consent":
        return Due(consent.DECIDER, command["case"], consent.Expire())
    if kind == "rights":
        return Due(rights.DECIDER, name, RightsOverdue(request=UUID(name)))
    missed = basis.MissReview() if command.get("review") else basis.Expire()
    return Due(basis.DECIDER, command["case"], missed)
