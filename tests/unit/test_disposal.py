"""A case's data goes when its time has run out, by two persons, and not while something holds it."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from services.intake.domain import caseless
from services.intake.domain.case import DECIDER, Reopen
from shared.contracts import Event
from shared.contracts.intake import (
    CaseClosed,
    CaseDisposed,
    CaselessDisposalApproved,
    CaselessDisposalDeclined,
    CaselessDisposalProposed,
    CaselessDisposed,
    CaselessHoldLifted,
    CaselessHoldPlaced,
    CaseOpened,
    CaseReopened,
    DisposalApproved,
    DisposalDeclined,
    DisposalProposed,
    HoldLifted,
    HoldPlaced,
)
from shared.contracts.retention import Kept, rule
from shared.erasure import Erasure, Forged, check, signature
from tests.unit._given import When, given

CASE = UUID(int=1)
KEYS = (f"text/{CASE}", f"person/{UUID(int=2)}")
opened = CaseOpened(case=CASE, household=UUID(int=9), lead="city", route="agency")
closed = CaseClosed(case=CASE, reason="resolved")
reopened = CaseReopened(case=CASE)
held, lifted = HoldPlaced(case=CASE, reason="開示請求"), HoldLifted(case=CASE)
proposed = DisposalProposed(case=CASE, rule="r", run_out_on=date(2032, 4, 1), by="sato")
declined = DisposalDeclined(case=CASE, by="abe")
disposed = CaseDisposed(case=CASE, approval=UUID(int=3))


def approved(by: str) -> DisposalApproved:
    return DisposalApproved(case=CASE, by=by, keys=KEYS, signature="0" * 64)


def test_another_person_decides() -> None:
    past = (opened, closed, proposed)
    given(DECIDER, *past).when(approved("abe")).then(approved("abe"))
    given(DECIDER, *past).when(approved("sato")).refused("needs-a-second-person")
    given(DECIDER, *past).when(declined).then(declined)
    given(DECIDER, *past, declined).when(approved("abe")).refused("disposal-is-none")


def test_only_what_is_closed_is_disposed_of() -> None:
    given(DECIDER, opened).when(proposed).refused("disposal-is-none")
    given(DECIDER, opened, closed, proposed, reopened, closed).when(approved("abe")).refused(
        "disposal-is-none"
    )


def test_a_hold_stops_it_until_it_is_lifted() -> None:
    given(DECIDER, opened, closed, held).when(proposed).refused("on-hold")
    given(DECIDER, opened, closed, proposed, held).when(approved("abe")).refused("on-hold")
    given(DECIDER, opened, held, closed, proposed, lifted).when(approved("abe")).then(
        approved("abe")
    )
    given(DECIDER, opened, held).when(held).then()


def test_what_is_approved_is_carried_out_once_and_nothing_comes_back() -> None:
    past = (opened, closed, proposed, approved("abe"))
    given(DECIDER, *past).when(disposed).then(disposed)
    given(DECIDER, *past).when(Reopen(reopened)).refused("case-is-closed")
    for late in (held, disposed, proposed):
        given(DECIDER, *past, disposed).when(late).refused("case-is-disposed")


def test_years_count_from_the_april_after_the_closing() -> None:
    found = rule("city", date(2026, 4, 1))
    assert found is not None
    assert not found.confirmed, "only with the name of who confirmed it"
    assert found.run_out_on(date(2027, 3, 31)) == date(2032, 4, 1)
    assert found.run_out_on(date(2027, 4, 1)) == date(2033, 4, 1)
    assert rule("city", date(2026, 3, 31)) is None
    assert rule("nobody knows", date(2026, 4, 1)) is not None


def test_a_line_of_the_list_that_was_changed_is_not_believed() -> None:
    master = b"m" * 32
    signed = signature(master, CASE, KEYS)
    check(master, Erasure(str(CASE), KEYS[::-1], signed))
    for case, keys in ((CASE, KEYS[:1]), (UUID(int=7), KEYS), (CASE, (*KEYS, "person/x"))):
        with pytest.raises(Forged):
            check(master, Erasure(str(case), keys, signed))


def test_what_ended_without_a_case_goes_by_the_same_steps_and_nothing_else_does() -> None:
    it: dict[str, Any] = {"caseless": CASE}
    held, lifted = CaselessHoldPlaced(**it, reason="訴訟"), CaselessHoldLifted(**it)
    proposed = CaselessDisposalProposed(**it, rule="r", run_out_on=date(2032, 4, 1), by="sato")
    declined = CaselessDisposalDeclined(**it, by="abe")
    keys: dict[str, Any] = {"keys": KEYS[:1], "signature": "0" * 64}
    same, other = (CaselessDisposalApproved(**it, by=by, **keys) for by in ("sato", "abe"))
    done = CaselessDisposed(**it, approval=UUID(int=3))

    def when(event: Any, *past: Event, ended: bool = True) -> When:
        return given(caseless.DECIDER, *past).when(caseless.Step(ended, event))

    when(proposed).then(proposed)
    for event in (held, proposed):
        when(event, ended=False).refused("has-not-ended")
    when(other).refused("disposal-is-none")
    when(same, proposed).refused("needs-a-second-person")
    when(other, proposed).then(other)
    when(declined, proposed).then(declined)
    when(other, proposed, declined).refused("disposal-is-none")
    for past, event in (((held,), proposed), ((proposed, held), other)):
        when(event, *past).refused("on-hold")
    when(other, proposed, held, lifted).then(other)
    when(held, proposed, other).refused("disposal-is-approved")
    when(done, proposed, other).then(done)
    when(proposed, proposed, other, done).refused("disposal-is-disposed")


@pytest.mark.parametrize("of", ["case", "notice", "watch", "reading"])
@given_any(
    st.dates(date(2026, 4, 1), date(2060, 1, 1)), st.dates(date(2026, 4, 1), date(2070, 1, 1))
)
def test_what_is_looked_for_as_run_out_is_what_has_run_out(
    of: Kept, closed_on: date, today: date
) -> None:
    found = rule("city", today, of)
    assert found is not None
    assert (found.of, found.confirmed) == (of, False)
    assert (closed_on < found.ended_before(today)) == (found.run_out_on(closed_on) <= today)
