"""A consent: small events in a stream of its own."""

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime

from ..event import (
    Agencies,
    AgencyCode,
    CaseId,
    Coded,
    Event,
    Id,
    Moment,
    Personal,
    PersonId,
    S,
    Subject,
    event,
)


class ConsentEvent(Event):
    TOPIC = "intake"
    STREAM = "consent"
    consent: Id
    case: CaseId


@event("consent.recorded")
class ConsentRecorded(ConsentEvent):
    """One person's answer (L3–L4a). Granted covers `holders`, and the agencies that were in the
    pool of `group` when it began or of which the person was told since, less `excluded`.

    `explained_by` explained the text of `text_version`. `assessed_by` found on `assessed_on` that the
    person cannot consent (L4a: no consent), to be looked at again on `review_on`. `proxy` is the kind
    of who answered in the person's place, `proxy_scope` the classes and the dates what his paper
    allows; `own_view` is then the person's own word.
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
    explained_by: Annotated[Subject | None, S] = None
    signed_on: Annotated[date | None, S] = None
    own_view: Annotated[str | None, Personal("judgement", of="person")] = None
    assessed_by: Annotated[str | None, Personal("judgement", of="person")] = None
    assessed_on: Annotated[date | None, Personal("judgement", of="person")] = None
    review_on: Annotated[date | None, Personal("judgement", of="person")] = None
    proxy: Annotated[str | None, Coded("judgement")] = None
    proxy_name: Annotated[str | None, Personal("judgement", of="person")] = None
    proxy_document: Annotated[str | None, Personal("judgement", of="person")] = None
    proxy_scope: Annotated[tuple[str, ...], Coded("judgement")] = ()
    proxy_from: Annotated[date | None, Personal("judgement", of="person")] = None
    proxy_until: Annotated[date | None, Personal("judgement", of="person")] = None


@event("consent.told_of_member")
class ConsentToldOfMember(ConsentEvent):
    """The person was told that `agency` joined the group, and did not refuse."""

    agency: AgencyCode


@event("consent.narrowed")
class ConsentNarrowed(ConsentEvent):
    """From now on without these agencies and classes, and over at `until`: only ever smaller. A wider
    scope is a new consent.
    """

    excluded: Agencies = ()
    dropped: Annotated[tuple[str, ...], Coded("judgement")] = ()
    until: Annotated[AwareDatetime | None, S] = None


@event("consent.withdrawn")
class ConsentWithdrawn(ConsentEvent):
    """Small and structural, in a stream of its own: nothing can hold it up."""


@event("consent.expired")
class ConsentExpired(ConsentEvent):
    """Written by the timer at `until`."""
