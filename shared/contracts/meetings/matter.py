"""Matters: a case before a statutory body, what is put before it, its reviews and its end."""

from typing import Annotated

from ..event import CaseId, Coded, Event, Id, People, Personal, PersonId, S, Subject, event
from .body import BodyCode


class MatterEvent(Event):
    TOPIC = "meetings"
    STREAM = "matter"
    matter: Id
    case: CaseId


@event("matter.submitted")
class MatterSubmitted(MatterEvent):
    """A case before a statutory body (L5), open from now until the body records its end."""

    body: BodyCode
    subjects: People


@event("matter.members_called")
class MembersCalled(MatterEvent):
    members: Annotated[tuple[Subject, ...], S]


@event("matter.members_asked")
class MembersAsked(MatterEvent):
    """Pledged members asked for information (106条の6第3項); they see a configured minimum (L5b)."""

    members: Annotated[tuple[Subject, ...], S]


@event("matter.material_submitted")
class MaterialSubmitted(MatterEvent):
    """A fact put before the body: sealed, whatever its true class (L12)."""

    person: PersonId
    true_class: Annotated[str, Coded("sealed")]
    text: Annotated[str, Personal("sealed", of="person")]


@event("matter.decision_recorded")
class MatterDecided(MatterEvent):
    text: Annotated[str, Personal("sealed")]


@event("matter.fact_promoted")
class FactPromoted(MatterEvent):
    """A sealed fact that consent now covers, written anew as an ordinary one (L12)."""

    person: PersonId
    material: Id
    health: Annotated[str | None, Personal("health_disability", of="person")] = None
    work: Annotated[str | None, Personal("work_school", of="person")] = None
    money: Annotated[str | None, Personal("money", of="person")] = None
    welfare_use: Annotated[str | None, Personal("welfare_use", of="person")] = None
    history: Annotated[str | None, Personal("life_history", of="person")] = None


@event("matter.reviewed")
class MatterReviewed(MatterEvent):
    pass


@event("matter.review_overdue")
class MatterReviewOverdue(MatterEvent):
    """Written by the timer 90 days after submission or the last review."""


@event("matter.ended")
class MatterEnded(MatterEvent):
    pass
