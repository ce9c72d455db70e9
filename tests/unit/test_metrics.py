"""Metrics: its inputs, the plan's indicators, and the figures of a year made by hand."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from operate.stack import Stack
from services.metrics import SERVICE
from services.metrics.api import NewCourse, NewSurvey
from services.metrics.catch_up import _leaves_out
from services.metrics.domain import entry
from services.metrics.domain.indicator import indicators
from services.metrics.view import LISTS, STATES, Year, project, year
from shared import db as databases
from shared.broker import TopicPartition
from shared.contracts import Event, Recorded
from shared.contracts.codes import bodies, labels
from shared.contracts.intake import CaseClosed, CaseReopened
from shared.contracts.meetings import MeetingCancelled, MeetingHeld
from shared.contracts.metrics import CourseHeld, SurveyRecorded
from shared.contracts.referral import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralReceived,
    ServiceStarted,
)
from shared.db import Connection
from shared.follow import Record
from tests.unit._given import given
from tests.unit.test_timeline import REFERRAL, SHUT, contact, convened, opened, requested, stream

SURVEY = SurveyRecorded(survey=UUID(int=1), surveyed_on=date(2026, 6, 1), answered=8, positive=3)
COURSE = CourseHeld(course=UUID(int=2), held_on=date(2026, 6, 1), completed=12)


@pytest.mark.parametrize("event", [SURVEY, COURSE])
def test_an_input_is_written_once(event: SurveyRecorded | CourseHeld) -> None:
    given(entry.DECIDER).when(event).then(event)
    given(entry.DECIDER, event).when(event).refused("entry-is-written")


def test_a_survey_has_no_more_yes_than_answers() -> None:
    NewSurvey(surveyed_on=date(2026, 6, 1), answered=8, positive=8)
    for answered, positive in ((8, 9), (0, 0), (8, -1)):
        with pytest.raises(ValidationError):
            NewSurvey(surveyed_on=date(2026, 6, 1), answered=answered, positive=positive)
    with pytest.raises(ValidationError):
        NewCourse(held_on=date(2026, 6, 1), completed=-1)


def test_the_indicators_are_the_plan() -> None:
    plan = indicators()
    assert {id: (i.base, i.target, i.target_fiscal_year) for id, i in plan.items()} == {
        "I": (12, 30, 2027),
        "II": (42.5, 46.5, 2027),
        "III": (1646, 1900, 2027),
    }
    assert plan["III"].counting.opening_balance == 1646
    assert not any(i.confirmed for i in plan.values())
    assert set(STATES) > {"requested", "declined", "completed"}
    assert SERVICE.follows_by_itself


def record(partition: int, offset: int) -> Record:
    return Record("intake", partition, offset, None, None, ())


def test_a_position_may_not_jump_over_a_record() -> None:
    at = {TopicPartition("intake", 0): 7}
    assert not _leaves_out([record(0, 7), record(0, 8), record(1, 0)], dict(at))
    assert not _leaves_out([record(0, 5), record(0, 6), record(0, 7)], dict(at))
    assert _leaves_out([record(0, 8)], dict(at))
    assert _leaves_out([record(0, 7), record(0, 9)], dict(at))
    assert _leaves_out([record(1, 1)], dict(at))


# Figures are SQL: they are asked of PostgreSQL.


@pytest.fixture
async def facts(servers: Stack) -> AsyncIterator[Connection]:
    """Empty tables of facts, gone after the test."""
    db = await databases.connect(servers.database_url("metrics", "metrics"))
    change = db.transaction()
    await change.start()
    name = f"figures_{uuid4().hex}"
    await db.execute(f"create schema {name}")
    await db.execute(f"set local search_path to {name}")
    await db.execute(SERVICE.view(None).ddl.read_text("utf-8"))  # type: ignore[arg-type]
    yield db
    await change.rollback()
    await db.close()


def case(
    n: int, at: float, *turns: tuple[float, type[CaseClosed | CaseReopened]]
) -> list[Recorded]:
    id = UUID(int=n)
    events: list[tuple[float, Event]] = [(at, opened(id))]
    for when, turn in turns:
        events.append((when, turn.model_validate({"case": id, "reason": SHUT})))
    return stream(f"case/{id}", *events)


def line(n: int, at: float) -> list[Recorded]:
    return stream(f"record/{UUID(int=n)}", (at, contact(UUID(int=n))))


def referral(n: int, at: float, *stages: tuple[float, str]) -> list[Recorded]:
    of: dict[str, Any] = REFERRAL | {"referral": UUID(int=n)}
    made: dict[str, Event] = {
        "received": ReferralReceived(**of),
        "accepted": ReferralAccepted(**of),
        "declined": ReferralDeclined(**of, code=SHUT),
        "in_progress": ServiceStarted(**of, first_contact_on=date(2026, 5, 1)),
        "completed": ReferralCompleted(**of, outcome=SHUT),
    }
    events = [(at, requested(**of)), *((when, made[stage]) for when, stage in stages)]
    return stream(f"referral/{of['referral']}", *events)


def meeting(n: int, held_on: date | None, *of: str, cancelled: bool = False) -> list[Recorded]:
    id = UUID(int=n)
    events: list[tuple[float, Event]] = [(0, convened(id, *of))]
    if held_on:
        events.append((1, MeetingHeld(meeting=id, held_on=held_on, attended=())))
    if cancelled:
        events.append((1, MeetingCancelled(meeting=id)))
    return stream(f"meeting/{id}", *events)


def survey(n: int, on: date, answered: int, positive: int) -> list[Recorded]:
    id = UUID(int=n)
    event = SurveyRecorded(survey=id, surveyed_on=on, answered=answered, positive=positive)
    return stream(f"survey/{id}", (500, event))


def course(n: int, on: date, completed: int) -> list[Recorded]:
    id = UUID(int=n)
    return stream(f"course/{id}", (500, CourseHeld(course=id, held_on=on, completed=completed)))


def a_year() -> list[Recorded]:
    """Days count from 1 April 2026, nine o'clock in Tokyo; -1 lies in fiscal year 2025, 365 in 2027."""
    streams = [
        # open at the end of 2026: 1 (reopened), 2, 5 (closed in 2027 only)
        case(1, 0, (10, CaseClosed), (20, CaseReopened)),
        case(2, -0.5),  # 31 March, 21:00 in Tokyo
        case(3, -0.3, (30, CaseClosed)),  # 1 April, 01:48 in Tokyo, still 31 March in UTC
        case(4, 5, (5, CaseClosed), (5, CaseReopened), (5, CaseClosed)),  # all at one moment
        case(5, 100, (365, CaseClosed)),
        case(6, 365),
        line(11, 0),
        line(12, 364),
        line(13, -1),
        line(14, 365),
        referral(21, 1),
        referral(22, 1, (2, "received")),
        referral(23, 1, (2, "received"), (3, "accepted"), (366, "in_progress")),
        referral(24, 1, (2, "received"), (3, "declined")),
        referral(25, 1, (2, "received"), (3, "accepted"), (7.9, "in_progress")),
        referral(26, 1, (1, "received"), (1, "accepted"), (4, "in_progress"), (9, "completed")),
        referral(27, 1, (1, "received"), (1, "accepted"), (1.1, "in_progress")),
        referral(28, 1, (1, "received"), (1, "accepted"), (2, "in_progress")),
        referral(29, 366),
        meeting(31, date(2026, 4, 1), "juso"),
        meeting(32, date(2027, 3, 31), "shien-106-6"),
        meeting(33, date(2026, 6, 1), "juso", "shien-106-6", "sodankai"),  # one sitting
        meeting(34, date(2026, 6, 2), "sodankai"),
        meeting(35, date(2026, 6, 3), "shien-9"),
        meeting(36, date(2026, 3, 31), "juso"),
        meeting(37, date(2027, 4, 1), "juso"),
        meeting(38, None, "juso"),
        meeting(39, None, "juso", cancelled=True),
        survey(41, date(2026, 5, 1), 1000, 999),
        survey(42, date(2027, 1, 15), 1600, 689),  # 43.0625
        survey(43, date(2027, 4, 1), 10, 1),
        course(51, date(2025, 10, 1), 40),
        course(52, date(2026, 4, 1), 25),
        course(53, date(2027, 3, 31), 8),
        course(54, date(2027, 4, 1), 3),
    ]
    return [event for events in streams for event in events]


def lines(unknown: int, by_month: dict[str, int]) -> dict[str, dict[str, int]]:
    """Of records whose codes were not said or stay shut."""
    said = {by: dict.fromkeys(labels(name), 0) for by, name in LISTS.items()}
    months = [f"2026-{n:02}" for n in range(4, 13)] + [f"2027-{n:02}" for n in range(1, 4)]
    told = {by: codes | ({"unknown": unknown} if unknown else {}) for by, codes in said.items()}
    return {"month": dict.fromkeys(months, 0) | by_month, **told}


YEAR = Year(
    sittings=3,
    combined=1,
    meetings={"juso": 2, "shien-106-6": 2, "shien-9": 1, "sodankai": 2, "chosei-27-3": 0},
    share=43.1,
    completed=73,
    contacts=6,
    records=lines(2, {"2026-04": 1, "2027-03": 1}),
    cases_opened=4,
    cases_open=3,
    referrals={
        "requested": 1, "received": 1, "accepted": 1, "declined": 1, "in_progress": 3,
        "completed": 1,
    },
    days=2.0,
)  # fmt: skip


async def test_the_figures_of_a_year_made_by_hand(facts: Connection) -> None:
    await project(facts, a_year())
    assert await year(facts, 2026) == YEAR


async def test_each_year_has_its_own(facts: Connection) -> None:
    await project(facts, a_year())
    before, after = await year(facts, 2025), await year(facts, 2027)
    assert (before.sittings, before.share, before.completed, before.cases_open) == (1, None, 40, 1)
    assert (after.sittings, after.share, after.completed, after.cases_open) == (1, 10.0, 76, 3)
    assert (before.contacts, after.contacts) == (2, 2)
    assert (before.referrals["requested"], after.referrals["requested"]) == (0, 1)


async def test_an_empty_year(facts: Connection) -> None:
    assert await year(facts, 2026) == Year(
        0,
        0,
        dict.fromkeys(bodies(date(2027, 3, 31)), 0),
        None,
        0,
        0,
        lines(0, {}),
        0,
        0,
        dict.fromkeys(STATES, 0),
        None,
    )


async def test_the_first_event_of_a_stream_of_no_subject_is_refused(facts: Connection) -> None:
    """So it is parked, and seen."""
    with pytest.raises(ValueError, match="UUID"):
        await project(facts, stream("case/poison-1", (0, opened(UUID(int=9)))))


async def test_batches_repeats_and_late_events_only_restate(facts: Connection) -> None:
    events = a_year()
    events.sort(key=lambda e: (e.envelope.version, e.envelope.stream))  # far from one by one
    for n in range(0, len(events), 7):
        await project(facts, events[n : n + 7])
        await project(facts, events[n : n + 7])
    assert await year(facts, 2026) == YEAR
    await project(facts, meeting(61, date(2026, 12, 1), "juso"))
    assert (await year(facts, 2026)).sittings == 4
