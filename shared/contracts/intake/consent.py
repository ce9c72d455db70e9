"""A consent: small events in a stream of its own."""

from typing import Annotated

from pydantic import AwareDatetime

from ..event import Agencies, AgencyCode, CaseId, Coded, Event, Id, Moment, PersonId, S, event


class ConsentEvent(Event):
    TOPIC = "intake"
    STREAM = "consent"
    consent: Id
    case: CaseId


@event("consent.recorded")
class ConsentRecorded(ConsentEvent):
    """One person's answer (L3–L4a). Granted covers `holders`, and the agencies that were in the
    pool of `group` when it began or of which the person was told since, less `excluded`.
    """

    person: PersonId
    status: Annotated[str, Coded("judgement")]
    classes: Annotated[tuple[str, ...], Coded("judgement")]
    purposes: Annotated[tuple[str, ...], Coded("judgement")]
    medium: Annotated[str, Coded("judgement")]
    holders: Agencies = ()
    group: Annotated[str | None, S] = None
    excluded: Agencies = ()
    begins: Moment
    until: Annotated[AwareDatetime | None, S] = None
    text_version: Annotated[str, S]


@event("consent.told_of_member")
class ConsentToldOfMember(ConsentEvent):
    """The person was told that `agency` joined the group, and did not refuse."""

    agency: AgencyCode


@event("consent.withdrawn")
class ConsentWithdrawn(ConsentEvent):
    """Small and structural, in a stream of its own: nothing can hold it up."""


@event("consent.expired")
class ConsentExpired(ConsentEvent):
    """Written by the timer at `until`."""
