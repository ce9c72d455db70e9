"""The case and its つなぐシート."""

from typing import Annotated

from ..event import (
    Agencies,
    AgencyCode,
    CaseId,
    Coded,
    Event,
    Id,
    People,
    Personal,
    PersonId,
    S,
    Subject,
    event,
)


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
    """Who a person is. None says nothing: an earlier value stands.

    `birth` is YYYY, YYYY-MM or YYYY-MM-DD, as much as is known; `sex` is ISO 5218, `gender` the
    person's own word; `common_name` 通称名, `former_name` 旧氏.
    """

    SLOT = "person"
    person: PersonId
    name: Annotated[str | None, Personal("contact", of="person")] = None
    kana: Annotated[str | None, Personal("contact", of="person")] = None
    common_name: Annotated[str | None, Personal("contact", of="person")] = None
    former_name: Annotated[str | None, Personal("contact", of="person")] = None
    gender: Annotated[str | None, Personal("contact", of="person")] = None
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


@event("case.living_recorded")
class LivingRecorded(CaseEvent):
    """Work, housing, insurance and income of one person."""

    SLOT = "person"
    person: PersonId
    work: Annotated[str | None, Coded("work_school")] = None
    housing: Annotated[str | None, Coded("life_history")] = None
    insurance: Annotated[str | None, Coded("welfare_use")] = None
    pension: Annotated[str | None, Coded("money")] = None
    income: Annotated[str | None, Personal("money", of="person")] = None
    not_to: Agencies = ()


@event("case.health_recorded")
class HealthRecorded(CaseEvent):
    """Disability handbooks, care level, illness and doctor of one person."""

    SLOT = "person"
    person: PersonId
    handbooks: Annotated[tuple[str, ...] | None, Coded("health_disability")] = None
    care_level: Annotated[str | None, Coded("health_disability")] = None
    illness: Annotated[str | None, Personal("health_disability", of="person")] = None
    clinic: Annotated[str | None, Personal("health_disability", of="person")] = None
    not_to: Agencies = ()


@event("case.involved_recorded")
class InvolvedRecorded(CaseEvent):
    """Agencies that help already, in the words of who tells it. Empty `subjects`: the household."""

    SLOT = "case"
    subjects: People = ()
    agencies: Annotated[tuple[str, ...], Personal("welfare_use")]


@event("case.urgency_judged")
class UrgencyJudged(CaseEvent):
    SLOT = "case"
    urgency: Annotated[str, Coded("judgement")]
    reason: Annotated[str | None, Personal("judgement")] = None


@event("case.reporter_recorded")
class ReporterRecorded(CaseEvent):
    """Who told of the case, by which way (L22)."""

    SLOT = "case"
    route: Annotated[str | None, Coded("reporter")] = None
    relation: Annotated[str | None, Coded("reporter")] = None
    name: Annotated[str | None, Personal("reporter")] = None
    phone: Annotated[str | None, Personal("reporter")] = None


@event("case.screened")
class CaseScreened(CaseEvent):
    outcome: Annotated[str, Coded("judgement")]
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.assessed")
class CaseAssessed(CaseEvent):
    """The assessment of one person. `facts` and `wishes` are as they were told; `needs` and
    `challenges` (課題と特性) are what the worker makes of them. None says nothing: an earlier value
    stands.
    """

    SLOT = "person"
    person: PersonId
    facts: Annotated[str | None, Personal("life_history", of="person")] = None
    wishes: Annotated[str | None, Personal("life_history", of="person")] = None
    needs: Annotated[str | None, Personal("judgement", of="person")] = None
    challenges: Annotated[tuple[str, ...] | None, Coded("judgement")] = None
    not_to: Agencies = ()


@event("case.coordinator_named")
class CoordinatorNamed(CaseEvent):
    """Who leads a multi-agency case (いこまる主任推進員); no basis in itself (L9)."""

    coordinator: Subject
    agency: AgencyCode


@event("case.coordinator_relieved")
class CoordinatorRelieved(CaseEvent):
    coordinator: Subject


@event("case.lead_offered")
class LeadOffered(CaseEvent):
    """The lead agency asks another to take the case over (主担当の引継ぎ, L9)."""

    to: AgencyCode
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.lead_accepted")
class LeadAccepted(CaseEvent):
    """From here on `lead` holds the case: there is always exactly one."""

    lead: AgencyCode


@event("case.lead_declined")
class LeadDeclined(CaseEvent):
    to: AgencyCode
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.closed")
class CaseClosed(CaseEvent):
    reason: Annotated[str, Coded("judgement")]
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.reopened")
class CaseReopened(CaseEvent):
    note: Annotated[str | None, Personal("judgement")] = None


@event("case.item_protected")
class ItemProtected(CaseEvent):
    """Only `named` agencies see this item of the person, whatever bases live (L11). Newest replaces."""

    person: PersonId
    item: Annotated[str, Coded("judgement")]
    named: Agencies = ()


@event("case.protection_lifted")
class ProtectionLifted(CaseEvent):
    person: PersonId
    item: Annotated[str, Coded("judgement")]


@event("case.person_flagged")
class PersonFlagged(CaseEvent):
    """All that stands of a person now: newest replaces. Dead: no consent gives anything new (L4a);
    suspected abuse or a conflict of interest: no proxy acts (L22). Codes, so that no topic tells it.
    """

    SLOT = "person"
    person: PersonId
    flags: Annotated[tuple[str, ...], Coded("judgement")]
