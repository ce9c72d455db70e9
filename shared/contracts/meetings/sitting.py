"""Sittings: convened, held or cancelled; one case on one agenda, and what was decided of it."""

from datetime import date
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
    S,
    event,
)
from .body import BodyCode


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
