"""A person's request is decided once and in time; what is held is shown unless a ground forbids it."""

from datetime import UTC, date, datetime
from uuid import UUID

from services.intake.domain.deadlines import fire, plan
from services.intake.domain.holding import items
from services.intake.domain.rights import DECIDER
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    CaseOpened,
    CaseScreened,
    ConsentRecorded,
    ContactRecorded,
    PersonDescribed,
    PersonNoted,
    RightsAnswered,
    RightsDecided,
    RightsExtended,
    RightsItemJudged,
    RightsOverdue,
    RightsRequested,
    RightsWithdrawn,
    SituationRecorded,
    WorriesRecorded,
)
from tests.unit._given import given

REQUEST, CASE, HANA, KEN = map(UUID, (f"{n:032x}" for n in (1, 2, 3, 4)))
AT = datetime(2026, 5, 11, tzinfo=UTC)
requested = RightsRequested(
    request=REQUEST, to="city", kind="disclosure", people=(HANA,), identified_by="licence",
    received_on=date(2026, 5, 11), due_on=date(2026, 6, 10),
)  # fmt: skip
extended = RightsExtended(request=REQUEST, due_on=date(2026, 7, 10), reason="大量である")
judged = RightsItemJudged(request=REQUEST, event=CASE, field="text", outcome="show", by="abe")
decided = RightsDecided(request=REQUEST, outcome="partly", by="abe")
answered = RightsAnswered(request=REQUEST, medium="paper")
overdue, withdrawn = RightsOverdue(request=REQUEST), RightsWithdrawn(request=REQUEST)


def test_it_is_extended_once_decided_once_and_answered_once() -> None:
    given(DECIDER, requested).when(extended).then(extended)
    given(DECIDER, requested, extended).when(extended).refused("extended-already")
    given(DECIDER, requested, judged).when(decided).then(decided)
    given(DECIDER, requested, decided).when(decided).refused("request-is-decided")
    given(DECIDER, requested).when(answered).refused("request-is-open")
    given(DECIDER, requested, decided).when(answered).then(answered)
    given(DECIDER, requested, withdrawn).when(judged).refused("request-is-withdrawn")


def test_only_a_correction_corrects() -> None:
    correcting = decided.model_copy(update={"outcome": "corrected", "corrections": (CASE,)})
    given(DECIDER, requested).when(correcting).refused("corrects-only-when-asked-to")
    asked = requested.model_copy(update={"kind": "correction"})
    given(DECIDER, asked).when(correcting).then(correcting)


def test_a_day_after_the_last_it_is_overdue_and_an_end_stops_the_clock() -> None:
    (timer,) = plan(requested, _envelope(requested))
    assert timer.due == datetime(2026, 6, 10, 15, tzinfo=UTC)  # midnight in Tokyo
    assert timer.command is not None
    due = fire(timer.stream, timer.command, timer.due)
    given(due.decider, requested).when(due.command).then(overdue)
    given(due.decider, requested, overdue).when(due.command).then()
    (later,) = plan(extended, _envelope(extended))
    assert (later.id, later.due) == (timer.id, datetime(2026, 7, 10, 15, tzinfo=UTC))
    for end in (decided, withdrawn):
        (cancelled,) = plan(end, _envelope(end))
        assert (cancelled.id, cancelled.due) == (timer.id, None)


def test_by_default_he_sees_what_is_his_alone_and_neither_reporter_nor_judgement_nor_others() -> (
    None
):
    told: list[Event] = [
        CaseOpened(case=CASE, household=CASE, lead="city", route="agency", reporter="近所の方"),
        PersonDescribed(case=CASE, person=HANA, name="𠮷田 花"),
        PersonDescribed(case=CASE, person=KEN, name="𠮷田 健"),
        SituationRecorded(case=CASE, person=HANA, health="膝", source="person"),
        SituationRecorded(case=CASE, person=HANA, money="借入", source="meeting", matter=CASE),
        WorriesRecorded(case=CASE, concerns=("care",), text="息子が"),
        WorriesRecorded(case=CASE, subjects=(HANA, KEN), concerns=("debt",)),
        ContactRecorded(record=CASE, case=CASE, subjects=(HANA,), method="visit", text="話す"),
        ContactRecorded(record=CASE, case=CASE, subjects=(KEN,), method="visit", text="怒る"),
        PersonNoted(record=CASE, case=CASE, person=HANA, text="眠れない"),
        CaseScreened(case=CASE, outcome="multi_agency_request", note="虐待の疑い"),
        ConsentRecorded(
            consent=CASE, case=CASE, person=HANA, status="granted", classes=("contact",),
            purposes=("consultation",), medium="paper", begins=AT, text_version="1",
        ),
    ]  # fmt: skip
    found = items([_recorded(event) for event in told], frozenset({HANA}))
    shown = {str(i.value) for i in found if i.withheld is None}
    assert shown == {
        "𠮷田 花", "膝", "visit", "眠れない", "granted", "('contact',)", "('consultation',)",
        "paper",
    }  # fmt: skip
    assert {i.value for i in found if i.fixed} == {"agency", "近所の方"}
    assert {i.withheld for i in found if i.value in ("虐待の疑い", "借入")} == {"administration"}
    assert not {"怒る", "𠮷田 健"} & {i.value for i in found}


def _envelope(event: Event) -> Envelope:
    stream = f"{event.STREAM}/{REQUEST}"
    return Envelope(UUID(int=9), stream, 1, str(CASE), event.TYPE, AT, AT, "abe", "city", CASE)


def _recorded(event: Event) -> Recorded:
    return Recorded(event, _envelope(event), {})
