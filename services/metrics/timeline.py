"""The pure fold behind every figure: one fact a subject, each the fold of the subject's own stream.

Nothing is counted here. A fact says when what happened; figures are queries over facts, so a late or
a repeated event only restates them. Facts of different streams never meet, so they commute.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import (
    CaseClosed,
    CaseOpened,
    CaseReopened,
    ContactCorrected,
    ContactRecorded,
)
from shared.contracts.meetings import MeetingCancelled, MeetingConvened, MeetingHeld
from shared.contracts.metrics import CourseHeld, SurveyRecorded
from shared.contracts.referral import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralReceived,
    ReferralRequested,
    ServiceStarted,
)


@dataclass(frozen=True)
class Case:
    """Open at t when opened before t and closed before t no more often than reopened."""

    id: UUID
    version: int
    opened_at: datetime
    closed_at: tuple[datetime, ...] = ()
    reopened_at: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Contact:
    """One line of a 支援経過記録, as it was corrected last. A code is None where it was not said, or its
    key is gone; what is left then counts without it.
    """

    id: UUID
    version: int
    at: datetime
    kind: str | None = None
    method: str | None = None
    counterpart: str | None = None


@dataclass(frozen=True)
class Referral:
    """When it reached each state, as far as it came."""

    id: UUID
    version: int
    requested_at: datetime
    received_at: datetime | None = None
    accepted_at: datetime | None = None
    declined_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True)
class Meeting:
    """One sitting, for one body or several."""

    id: UUID
    version: int
    bodies: tuple[str, ...]
    held_on: date | None = None
    cancelled: bool = False


@dataclass(frozen=True)
class Survey:
    id: UUID
    version: int
    surveyed_on: date
    answered: int
    positive: int


@dataclass(frozen=True)
class Course:
    id: UUID
    version: int
    held_on: date
    completed: int


Fact = Case | Contact | Referral | Meeting | Survey | Course
FACTS: dict[str, type[Fact]] = {
    "case": Case,
    "record": Contact,
    "referral": Referral,
    "meeting": Meeting,
    "survey": Survey,
    "course": Course,
}
"""Kind of stream → the fact that it folds into. Other streams make no figure."""
FOLDED = frozenset(
    event.TYPE
    for event in (
        *(CaseOpened, CaseClosed, CaseReopened, ContactRecorded, ContactCorrected),
        *(ReferralRequested, ReferralReceived, ReferralAccepted, ReferralDeclined),
        *(ServiceStarted, ReferralCompleted, MeetingConvened, MeetingHeld, MeetingCancelled),
        *(SurveyRecorded, CourseHeld),
    )
)
"""Types of events that change a fact."""
CODED = frozenset((ContactRecorded.TYPE, ContactCorrected.TYPE))
"""Types of events of which the fold reads codes; nothing else that is sealed makes a figure."""


def evolve(fact: Fact | None, recorded: Recorded) -> Fact | None:
    """What is known of one subject after one more event of its stream; a repeat changes nothing.

    Structural fields are read, and codes of closed lists, whose keys metrics holds: no personal content.
    """
    version, at = recorded.envelope.version, recorded.envelope.occurred_at
    if fact and version <= fact.version:
        return fact
    match fact, recorded.event:
        case None, ContactRecorded() as e:
            return _line(e, version, at)
        case Contact(), ContactCorrected() as e:
            return _line(e, version, at)
        case None, CaseOpened() as e:
            return Case(e.case, version, at)
        case Case(), CaseClosed():
            return replace(fact, version=version, closed_at=(*fact.closed_at, at))
        case Case(), CaseReopened():
            return replace(fact, version=version, reopened_at=(*fact.reopened_at, at))
        case None, ReferralRequested() as e:
            return Referral(e.referral, version, at)
        case Referral(), ReferralReceived():
            return replace(fact, version=version, received_at=at)
        case Referral(), ReferralAccepted():
            return replace(fact, version=version, accepted_at=at)
        case Referral(), ReferralDeclined():
            return replace(fact, version=version, declined_at=at)
        case Referral(), ServiceStarted():
            return replace(fact, version=version, started_at=at)
        case Referral(), ReferralCompleted():
            return replace(fact, version=version, completed_at=at)
        case None, MeetingConvened() as e:
            return Meeting(e.meeting, version, tuple(dict.fromkeys(e.bodies)))
        case Meeting(), MeetingHeld(held_on=held_on):
            return replace(fact, version=version, held_on=held_on)
        case Meeting(), MeetingCancelled():
            return replace(fact, version=version, cancelled=True)
        case None, SurveyRecorded() as e:
            return Survey(e.survey, version, e.surveyed_on, e.answered, e.positive)
        case None, CourseHeld() as e:
            return Course(e.course, version, e.held_on, e.completed)
        case _:
            return fact


def _line(e: ContactRecorded | ContactCorrected, version: int, at: datetime) -> Contact:
    codes = [code if isinstance(code, str) else None for code in (e.kind, e.method, e.counterpart)]
    return Contact(e.record, version, at, *codes)


def fold(known: Mapping[str, Fact], events: Iterable[Recorded]) -> dict[str, Fact]:
    """Facts by stream, after these events: those of one stream in order, streams in any order."""
    facts = dict(known)
    for recorded in events:
        stream = recorded.envelope.stream
        if fact := evolve(facts.get(stream), recorded):
            facts[stream] = fact
    return facts
