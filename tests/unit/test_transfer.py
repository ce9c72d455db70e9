"""A transfer takes effect when every successor has accepted, and passes on what is still the worker's."""

from datetime import UTC, datetime
from uuid import UUID

from services.intake.domain import assignment, case
from services.intake.domain.transfer import DECIDER, moves
from shared.contracts.intake import (
    CaseClosed,
    CaseOpened,
    CoordinatorNamed,
    StaffAssigned,
    StaffBlocked,
    StaffRelieved,
    TransferAccepted,
    TransferAgreed,
    TransferDeclined,
    TransferEffected,
    TransferProposed,
    TransferWithdrawn,
)
from tests.unit._given import given

ID, ONE, TWO = (UUID(int=n) for n in range(1, 4))
APRIL = datetime(2027, 3, 31, 15, tzinfo=UTC)
proposed = TransferProposed(
    transfer=ID,
    agency="city",
    staff="tanaka",
    cases=(ONE, TWO),
    successors=("sato", "abe"),
    effective_at=APRIL,
)
sato, abe = (TransferAccepted(transfer=ID, successor=who) for who in ("sato", "abe"))
agreed = TransferAgreed(transfer=ID, effective_at=APRIL)
declined = TransferDeclined(transfer=ID, successor="abe")
withdrawn, effected = TransferWithdrawn(transfer=ID), TransferEffected(transfer=ID)


def test_the_last_acceptance_makes_it_take_effect() -> None:
    given(DECIDER).when(proposed).then(proposed)
    given(DECIDER, proposed).when(sato).then(sato)
    given(DECIDER, proposed, sato).when(sato).then()
    given(DECIDER, proposed, sato).when(abe).then(abe, agreed)
    given(DECIDER, proposed, sato, abe, agreed).when(effected).then(effected)


def test_one_no_ends_it_and_nothing_takes_effect_without_all() -> None:
    given(DECIDER, proposed, sato).when(declined).then(declined)
    given(DECIDER, proposed, sato, declined).when(abe).refused("transfer-is-declined")
    given(DECIDER, proposed, sato).when(effected).refused("transfer-is-proposed")
    stranger = TransferAccepted(transfer=ID, successor="mori")
    given(DECIDER, proposed).when(stranger).refused("not-a-successor")


def test_it_is_withdrawn_until_it_has_taken_effect_and_takes_effect_once() -> None:
    whole = (proposed, sato, abe, agreed)
    given(DECIDER, *whole).when(withdrawn).then(withdrawn)
    given(DECIDER, *whole, withdrawn).when(effected).refused("transfer-is-withdrawn")
    given(DECIDER, *whole, effected).when(effected).refused("transfer-is-effected")
    given(DECIDER, *whole, effected).when(withdrawn).refused("transfer-is-effected")


def test_an_act_moves_each_case_that_is_still_the_workers_and_that_the_successor_may_have() -> None:
    his, led, *_ = moves(DECIDER.fold([proposed]))
    about = {"case": ONE, "agency": "city"}
    mine = StaffAssigned(**about, staff="tanaka")
    next_ = StaffAssigned(**about, staff="sato")
    gone = StaffRelieved(**about, staff="tanaka")
    near = StaffBlocked(**about, staff="sato", reason="relative")
    given(assignment.DECIDER, mine).when(his.command).then(next_, gone)
    given(assignment.DECIDER, mine, next_).when(his.command).then(gone)
    given(assignment.DECIDER).when(his.command).then()
    given(assignment.DECIDER, mine, near).when(his.command).refused("staff-is-blocked")

    opened = CaseOpened(case=ONE, household=TWO, lead="city", route="agency")
    named = CoordinatorNamed(case=ONE, coordinator="tanaka", agency="city")
    new = named.model_copy(update={"coordinator": "sato"})
    given(case.DECIDER, opened).when(led.command).then()
    given(case.DECIDER, opened, named).when(led.command).then(new)
    closed = CaseClosed(case=ONE, reason="resolved")
    given(case.DECIDER, opened, named, closed).when(led.command).then(new)
