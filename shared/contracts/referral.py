"""Events of referral: requests to an agency desk, and the directory of agencies."""

from datetime import date
from typing import Annotated

from .event import AgencyCode, CaseId, Coded, Event, Id, Personal, PersonId, S, event


class ReferralEvent(Event):
    TOPIC = "referral"
    STREAM = "referral"
    referral: Id
    case: CaseId
    person: PersonId


@event("referral.requested")
class ReferralRequested(ReferralEvent):
    """`bases` are the live consents that the request was decided on."""

    sender: AgencyCode
    receiver: AgencyCode
    classes: Annotated[tuple[str, ...], Coded("judgement")]
    need: Annotated[str, Personal("life_history", of="person")]
    urgency: Annotated[str, Coded("life_history")] = "standard"
    wished_on: Annotated[date | None, S] = None
    bases: Annotated[tuple[Id, ...], S]


@event("referral.received")
class ReferralReceived(ReferralEvent):
    pass


@event("referral.accepted")
class ReferralAccepted(ReferralEvent):
    first_contact_on: Annotated[date | None, S] = None


@event("referral.declined")
class ReferralDeclined(ReferralEvent):
    code: Annotated[str, Coded("welfare_use")]
    text: Annotated[str | None, Personal("welfare_use", of="person")] = None


@event("referral.service_started")
class ServiceStarted(ReferralEvent):
    first_contact_on: Annotated[date, S]


@event("referral.completed")
class ReferralCompleted(ReferralEvent):
    outcome: Annotated[str, Coded("welfare_use")]
    text: Annotated[str | None, Personal("welfare_use", of="person")] = None


@event("agency.registered")
class AgencyRegistered(Event):
    """A body in the directory. Newest wins. Names are of bodies, never of people."""

    TOPIC = "referral"
    STREAM = "agency"
    agency: AgencyCode
    name: Annotated[str, S]
    kind: Annotated[str, S]
    controller: Annotated[str, S]
    purposes: Annotated[tuple[str, ...], S]
    window: Annotated[bool, S] = False
