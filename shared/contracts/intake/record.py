"""The 支援経過記録 of a case."""

from typing import Annotated

from ..event import CaseId, Coded, Event, Id, People, Personal, event


@event("record.contact_recorded")
class ContactRecorded(Event):
    """One line of the 支援経過記録. Empty `subjects` means the whole household."""

    TOPIC = "intake"
    STREAM = "record"
    record: Id
    case: CaseId
    subjects: People = ()
    method: Annotated[str, Coded("life_history")]
    text: Annotated[str | None, Personal("life_history")] = None
