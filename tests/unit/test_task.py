"""What was promised at a sitting: agreed where it was discussed, due on a day, done or dropped once."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.meetings.domain import deadlines, task
from services.views.domain.facts import facts, replaced
from shared.contracts import CONSENTABLE, Envelope, Event, Recorded
from shared.contracts.meetings import (
    TaskAgreed,
    TaskCorrected,
    TaskDone,
    TaskDropped,
    TaskDueChanged,
    TaskOverdue,
    TaskReopened,
    TaskTakenOn,
)
from shared.decider import Refused
from tests.unit._given import given
from tests.unit._town import CASE, HANA, HOUR, KEN, town
from tests.unit._town import MATTER as OF_TOWN

TASK, MEETING, MATTER = (UUID(int=n) for n in range(1, 4))
JUNE, JULY = date(2026, 6, 30), date(2026, 7, 31)
IDS = {"task": TASK, "meeting": MEETING, "case": CASE}
TOLD: dict[str, Any] = {**IDS, "subjects": (HANA,), "matter": None}
TERMS: dict[str, Any] = {"text": "受診に同行", "owner": "clinic", "staff": "sato", "due": JUNE}
agreed = TaskAgreed(**TOLD, **TERMS)
later = TaskDueChanged(**TOLD, due=JULY, reason="予約が取れない")
done, dropped = TaskDone(**TOLD, note="同行した"), TaskDropped(**TOLD, reason="declined")
overdue = TaskOverdue(**IDS)
reopened = TaskReopened(**TOLD, due=JUNE, reason="別の人だった")
reopen = task.Reopen("別の人だった")
finish, drop = task.Finish("同行した"), task.Drop("declined")
change, late = task.ChangeDue(JULY, "予約が取れない"), task.MarkOverdue()
correct = task.Correct({**TERMS, "owner": "city", "staff": None}, "機関の誤り")
corrected = TaskCorrected(**TOLD, **{**TERMS, "owner": "city", "staff": None}, reason="機関の誤り")


def agree(meeting: str = "held", item: str = "added") -> task.Agree:
    return task.Agree(agreed, meeting, item)


def test_it_is_agreed_while_the_meeting_sits_and_after_it_was_held() -> None:
    for meeting in ("begun", "held"):
        given(task.DECIDER).when(agree(meeting)).then(agreed)
    for meeting in ("planned", "cancelled"):
        given(task.DECIDER).when(agree(meeting)).refused(f"meeting-is-{meeting}")
    for item in ("absent", "removed"):
        given(task.DECIDER).when(agree(item=item)).refused(f"item-is-{item}")
    given(task.DECIDER, agreed).when(agree()).refused("task-is-open")


def test_it_is_done_or_dropped_once() -> None:
    given(task.DECIDER, agreed).when(finish).then(done)
    given(task.DECIDER, agreed, overdue).when(drop).then(dropped)
    for end, is_ in ((done, "done"), (dropped, "dropped")):
        for command in (finish, drop, change, late):
            given(task.DECIDER, agreed, end).when(command).refused(f"task-is-{is_}")
    for command in (finish, drop, change, late, correct):
        given(task.DECIDER).when(command).refused("task-is-none")


def test_it_is_overdue_once_until_it_has_another_day() -> None:
    given(task.DECIDER, agreed).when(late).then(overdue)
    given(task.DECIDER, agreed, overdue).when(late).then()
    given(task.DECIDER, agreed, overdue).when(change).then(later)
    given(task.DECIDER, agreed, overdue, later).when(late).then(overdue)
    given(task.DECIDER, agreed, later).when(change).then()
    given(task.DECIDER, agreed, overdue, corrected).when(late).then()


def test_somebody_else_takes_it_on_until_it_is_corrected() -> None:
    take, taken = task.TakeOn("abe"), TaskTakenOn(**IDS, staff="abe")
    given(task.DECIDER, agreed).when(take).then(taken)
    given(task.DECIDER, agreed, taken).when(take).then()
    given(task.DECIDER, agreed).when(task.TakeOn("sato")).then()
    given(task.DECIDER, agreed, done).when(take).refused("task-is-done")
    given(task.DECIDER, agreed, taken, corrected).when(take).then(taken)


def test_what_was_reported_done_by_mistake_is_open_again() -> None:
    for end in (done, dropped):
        given(task.DECIDER, agreed, overdue, end).when(reopen).then(reopened)
        given(task.DECIDER, agreed, overdue, end, reopened).when(late).then(overdue)
    given(task.DECIDER, agreed).when(reopen).refused("task-is-open")
    given(task.DECIDER).when(reopen).refused("task-is-none")
    another = task.Reopen("別の人だった", JULY)
    later_on = reopened.model_copy(update={"due": JULY})
    given(task.DECIDER, agreed, done).when(another).then(later_on)
    told = [Recorded(e, _envelope(e, n), {}) for n, e in enumerate([agreed, done, reopened], 1)]
    assert {(f.type, f.field) for f in facts(told)} == {
        (agreed.TYPE, "text"), (reopened.TYPE, "reason"),
    }  # fmt: skip


def test_its_words_are_with_who_wrote_them_and_where_a_ground_gives_judgement() -> None:
    """L2, L22, L8: never by consent; and gone with the ground."""
    case = town().consent("c", HANA, "care", classes=CONSENTABLE)
    case.tell(agreed.model_copy(update={"case": CASE, "subjects": (HANA,)}), agency="lead")
    assert ("text", "受診に同行") in case.values("lead")
    assert ("text", "受診に同行") not in case.values("care")
    begun = case.ground("g", "care").now()
    assert ("text", "受診に同行") in case.values("care")
    assert ("text", "受診に同行") not in case.values("care", begun + 2 * HOUR)


def test_those_of_a_matter_are_opened_by_who_was_called_for_it() -> None:
    """L5, L12"""
    case = town().matter().pledge("doctor")
    promised = {"case": CASE, "subjects": (KEN,), "matter": OF_TOWN, "text": "訪ねる"}
    case.tell(agreed.model_copy(update=promised), agency="lead")
    assert "訪ねる" in case.opens("doctor", "clinic")
    assert case.opens("clerk", "council") == set()
    assert not {value for agency in ("lead", "clinic") for value in case.values(agency)} & {
        ("text", "訪ねる")
    }


def test_a_correction_says_all_of_it_anew_whatever_became_of_it() -> None:
    for so_far in ((), (done,), (dropped,), (later, overdue)):
        given(task.DECIDER, agreed, *so_far).when(correct).then(corrected)
    state = task.DECIDER.fold([agreed, later, done, corrected])
    assert (state.status, state.terms, state.due) == ("done", corrected, JUNE)


def _envelope(event: Event, version: int = 1) -> Envelope:
    at = datetime(2026, 6, 1, 9, tzinfo=UTC)
    return Envelope(
        id=UUID(int=100 + version), stream=f"task/{TASK}", version=version, key=str(CASE),
        type=event.TYPE, at=at, occurred_at=at, actor="abe", agency="city",
        correlation=UUID(int=9),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "due"),
    [
        (agreed, datetime(2026, 6, 30, 15, tzinfo=UTC)),
        (corrected, datetime(2026, 6, 30, 15, tzinfo=UTC)),
        (later, datetime(2026, 7, 31, 15, tzinfo=UTC)),
        (reopened, datetime(2026, 6, 30, 15, tzinfo=UTC)),
        (done, None),
        (dropped, None),
    ],
)
def test_its_timer_is_due_when_its_day_is_over_in_tokyo(event: Event, due: datetime | None) -> None:
    (timer,) = deadlines.plan(event, _envelope(event))
    assert (timer.id, timer.due) == (f"task/{TASK}", due)


def test_the_timer_marks_an_open_task_and_no_other() -> None:
    (timer,) = deadlines.plan(agreed, _envelope(agreed))
    assert timer.due
    fired = deadlines.fire(timer.stream, timer.command or {}, timer.due)
    assert (fired.key, fired.decider) == (str(CASE), task.DECIDER)
    given(task.DECIDER, agreed).when(fired.command).then(overdue)


def test_its_words_are_judgement_and_of_a_matter_sealed_to_it() -> None:
    for matter, data_class in ((None, "judgement"), (MATTER, "sealed")):
        events = [e.model_copy(update={"matter": matter}) for e in (agreed, later, corrected, done)]
        told = [Recorded(e, _envelope(e, n), {}) for n, e in enumerate(events, 1)]
        found = facts(told)
        assert {(f.type, f.field) for f in found} == {
            (later.TYPE, "reason"), (done.TYPE, "note"),
            (corrected.TYPE, "text"), (corrected.TYPE, "reason"),
        }  # fmt: skip
        assert {(f.data_class, f.matter, f.subjects) for f in found} == {
            (data_class, matter, frozenset({HANA}))
        }
        assert replaced(told) == {UUID(int=101): UUID(int=103)}


COMMANDS = st.one_of(
    st.builds(
        agree,
        st.sampled_from(["planned", "begun", "held", "cancelled"]),
        st.sampled_from(["absent", "added", "removed"]),
    ),
    st.sampled_from([finish, drop, late, correct, reopen]),
    st.builds(task.ChangeDue, st.sampled_from([JUNE, JULY]), st.just("予約")),
)


@for_all(st.lists(COMMANDS, max_size=20))
def test_any_commands_are_carried_out_or_refused(commands: list[task.Command]) -> None:
    """Against a model that knows only what was said last."""
    written: list[Event] = []
    ended, day, marked = False, JUNE, False
    for command in commands:
        try:
            new = task.decide(task.DECIDER.fold(written), command)
        except Refused:
            wrong = isinstance(command, task.Agree) or (
                isinstance(command, task.Reopen) and not ended
            )
            assert ended or not written or wrong
            continue
        for event in new:
            match event:
                case TaskDone() | TaskDropped():
                    assert not ended
                    ended = True
                case TaskOverdue():
                    assert not ended
                    assert not marked
                    marked = True
                case TaskReopened(due=due):
                    assert ended
                    day, marked, ended = due, False, False
                case TaskDueChanged(due=due) | TaskCorrected(due=due):
                    day, marked = due, marked and due == day
        written += new
    kinds = [type(e) for e in written]
    assert kinds.count(TaskAgreed) == bool(written)
    assert kinds[:1] in ([], [TaskAgreed])
    state = task.DECIDER.fold(written)
    assert (state.overdue, state.status in ("done", "dropped")) == (marked, ended)
