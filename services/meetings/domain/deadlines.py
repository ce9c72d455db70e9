"""Deadlines of meetings: a live matter is reviewed every so many days (L5), a task is done by its day."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from shared.calendar import TOKYO
from shared.contracts import Envelope, Event
from shared.contracts.codes import bodies
from shared.contracts.meetings import (
    MatterEnded,
    MatterReviewed,
    MatterSubmitted,
    TaskDone,
    TaskDropped,
    TaskDueChanged,
    TaskReopened,
    TaskTerms,
)
from shared.deadline import Due, Timer

from . import matter, task


def review_due(event: Event, occurred_at: datetime) -> datetime | None:
    """When the next review is due after a submission or a review.

    A review does not say before which body: it takes the shortest term of all of that day, never a late
    one.
    """
    known = bodies(occurred_at)
    terms = {code: body.review_days for code, body in known.items() if body.review_days}
    match event:
        case MatterSubmitted(body=code) if code in terms:
            return occurred_at + timedelta(days=terms[code])
        case MatterReviewed() if terms:
            return occurred_at + timedelta(days=min(terms.values()))
        case _:
            return None


def over(day: date) -> datetime:
    """When that day is over."""
    return datetime.combine(day + timedelta(days=1), time(), TOKYO)


def plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    match event:
        case MatterSubmitted() | MatterReviewed():
            due = review_due(event, envelope.occurred_at)
            yield Timer(envelope.stream, due, envelope.stream, {"case": str(event.case)})
        case TaskTerms(due=day) | TaskDueChanged(due=day) | TaskReopened(due=day):
            case = {"case": str(event.case)}
            yield Timer(envelope.stream, over(day), envelope.stream, case)
        case MatterEnded() | TaskDone() | TaskDropped():
            yield Timer(envelope.stream, None)


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    if stream.startswith("task/"):
        return Due(task.DECIDER, command["case"], task.MarkOverdue())
    return Due(matter.DECIDER, command["case"], matter.MarkOverdue())
