"""Facts of a case: each sealed field of each event, with its subjects, class and recorder."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared.contracts import Coded, Event, Personal, Recorded, Unreadable, sealed_fields
from shared.contracts.event import DataClass
from shared.contracts.intake import (
    CaseAssessed,
    CaseClosed,
    CaseDisposed,
    CaseOpened,
    CaseReopened,
    CaseScreened,
    Contact,
    ContactCorrected,
    ContactRecorded,
    HealthRecorded,
    InvolvedRecorded,
    LeadAccepted,
    LeadDeclined,
    LeadOffered,
    LivingRecorded,
    NextActionDone,
    PersonDescribed,
    PersonFlagged,
    PersonJoined,
    PersonNoted,
    ReporterRecorded,
    SituationRecorded,
    UrgencyJudged,
    WorriesRecorded,
)
from shared.contracts.meetings import (
    DecisionRecorded,
    FactPromoted,
    MaterialSubmitted,
    MatterDecided,
    TaskAgreed,
    TaskCorrected,
    TaskDone,
    TaskDropped,
    TaskDueChanged,
    TaskReopened,
    TaskTerms,
    TaskTold,
)
from shared.contracts.referral import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralReceived,
    ReferralRequested,
    ServiceStarted,
)

FACT_EVENTS: tuple[type[Event], ...] = (
    CaseOpened,
    PersonJoined,
    PersonDescribed,
    PersonFlagged,
    SituationRecorded,
    LivingRecorded,
    HealthRecorded,
    WorriesRecorded,
    InvolvedRecorded,
    UrgencyJudged,
    ReporterRecorded,
    CaseScreened,
    CaseAssessed,
    LeadOffered,
    LeadAccepted,
    LeadDeclined,
    CaseClosed,
    CaseReopened,
    CaseDisposed,
    ContactRecorded,
    ContactCorrected,
    PersonNoted,
    NextActionDone,
    ReferralRequested,
    ReferralReceived,
    ReferralAccepted,
    ReferralDeclined,
    ServiceStarted,
    ReferralCompleted,
    DecisionRecorded,
    TaskAgreed,
    TaskCorrected,
    TaskDueChanged,
    TaskDone,
    TaskDropped,
    TaskReopened,
    MaterialSubmitted,
    MatterDecided,
    FactPromoted,
)


_TELL = frozenset(FACT_EVENTS)
"""To ask for the class of an event once, and not for each of these classes."""


class Fact(NamedTuple):
    """One field of one event of `case`. `matter` is set for what is sealed to a statutory body (L12).

    `slot` None: stands beside others; else the newest of a slot shows (L17).
    """

    case: UUID
    event: UUID
    field: str
    type: str
    data_class: DataClass
    value: Any
    subjects: frozenset[UUID]
    recorded_by: str
    occurred_at: datetime
    at: datetime
    not_to: frozenset[str] = frozenset()
    matter: UUID | None = None
    slot: tuple[str, str, str] | None = None
    actor: str = ""
    """Who recorded it, of that agency."""
    error_at: datetime | None = None
    """When it was recorded that it had been an error; nothing takes its place, and it has no value (L17)."""

    @property
    def age(self) -> tuple[datetime, datetime, UUID]:
        return self.occurred_at, self.at, self.event

    @property
    def person(self) -> UUID | None:
        """The one it is about, if it is about one."""
        return next(iter(self.subjects)) if len(self.subjects) == 1 else None


def people(events: Iterable[Recorded]) -> frozenset[UUID]:
    """The household members known in the case."""
    return frozenset(e.event.person for e in events if isinstance(e.event, PersonJoined))


def facts(events: Iterable[Recorded]) -> list[Fact]:
    """All facts of one case, from the set of its events in any order (L19).

    What is empty or erased is no fact, and nothing of a case that was disposed of is.
    """
    events = list(events)
    told = _telling(events)
    if any(type(e.event) is CaseDisposed for e in told):
        return []
    household = people(told)
    stand = {e.envelope.id for e in _standing(told).values()}
    return [fact for e in told if e.envelope.id in stand for fact in _facts(e, household)]


def replaced(events: Iterable[Recorded]) -> dict[UUID, UUID]:
    """Events that a later one of their stream replaced whole; each with the one that stands now."""
    told = _telling(events)
    stand = _standing(told)
    newest = {e.envelope.id: stand[_place(e)].envelope.id for e in told}
    return {old: new for old, new in newest.items() if old != new}


def errors(events: Iterable[Recorded]) -> list[Fact]:
    """What was told, taken back later, and has no value now, without what it said (L17)."""
    events = list(events)
    told = _telling(events)
    old = replaced(told)
    if not old or any(type(e.event) is CaseDisposed for e in told):
        return []
    household, of = people(told), {e.envelope.id: e for e in told}
    return [
        fact._replace(value=None, error_at=_taken_back(of[id], fact.field, told))
        for id, new in old.items()
        if not isinstance(of[id].event, PersonFlagged)
        for fact in _facts(of[id], household)
        if not _says(of[new], fact.field)
    ]


def corrects(type: str) -> bool:
    """Whether what such an event says takes the place of what the one before it said, field by field."""
    return type in (ContactCorrected.TYPE, PersonNoted.TYPE, TaskCorrected.TYPE)


def _says(recorded: Recorded, field: str) -> bool:
    """Whether it takes the place of what was said before in this field."""
    return corrects(recorded.envelope.type) and getattr(recorded.event, field) not in (None, ())


def _taken_back(old: Recorded, field: str, told: Iterable[Recorded]) -> datetime:
    """By the first after which nothing was said in its place any more."""
    place = _place(old)
    since = old
    for e in sorted((e for e in told if _place(e) == place), key=lambda e: e.envelope.version):
        if e.envelope.version > old.envelope.version and (since is old or _says(since, field)):
            since = e
    return since.envelope.at


class Outline(NamedTuple):
    """What a field of an event is, without its value."""

    type: str
    data_class: DataClass
    subjects: frozenset[UUID]

    @property
    def person(self) -> UUID | None:
        """The one it is about, if it is about one."""
        return next(iter(self.subjects)) if len(self.subjects) == 1 else None


def outlines(events: Iterable[Recorded]) -> dict[tuple[UUID, str], Outline]:
    """By event and field, of all that was ever told in one case, also what was erased."""
    told = _telling(events)
    household = people(told)
    return {
        (e.envelope.id, name): Outline(
            e.envelope.type, _class(e.event, mark), _subjects(e.event, mark, household)
        )
        for e in told
        for name, mark in sealed_fields(type(e.event)).items()
    }


def concerning(events: Iterable[Recorded], person: UUID) -> frozenset[tuple[UUID, str]]:
    """Event and field of all that was ever told of a person, alone or with others."""
    return frozenset(ref for ref, one in outlines(events).items() if person in one.subjects)


def _telling(events: Iterable[Recorded]) -> list[Recorded]:
    return [e for e in events if type(e.event) in _TELL]


def _standing(events: Iterable[Recorded]) -> dict[object, Recorded]:
    """By place, the event that no later one of its stream replaces whole (L17)."""
    found: dict[object, Recorded] = {}
    for e in events:
        place = _place(e)
        if place not in found or found[place].envelope.version < e.envelope.version:
            found[place] = e
    return found


def _place(recorded: Recorded) -> object:
    """A line of the 支援経過記録 is corrected whole, and so are the note of each person in it and a task;
    what was said of a task's end stands until it is open again.
    """
    match recorded.event:
        case TaskTerms(task=task):
            return task
        case TaskDone(task=task) | TaskDropped(task=task) | TaskReopened(task=task):
            return "end", task
        case Contact(record=record):
            return record
        case PersonNoted(record=record, person=person):
            return record, person
        case PersonFlagged(person=person):
            return "flags", person
        case _:
            return recorded.envelope.id


def _facts(recorded: Recorded, household: frozenset[UUID]) -> Iterator[Fact]:
    event, envelope = recorded.event, recorded.envelope
    matter = getattr(event, "matter", None) if _sealed_by_matter(event) else None
    not_to = frozenset(getattr(event, "not_to", ()))
    slot = None if event.SLOT is None else (event.TYPE, str(getattr(event, "person", "")))
    for name, mark in sealed_fields(type(event)).items():
        value = getattr(event, name)
        if value is None or value == () or isinstance(value, Unreadable):
            continue
        yield Fact(
            case=getattr(event, "case"),  # noqa: B009  every event with facts is of one case
            event=envelope.id,
            field=name,
            type=envelope.type,
            data_class="sealed" if matter else mark.data_class,
            value=value,
            subjects=_subjects(event, mark, household),
            recorded_by=envelope.agency,
            occurred_at=envelope.occurred_at,
            at=envelope.at,
            not_to=not_to,
            matter=matter,
            slot=slot and (*slot, name),
            actor=envelope.actor,
        )


def _class(event: Event, mark: Coded | Personal) -> DataClass:
    sealed = _sealed_by_matter(event) and getattr(event, "matter", None)
    return "sealed" if sealed else mark.data_class


def _sealed_by_matter(event: Event) -> bool:
    return isinstance(event, MaterialSubmitted | MatterDecided | SituationRecorded | TaskTold)


def _subjects(event: Event, mark: Coded | Personal, household: frozenset[UUID]) -> frozenset[UUID]:
    if isinstance(mark, Personal) and mark.of:
        return frozenset({getattr(event, mark.of)})
    person = getattr(event, "person", None)
    if person:
        return frozenset({person})
    return frozenset(getattr(event, "subjects", ())) or household
