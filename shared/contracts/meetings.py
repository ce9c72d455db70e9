"""Events of meetings: bodies and their members, matters, sittings, decisions."""

from datetime import date
from typing import Annotated

from .event import (
    Agencies,
    AgencyCode,
    CaseId,
    Coded,
    Event,
    Id,
    Moment,
    People,
    Personal,
    PersonId,
    S,
    Subject,
    event,
)

BodyCode = Annotated[str, S]


class BodyEvent(Event):
    TOPIC = "meetings"
    STREAM = "body"
    body: BodyCode
    member: Subject


@event("body.member_named")
class MemberNamed(BodyEvent):
    """A named person of an agency enters the pool; `secretariat` holds the body's files (L5a). `desk`: for
    as long as he sits at that desk of the agency, or of a programme that it runs.
    """

    agency: AgencyCode
    secretariat: Annotated[bool, S] = False
    desk: Annotated[AgencyCode | None, S] = None


@event("body.member_pledged")
class MemberPledged(BodyEvent):
    """The pledge of secrecy, for one fiscal year (April–March)."""

    fiscal_year: Annotated[int, S]


@event("body.member_left")
class MemberLeft(BodyEvent):
    pass


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


class MeetingEvent(Event):
    TOPIC = "meetings"
    STREAM = "meeting"
    meeting: Id


@event("meeting.convened")
class MeetingConvened(MeetingEvent):
    """A sitting. Its legal type comes from each body; the local name is another field, of a
    closed list: free text would stand in clear on the topic.
    """

    bodies: Annotated[tuple[BodyCode, ...], S]
    local_name: Annotated[str, S]
    host: AgencyCode
    planned_on: Annotated[date, S]
    invited: Agencies


@event("meeting.held")
class MeetingHeld(MeetingEvent):
    held_on: Annotated[date, S]
    attended: Agencies
    online: Annotated[bool, S] = False


@event("meeting.cancelled")
class MeetingCancelled(MeetingEvent):
    pass


class SittingEvent(Event):
    TOPIC = "meetings"
    STREAM = "sitting"
    meeting: Id
    case: CaseId


@event("sitting.item_added")
class AgendaItemAdded(SittingEvent):
    """One case on one agenda. `bases`: each discussed person's consents (L6), or the matter."""

    body: BodyCode
    subjects: People
    invited: Agencies
    bases: Annotated[tuple[Id, ...], S]
    matter: Annotated[Id | None, S] = None
    planned_at: Moment


@event("sitting.item_removed")
class AgendaItemRemoved(SittingEvent):
    """The basis ended before the sitting (L6); the chair is told."""


@event("sitting.decision_recorded")
class DecisionRecorded(SittingEvent):
    subjects: People = ()
    text: Annotated[str, Personal("judgement")]
    outcome: Annotated[str, Coded("judgement")]
