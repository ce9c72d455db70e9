"""The fold behind the figures: stage by stage, and that order between streams, batches and repeats
do not matter."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.timeline import Case, Contact, Course, Meeting, Referral, Survey, fold
from shared.contracts import ERASED, Envelope, Event, Recorded
from shared.contracts import SHUT as WHAT_METRICS_CANNOT_OPEN
from shared.contracts.intake import (
    CaseClosed,
    CaseOpened,
    CaseReopened,
    CaseScreened,
    CasesMerged,
    ConsentWithdrawn,
    ContactCorrected,
    ContactRecorded,
    MergeUndone,
    PersonJoined,
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

SHUT: Any = WHAT_METRICS_CANNOT_OPEN
FIRST = datetime(2026, 4, 1, tzinfo=UTC)
CASE, OTHER, PERSON = UUID(int=1), UUID(int=2), UUID(int=9)
REFERRAL: dict[str, Any] = {"referral": UUID(int=3), "case": CASE, "person": PERSON}


def day(n: float) -> datetime:
    return FIRST + timedelta(days=n)


def stream(name: str, *events: tuple[float, Event]) -> list[Recorded]:
    """One stream: each event with the day on which it occurred."""
    key = name.partition("/")[2]
    return [
        Recorded(
            event,
            Envelope(
                id=UUID(int=version),
                stream=name,
                version=version,
                key=key,
                type=event.TYPE,
                at=day(400),
                occurred_at=day(at),
                actor="tanaka",
                agency="city-fukushi",
                correlation=UUID(int=7),
            ),
            {},
        )
        for version, (at, event) in enumerate(events, 1)
    ]


def opened(case: UUID = CASE, route: Any = SHUT) -> CaseOpened:
    return CaseOpened(case=case, household=OTHER, lead="city-fukushi", route=route)


def requested(**of: Any) -> ReferralRequested:
    return ReferralRequested(
        **(REFERRAL | of), sender="a", receiver="b", classes=SHUT, need=SHUT, bases=()
    )


def contact(record: UUID, method: Any = SHUT, **more: Any) -> ContactRecorded:
    return ContactRecorded(record=record, case=CASE, method=method, **more)


def convened(meeting: UUID, *bodies: str) -> MeetingConvened:
    return MeetingConvened(
        meeting=meeting, bodies=bodies, local_name="定例", host="a", planned_on=date(2026, 5, 1),
        invited=("b",),
    )  # fmt: skip


def alone(events: Iterable[Recorded]) -> Any:
    """The one fact of one stream."""
    (fact,) = fold({}, events).values()
    return fact


def test_a_case_keeps_every_closing_and_reopening() -> None:
    events = stream(
        f"case/{CASE}",
        (0, opened()),
        (0, PersonJoined(case=CASE, person=PERSON, relation=SHUT)),
        (3, CaseScreened(case=CASE, outcome=SHUT)),
        (5, CaseClosed(case=CASE, reason=SHUT)),
        (8, CaseReopened(case=CASE)),
        (9, CaseClosed(case=CASE, reason=SHUT)),
    )
    assert alone(events) == Case(CASE, 6, day(0), (day(5), day(9)), (day(8),))


def test_what_is_sealed_or_erased_makes_no_difference() -> None:
    for route in (SHUT, ERASED, "person_phone"):
        assert alone(stream(f"case/{CASE}", (0, opened(route=route)))) == Case(CASE, 1, day(0))


STAGES: list[tuple[Event, dict[str, datetime]]] = [
    (ReferralReceived(**REFERRAL), {"received_at": day(1)}),
    (ReferralAccepted(**REFERRAL), {"accepted_at": day(2)}),
    (ServiceStarted(**REFERRAL, first_contact_on=date(2026, 4, 3)), {"started_at": day(3)}),
    (ReferralCompleted(**REFERRAL, outcome=SHUT), {"completed_at": day(4)}),
]


@pytest.mark.parametrize("reached", range(5))
def test_a_referral_knows_when_it_reached_each_state(reached: int) -> None:
    events = [(0.0, requested()), *((n + 1.0, e) for n, (e, _) in enumerate(STAGES[:reached]))]
    expected: dict[str, datetime] = {}
    for _, field in STAGES[:reached]:
        expected |= field
    name = f"referral/{REFERRAL['referral']}"
    assert alone(stream(name, *events)) == Referral(
        REFERRAL["referral"], reached + 1, day(0), **expected
    )


def test_a_declined_referral() -> None:
    declined = ReferralDeclined(**REFERRAL, code=SHUT)
    fact = alone(stream("referral/r", (0, requested()), (2, declined)))
    assert fact == Referral(REFERRAL["referral"], 2, day(0), declined_at=day(2))


def test_a_meeting_counts_by_the_day_it_was_held_on_and_a_body_once() -> None:
    held = MeetingHeld(meeting=CASE, held_on=date(2026, 5, 8), attended=("b",))
    events = stream("meeting/m", (0, convened(CASE, "juso", "juso", "sodankai")), (60, held))
    assert alone(events) == Meeting(CASE, 2, ("juso", "sodankai"), date(2026, 5, 8))


def test_a_cancelled_meeting_says_so() -> None:
    cancelled = MeetingCancelled(meeting=CASE)
    fact = alone(stream("meeting/m", (0, convened(CASE, "juso")), (1, cancelled)))
    assert fact == Meeting(CASE, 2, ("juso",), cancelled=True)


def test_the_small_facts() -> None:
    survey = SurveyRecorded(survey=CASE, surveyed_on=date(2026, 6, 1), answered=8, positive=3)
    course = CourseHeld(course=CASE, held_on=date(2026, 6, 1), completed=12)
    assert alone(stream("record/r", (2, contact(CASE)))) == Contact(CASE, 1, day(2))
    assert alone(stream("survey/s", (2, survey))) == Survey(CASE, 1, date(2026, 6, 1), 8, 3)
    assert alone(stream("course/c", (2, course))) == Course(CASE, 1, date(2026, 6, 1), 12)


def test_other_streams_make_no_fact() -> None:
    withdrawn = ConsentWithdrawn(consent=OTHER, case=CASE)
    assert fold({}, stream("consent/c", (1, withdrawn))) == {}


# Any city: several subjects, each with a life of its own, told in any interleaving.


@st.composite
def lives(draw: st.DrawFn) -> list[list[Recorded]]:
    """Streams of all kinds; times of occurrence in any order, as late entries have them."""
    streams: list[list[Recorded]] = []
    times = st.integers(0, 700).map(float)

    def told(name: str, events: Sequence[Event]) -> None:
        streams.append(stream(name, *((draw(times), event) for event in events)))

    for n in range(draw(st.integers(0, 3))):
        case = UUID(int=100 + n)
        turns = [CaseClosed(case=case, reason=SHUT), CaseReopened(case=case)] * 2
        told(f"case/{case}", [opened(case), *turns[: draw(st.integers(0, 4))]])
    for n in range(draw(st.integers(0, 3))):
        of: dict[str, Any] = REFERRAL | {"referral": UUID(int=200 + n)}
        way: list[Event] = draw(
            st.sampled_from(
                [
                    [ReferralReceived(**of), ReferralDeclined(**of, code=SHUT)],
                    [
                        ReferralReceived(**of),
                        ReferralAccepted(**of),
                        ServiceStarted(**of, first_contact_on=date(2026, 5, 1)),
                        ReferralCompleted(**of, outcome=SHUT),
                    ],
                ]
            )
        )
        told(f"referral/{of['referral']}", [requested(**of), *way[: draw(st.integers(0, 4))]])
    for n in range(draw(st.integers(0, 2))):
        meeting = UUID(int=300 + n)
        end: Event = draw(
            st.sampled_from(
                [
                    MeetingHeld(meeting=meeting, held_on=date(2026, 5, 1), attended=()),
                    MeetingCancelled(meeting=meeting),
                ]
            )
        )
        events = [convened(meeting, "juso"), end][: draw(st.integers(1, 2))]
        told(f"meeting/{meeting}", events)
    for n in range(draw(st.integers(0, 3))):
        told(f"record/{UUID(int=400 + n)}", [contact(UUID(int=400 + n))])
    return streams


def interleaved(data: st.DataObject, streams: list[list[Recorded]]) -> list[Recorded]:
    """One order of arrival in which each stream keeps its own."""
    turns = [n for n, events in enumerate(streams) for _ in events]
    left = [iter(events) for events in streams]
    return [next(left[n]) for n in data.draw(st.permutations(turns))]


@given(lives(), st.data())
def test_order_between_streams_does_not_matter(
    streams: list[list[Recorded]], data: st.DataObject
) -> None:
    one_by_one = fold({}, [event for events in streams for event in events])
    assert fold({}, interleaved(data, streams)) == one_by_one
    assert set(one_by_one) == {events[0].envelope.stream for events in streams}


@given(lives(), st.data())
def test_a_repeat_changes_nothing(streams: list[list[Recorded]], data: st.DataObject) -> None:
    events = interleaved(data, streams)
    repeated: list[Recorded] = []
    for event in events:
        repeated.append(event)
        if data.draw(st.booleans()):
            repeated.append(data.draw(st.sampled_from(repeated)))
    assert fold({}, repeated) == fold({}, events)


@given(lives(), st.data())
def test_batches_do_not_matter(streams: list[list[Recorded]], data: st.DataObject) -> None:
    events = interleaved(data, streams)
    cut = data.draw(st.integers(0, len(events)))
    assert fold(fold({}, events[:cut]), events[cut:]) == fold({}, events)


@given(streams=lives(), data=st.data())
def test_a_merge_of_cases_changes_no_figure(
    streams: list[list[Recorded]], data: st.DataObject
) -> None:
    """Two receptions were two, whoever turned out to be whom; undone or not."""
    merge = UUID(int=77)
    merged = CasesMerged(merge=merge, merged=CASE, into=OTHER)
    life = stream(f"merge/{merge}", (1, merged), (2, MergeUndone(merge=merge, reason=SHUT)))
    kept = life[: data.draw(st.integers(0, 2))]
    without = fold({}, [event for events in streams for event in events])
    assert fold({}, interleaved(data, [*streams, kept])) == without


def test_a_corrected_day_moves_the_contact_and_it_stays_one() -> None:
    corrected = ContactCorrected(record=CASE, case=CASE, method=SHUT, reason=SHUT)
    assert alone(stream(f"record/{CASE}", (1, contact(CASE)), (0, corrected))) == Contact(
        CASE, 2, day(0)
    )


def test_a_line_stands_under_its_codes_as_they_were_corrected_last() -> None:
    told = contact(CASE, "visit", kind="outreach", counterpart="family")
    corrected = ContactCorrected(
        record=CASE, case=CASE, method="absent", kind="outreach", reason="誤り"
    )
    first, last = (1, told), (0, corrected)
    assert alone(stream("record/r", first)) == Contact(
        CASE, 1, day(1), "outreach", "visit", "family"
    )
    assert alone(stream("record/r", first, last)) == Contact(CASE, 2, day(0), "outreach", "absent")


def test_a_line_whose_codes_stay_shut_is_a_line_all_the_same() -> None:
    told = contact(CASE, ERASED, kind=ERASED, counterpart=SHUT)
    assert alone(stream("record/r", (1, told))) == Contact(CASE, 1, day(1))
