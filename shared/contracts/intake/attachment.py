"""What is kept with a case as a file: on the bus only its digest, size and type."""

from typing import Annotated

from pydantic import StringConstraints

from ..event import CaseId, Coded, Event, Id, Personal, PersonId, S, event

MediaType = Annotated[str, StringConstraints(pattern=r"^(image/jpeg|image/png|application/pdf)$")]


class AttachmentEvent(Event):
    TOPIC = "intake"
    STREAM = "attachment"
    attachment: Id
    case: CaseId


@event("attachment.added")
class AttachmentAdded(AttachmentEvent):
    """A file, sealed in intake under the key of `person`, or of the household if there is none.

    `digest` is SHA-256 of what is stored, so it tells nothing of the file; `size` is that of the file.
    """

    person: Annotated[PersonId | None, S] = None
    record: Annotated[Id | None, S] = None
    kind: Annotated[str, Coded("judgement")]
    title: Annotated[str | None, Personal("life_history")] = None
    media_type: Annotated[MediaType, S]
    size: Annotated[int, S]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), S]


@event("attachment.removed")
class AttachmentRemoved(AttachmentEvent):
    """The file is gone; that it was there, and why it went, stays."""

    reason: Annotated[str, Personal("judgement")]
