"""What was withdrawn and how far it was given back (L15, L17); the deadline in working days."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from services.views.domain.deadlines import confirmation_due, fire, plan
from services.views.domain.disclosure import (
    DECIDER,
    Acknowledge,
    ConfirmRetraction,
    MarkOverdue,
)
from services.views.domain.retraction import retractions
from shared.calendar import TOKYO, after_working_days
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.views import (
    BasisRef,
    DocumentChanged,
    ItemRef,
    ReadingRecorded,
    ReceiptRecorded,
    RetractionConfirmed,
    RetractionOverdue,
)
from shared.decider import Refused
from tests.unit._given import given

CASE, AT = uuid4(), datetime(2026, 5, 1, 1, tzinfo=UTC)
OF: dict[str, Any] = {"agency": "care", "case": CASE}
ITEM = ItemRef(event=uuid4(), field="name", bases=(BasisRef(kind="consent", id="1"),))


def document(number: int, *, withdraws: bool, cause: Any = "content_changed") -> DocumentChanged:
    items = (ITEM,) if withdraws else ()
    return DocumentChanged(
        **OF, document=number, items=(), digest=str(number), cause=cause, withdrawn=items
    )


def recorded(events: list[Event]) -> list[Recorded]:
    stream = f"disclosure/care/{CASE}"
    return [
        Recorded(
            event,
            Envelope(
                id=UUID(int=n), stream=stream, version=n, key=str(CASE), type=event.TYPE,
                at=AT + timedelta(minutes=n), occurred_at=AT, actor="x", agency="care",
                correlation=UUID(int=0),
            ),
            {},
        )
        for n, event in enumerate(events, 1)
    ]  # fmt: skip


def test_an_agency_confirms_what_was_withdrawn_up_to_the_document_that_it_names() -> None:
    two, three = document(2, withdraws=True), document(3, withdraws=True)
    past = (document(1, withdraws=False), two, three)
    confirmed = RetractionConfirmed(**OF, document=2, kept="own_record")
    given(DECIDER, *past).when(ConfirmRetraction(2, "own_record")).then(confirmed)
    given(DECIDER, *past, confirmed).when(ConfirmRetraction(2)).then()
    last = RetractionConfirmed(**OF, document=3)
    given(DECIDER, *past, confirmed).when(ConfirmRetraction(3)).then(last)
    given(DECIDER, *past).when(ConfirmRetraction(1)).refused("not-retracted")
    given(DECIDER, *past).when(ConfirmRetraction(4)).refused("no-such-document")


def test_a_record_from_before_counts_by_its_cause() -> None:
    old = document(1, withdraws=False, cause="content_ended")
    given(DECIDER, old).when(ConfirmRetraction(1)).then(RetractionConfirmed(**OF, document=1))


@pytest.mark.parametrize(
    ("seen", "state"), [(1, "told"), (None, "told"), (2, "delivered"), (3, "delivered")]
)
def test_who_opens_the_document_without_it_has_been_told(seen: int | None, state: str) -> None:
    """An agency without a system of its own takes nothing from the broker."""
    opened = ReadingRecorded(**OF, items=(), document=seen)
    (found,) = retractions(
        recorded([document(1, withdraws=False), document(2, withdraws=True), opened])
    )
    assert found.state() == state


def test_a_confirmation_is_overdue_once_and_only_while_it_is_missing() -> None:
    past = (document(1, withdraws=False), document(2, withdraws=True))
    late = RetractionOverdue(**OF, document=2)
    given(DECIDER, *past).when(MarkOverdue(2)).then(late)
    given(DECIDER, *past, late).when(MarkOverdue(2)).then()
    given(DECIDER, *past, RetractionConfirmed(**OF, document=2)).when(MarkOverdue(2)).then()
    given(DECIDER, *past).when(MarkOverdue(1)).then()


def test_the_deadline_is_set_by_what_withdraws_and_fires_as_a_command() -> None:
    first, second = recorded([document(1, withdraws=False), document(2, withdraws=True)])
    assert not list(plan(first.event, first.envelope))
    (timer,) = plan(second.event, second.envelope)
    assert timer.command
    assert timer.due == confirmation_due(second.envelope.at)
    assert fire(timer.stream, timer.command, timer.due).command == MarkOverdue(2)
    (cancelled,) = plan(RetractionConfirmed(**OF, document=2), second.envelope)
    assert (cancelled.id, cancelled.due) == (timer.id, None)


@pytest.mark.parametrize(
    ("begins", "days", "ends"),
    [
        ("2026-05-01T10:00", 1, "2026-05-07T10:00"),  # Friday before the golden week
        ("2026-05-02T10:00", 1, "2026-05-08T00:00"),  # a Saturday counts from the next working day
        ("2026-12-28T17:00", 2, "2027-01-05T17:00"),  # the city hall is closed over the new year
        ("2028-12-28T17:00", 2, "2029-01-05T17:00"),  # also where the list of holidays has ended
        ("2026-09-18T09:00", 1, "2026-09-24T09:00"),  # three holidays in a row
    ],
)
def test_working_days(begins: str, days: int, ends: str) -> None:
    at = datetime.fromisoformat(begins).replace(tzinfo=TOKYO)
    assert after_working_days(at, days) == datetime.fromisoformat(ends).replace(tzinfo=TOKYO)


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("grow", "withdraw", "receipt", "confirm", "overdue")), st.integers(1, 6)
    ),
    max_size=30,
)


@drawn(STEPS, st.randoms(use_true_random=False))
def test_the_unconfirmed_list_is_exact_at_every_moment(steps: list[Step], random: Any) -> None:
    """Against a list kept by hand: documents that withdrew something, less those up to the newest one
    that was confirmed. Whatever is asked in whatever order, and however the events are read.
    """
    events: list[Event] = []
    newest, open_ = 0, set[int]()
    overdue = set[int]()
    for kind, n in steps:
        commands = {"receipt": Acknowledge(n, "placed"), "confirm": ConfirmRetraction(n)}
        command: Any = commands.get(kind, MarkOverdue(n))
        if kind in ("grow", "withdraw"):
            newest += 1
            command = document(newest, withdraws=kind == "withdraw")
            open_ |= {newest} if kind == "withdraw" else set()
        try:
            events += DECIDER.decide(DECIDER.fold(events), command)
        except Refused:
            pass
        else:
            if kind == "confirm" and n <= newest:
                open_ = {one for one in open_ if one > n}
            overdue |= open_ & {n} if kind == "overdue" else set()
        shuffled = recorded(events)
        random.shuffle(shuffled)
        found = retractions(shuffled)
        pending = {one.document.document for one in found if one.state() != "confirmed"}
        assert pending == open_
        late = {one.document.document for one in found if one.state() == "overdue"}
        assert late == overdue & open_
        receipts = [e.document for e in events if isinstance(e, ReceiptRecorded)]
        for one in found:
            reached = max(receipts, default=0) >= one.document.document
            assert (one.delivered_at is not None) == reached
