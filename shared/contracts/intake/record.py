"""The 支援経過記録 of a case: its lines, their corrections, who was to read them, what comes next."""

from datetime import date
from typing import Annotated

from ..event import CaseId, Coded, Event, Id, People, Personal, PersonId, S, Subject, event


class RecordEvent(Event):
    TOPIC = "intake"
    STREAM = "record"
    record: Id
    case: CaseId


class Contact(RecordEvent):
    """What a line says. Empty `subjects` means the whole household.

    `kind` tells support from enquiries and complaints; with `counterpart` (who was spoken to, by
    role) and `counterpart_name` it is kept as a reporter is (L22). `staff` took part, `minutes` it
    took, `next_on` is the day that is meant for the next action.
    """

    subjects: People = ()
    method: Annotated[str, Coded("life_history")]
    text: Annotated[str | None, Personal("life_history")] = None
    kind: Annotated[str | None, Coded("reporter")] = None
    counterpart: Annotated[str | None, Coded("reporter")] = None
    counterpart_name: Annotated[str | None, Personal("reporter")] = None
    staff: Annotated[tuple[Subject, ...], S] = ()
    minutes: Annotated[int | None, Coded("judgement")] = None
    next_action: Annotated[str | None, Personal("life_history")] = None
    next_on: Annotated[date | None, S] = None


@event("record.contact_recorded")
class ContactRecorded(Contact):
    """One line of the 支援経過記録, as it was first written."""


@event("record.contact_corrected")
class ContactCorrected(Contact):
    """The whole line as it should have been, and why (L17): no field of an earlier one stands.

    `occurred_at` is the time of the contact, corrected too where it was wrong.
    """

    reason: Annotated[str, Personal("judgement")]


@event("record.person_noted")
class PersonNoted(RecordEvent):
    """What the line tells of one person only; the newest stands, None takes it back."""

    person: PersonId
    text: Annotated[str | None, Personal("life_history", of="person")] = None


@event("record.circulated")
class RecordCirculated(RecordEvent):
    """Colleagues are asked to read the line (供覧)."""

    to: Annotated[tuple[Subject, ...], S]


@event("record.read")
class RecordRead(RecordEvent):
    """One of those who were asked has read the line."""

    reader: Subject


@event("record.next_action_done")
class NextActionDone(RecordEvent):
    note: Annotated[str | None, Personal("life_history")] = None
