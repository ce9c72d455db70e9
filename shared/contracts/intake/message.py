"""Messages between agencies on a case (連絡): seen by the one who wrote and the one who was written to."""

from typing import Annotated
from uuid import UUID

from ..event import AgencyCode, CaseId, Coded, Event, Id, Personal, PersonId, S, Subject, event


class MessageEvent(Event):
    TOPIC = "intake"
    STREAM = "message"
    message: Id
    case: CaseId


@event("message.sent")
class MessageSent(MessageEvent):
    """`text` is of the whole household (L4)."""

    to: AgencyCode
    topic: Annotated[str, Coded("life_history")]
    text: Annotated[str | None, Personal("life_history")] = None
    answers: Annotated[UUID | None, S] = None


@event("message.person_told_of")
class PersonToldOf(MessageEvent):
    """What the message tells of one person only, in place of a text of the household."""

    person: PersonId
    text: Annotated[str, Personal("life_history", of="person")]


@event("message.read")
class MessageRead(MessageEvent):
    """The first of the addressee's staff has read it."""

    reader: Subject
