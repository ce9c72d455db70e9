"""Bases other than consent: urgent protection and the grounds of the table; small, in own streams."""

from typing import Annotated

from ..event import (
    Agencies,
    AgencyCode,
    CaseId,
    Coded,
    Event,
    Id,
    Moment,
    People,
    Personal,
    Subject,
    event,
)


class BasisEvent(Event):
    TOPIC = "intake"
    STREAM = "basis"
    basis: Id
    case: CaseId


@event("basis.urgent_asserted")
class UrgentAsserted(BasisEvent):
    """Life, body or property is in danger (L7): `holders` may hold these classes of these persons.
    `informed`: the second person who was told at once. Nothing new flows after `review_by` unless
    somebody has reviewed it; all ends at `until`.
    """

    persons: People
    holders: Agencies
    classes: Annotated[tuple[str, ...], Coded("judgement")]
    danger: Annotated[str, Coded("judgement")]
    reason: Annotated[str, Personal("judgement")]
    informed: Subject
    begins: Moment
    review_by: Moment
    until: Moment


@event("basis.reviewed")
class BasisReviewed(BasisEvent):
    """A person looked at it and lets it go on."""

    note: Annotated[str | None, Personal("judgement")] = None


@event("basis.review_overdue")
class BasisReviewOverdue(BasisEvent):
    """Written by the timer at `review_by`: a supervisor is called."""


@event("basis.ground_recorded")
class GroundRecorded(BasisEvent):
    """A ground of the table (L8), as its row of the day allowed it: what `provider` recorded of these
    persons may be held by `holders`. `no_harm`: why nobody's rights and interests are unjustly harmed.
    """

    ground: Annotated[str, Coded("judgement")]
    citation: Annotated[str, Coded("judgement")]
    provider: AgencyCode
    persons: People
    holders: Agencies
    classes: Annotated[tuple[str, ...], Coded("judgement")]
    reason: Annotated[str, Personal("judgement")]
    no_harm: Annotated[str, Personal("judgement")]
    approver: Subject
    begins: Moment
    until: Moment


@event("basis.ended")
class BasisEnded(BasisEvent):
    """By a person, before its time."""

    note: Annotated[str | None, Personal("judgement")] = None


@event("basis.expired")
class BasisExpired(BasisEvent):
    """Written by the timer at `until`."""
