"""Who works a case: nobody who is blocked from it, whatever was asked for in whatever order."""

from datetime import date
from uuid import UUID

from hypothesis import given as for_all
from hypothesis import strategies as st

from services.intake.domain.assignment import DECIDER, DEPUTYSHIP
from shared.contracts.intake import (
    AssignmentEvent,
    DeputyEnded,
    DeputyNamed,
    StaffAssigned,
    StaffBlocked,
    StaffRelieved,
    StaffUnblocked,
)
from shared.decider import Refused
from tests.unit._given import given

CASE = UUID(int=1)


def event(kind: type[AssignmentEvent], staff: str = "sato") -> AssignmentEvent:
    more = {"reason": "neighbour"} if kind is StaffBlocked else {}
    return kind.model_validate({"case": CASE, "agency": "city", "staff": staff, **more})


assigned, relieved = event(StaffAssigned), event(StaffRelieved)
blocked, unblocked = event(StaffBlocked), event(StaffUnblocked)
KINDS = st.sampled_from([StaffAssigned, StaffRelieved, StaffBlocked, StaffUnblocked])


def test_what_is_so_already_writes_nothing() -> None:
    given(DECIDER, assigned).when(assigned).then()
    given(DECIDER).when(relieved).then()
    given(DECIDER, blocked).when(blocked).then()
    given(DECIDER).when(unblocked).then()


def test_who_is_blocked_stops_working_the_case_and_is_not_assigned_again() -> None:
    given(DECIDER, assigned).when(blocked).then(relieved, blocked)
    given(DECIDER, blocked).when(assigned).refused("staff-is-blocked")
    given(DECIDER, blocked, unblocked).when(assigned).then(assigned)


@for_all(st.lists(st.builds(event, KINDS, st.sampled_from(["sato", "abe"])), max_size=30))
def test_nobody_both_works_a_case_and_is_blocked_from_it(commands: list[AssignmentEvent]) -> None:
    """Against a model that knows only the last word said of each."""
    state = DECIDER.initial
    works: set[str] = set()
    kept_out: set[str] = set()
    for command in commands:
        try:
            for written in DECIDER.decide(state, command):
                state = DECIDER.evolve(state, written)
        except Refused:
            assert command.staff in kept_out
            continue
        match command:
            case StaffAssigned(staff=who):
                works.add(who)
            case StaffRelieved(staff=who):
                works.discard(who)
            case StaffBlocked(staff=who):
                kept_out.add(who)
                works.discard(who)
            case StaffUnblocked(staff=who):
                kept_out.discard(who)
        assert (state.assigned, state.blocked) == (works, kept_out)
        assert not works & kept_out


def test_a_deputyship_begins_once_and_ends_once() -> None:
    id = UUID(int=2)
    named = DeputyNamed(
        deputyship=id,
        agency="city",
        staff="tanaka",
        deputy="sato",
        begins=date(2026, 8, 3),
        until=date(2026, 8, 14),
    )
    ended = DeputyEnded(deputyship=id)
    given(DEPUTYSHIP).when(named).then(named)
    given(DEPUTYSHIP).when(ended).refused("deputyship-is-none")
    given(DEPUTYSHIP, named).when(named).refused("deputyship-is-begun")
    given(DEPUTYSHIP, named).when(ended).then(ended)
    given(DEPUTYSHIP, named, ended).when(ended).refused("deputyship-is-ended")
