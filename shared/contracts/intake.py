"""Events of intake: the case and its つなぐシート, contacts, consents."""

from typing import Annotated

from pydantic import AwareDatetime

from .event import AgencyCode, CaseId, Coded, Event, Id, Moment, Personal, PersonId, S, event

Agencies = Annotated[tuple[AgencyCode, ...], S]
People = Annotated[tuple[PersonId, ...], S]


class CaseEvent(Event):
    TOPIC = "intake"
    STREAM = "case"
    case: CaseId


@event("case.opened")
class CaseOpened(CaseEvent):
    """First contact. `lead` holds the case (主担当); route and reporter are L22."""

    household: Id
    lead: AgencyCode
    route: Annotated[str, Coded("reporter")]
    reporter: Annotated[str | None, Personal("reporter")] = None


@event("case.person_joined")
class PersonJoined(CaseEvent):
    """A member of the household enters the case. `relation` is to the key person (本人)."""

    person: PersonId
    relation: Annotated[str, Coded("contact")]


@event("case.person_described")
class PersonDescribed(CaseEvent):
    """Who a person is. None says nothing: an earlier value stands."""

    SLOT = "person"
    person: PersonId
    name: Annotated[str | None, Personal("contact", of="person")] = None
    kana: Annotated[str | None, Personal("contact", of="person")] = None
    sex: Annotated[str | None, Coded("contact")] = None
    birth: Annotated[str | None, Personal("contact", of="person")] = None
    address: Annotated[str | None, Personal("contact", of="person")] = None
    phone: Annotated[str | None, Personal("contact", of="person")] = None
    living_with: Annotated[tuple[str, ...] | None, Coded("contact")] = None
    not_to: Agencies = ()


@event("case.situation_recorded")
class SituationRecorded(CaseEvent):
    """The short summary of one person, class by class: what consent can share (L4).

    `matter` names the statutory matter where it was heard; the fact is then sealed (L12).
    """

    SLOT = "person"
    person: PersonId
    health: Annotated[str | None, Personal("health_disability", of="person")] = None
    work: Annotated[str | None, Personal("work_school", of="person")] = None
    money: Annotated[str | None, Personal("money", of="person")] = None
    welfare_use: Annotated[str | None, Personal("welfare_use", of="person")] = None
    history: Annotated[str | None, Personal("life_history", of="person")] = None
    source: Annotated[str, Coded("judgement")] = "person"
    matter: Annotated[Id | None, S] = None
    not_to: Agencies = ()


@event("case.worries_recorded")
class WorriesRecorded(CaseEvent):
    """What brought them. Empty `subjects` means the whole household (L4)."""

    SLOT = "case"
    subjects: People = ()
    concerns: Annotated[tuple[str, ...], Coded("life_history")]
    main_concern: Annotated[str | None, Coded("life_history")] = None
    text: Annotated[str | None, Personal("life_history")] = None
    wishes: Annotated[str | None, Personal("life_history")] = None


@event("case.screened")
class CaseScreened(CaseEvent):
    outcome: Annotated[str, Coded("judgement")]
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.closed")
class CaseClosed(CaseEvent):
    reason: Annotated[str, Coded("judgement")]
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.reopened")
class CaseReopened(CaseEvent):
    note: Annotated[str | None, Personal("judgement")] = None


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
