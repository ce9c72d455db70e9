"""A referral (つなぎ): asked of an agency or one of its desks, received, answered, ended."""

from datetime import date
from typing import Annotated

from ..event import AgencyCode, CaseId, Coded, Event, Id, Personal, PersonId, S, event


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
