"""What was disclosed to whom on which basis; receipts, readings, retractions."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from ..event import AgencyCode, CaseId, Event, Id, S, event


class BasisRef(BaseModel):
    """`id`: of the consent, ground or matter; of an own record the agency that holds it, and the
    `programme` under which it does, if it is not in its own right (L2).
    """

    model_config = ConfigDict(frozen=True)
    kind: Literal["own_record", "consent", "matter", "urgent", "ground"]
    id: str
    programme: str | None = None


class ItemRef(BaseModel):
    """One disclosed fact by reference: never its content. `warned`: only that it is protected (L11).

    `told`: to an agency that held the value before, that this one corrects it; or, in the place of the
    value, that it was recorded in error and nothing takes its place (L17).
    """

    model_config = ConfigDict(frozen=True)
    event: Id
    field: str
    bases: tuple[BasisRef, ...]
    warned: bool = False
    told: Literal["corrected", "recorded_in_error"] | None = None

    @property
    def bare(self) -> bool:
        """Whether it stands in the place of the value and does not show it."""
        return self.warned or self.told == "recorded_in_error"


class DisclosureEvent(Event):
    TOPIC = "views"
    STREAM = "disclosure"
    agency: AgencyCode
    case: CaseId


@event("disclosure.changed")
class DocumentChanged(DisclosureEvent):
    """The document of one agency on one case has another content from now on (L16).

    `document` counts the versions of the document, 1, 2, 3 …. `withdrawn`: what it showed before and
    no basis gives any more, with the bases it had; the agency is to confirm that it gave it back
    (L15). What a newer value replaces is corrected, not withdrawn (L17).
    """

    document: Annotated[int, S]
    items: Annotated[tuple[ItemRef, ...], S]
    digest: Annotated[str, S]
    cause: Annotated[Literal["content_changed", "content_ended"], S]
    withdrawn: Annotated[tuple[ItemRef, ...], S] = ()


@event("disclosure.receipt_recorded")
class ReceiptRecorded(DisclosureEvent):
    """`checked`: the digest that came with it is that of what was sent."""

    document: Annotated[int, S]
    grade: Annotated[Literal["delivered", "placed", "opened"], S]
    checked: Annotated[bool, S] = False


@event("disclosure.receipt_refused")
class ReceiptRefused(DisclosureEvent):
    """The digest that came with it is not that of what was sent: the agency holds something else."""

    document: Annotated[int, S]
    grade: Annotated[Literal["delivered", "placed", "opened"], S]


@event("disclosure.not_taken")
class DocumentNotTaken(DisclosureEvent):
    """The agency's topic does not take this document: it is larger than a record may be. `emptied`: it
    withdrew something, so one without content is sent under its number; the whole is read over HTTP.
    """

    document: Annotated[int, S]
    emptied: Annotated[bool, S]


@event("disclosure.retraction_confirmed")
class RetractionConfirmed(DisclosureEvent):
    """The agency deleted what was retracted, or keeps it in its own record with `kept` as ground."""

    document: Annotated[int, S]
    kept: Annotated[str | None, S] = None


@event("disclosure.retraction_overdue")
class RetractionOverdue(DisclosureEvent):
    """The agency did not confirm in time that it gave back what this document withdrew."""

    document: Annotated[int, S]


@event("disclosure.reading_recorded")
class ReadingRecorded(DisclosureEvent):
    """A named person opened a document or sealed facts over HTTP (L21); ce_actor says who. `document`:
    the number of the one that was answered; None for sealed facts and for what was known before.
    """

    items: Annotated[tuple[ItemRef, ...], S]
    document: Annotated[int | None, S] = None


@event("disclosure.reading_refused")
class ReadingRefused(DisclosureEvent):
    """To a person who was called for a matter of the case, or asked, or is of its body's office, nothing
    sealed was open (L21): not pledged, left, or the matter ended; ce_actor says who.
    """


@event("disclosure.page_printed")
class PagePrinted(DisclosureEvent):
    """A member of the agency printed its document; the copy bears this number and ce_actor's name (L21)."""

    document: Annotated[int, S]
    copy_number: Annotated[int, S]
