"""Programmes under contract and desks: who runs one on which day, who sits at which desk (L2)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from services.referral.domain import deadlines, desk, programme
from services.referral.domain.programme import Contract, End, Register, Tell
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.referral import (
    ContractBegun,
    ContractEnded,
    ContractExpired,
    DeskClosed,
    DeskMemberLeft,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
)
from shared.directory import Contract as Contract_
from shared.directory import Desk, Offices, Seat, offices
from tests.unit._given import given

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
NEXT_APRIL = APRIL + 365 * DAY
FIRST, SECOND = UUID(int=1), UUID(int=2)

visits = ProgrammeRegistered(programme="visits", name="訪問事業")
desk_of_visits = DeskRegistered(desk="visits-desk", name="訪問窓口", programme="visits")


def contract(
    id: UUID = FIRST, agency: str = "care", begins: datetime = APRIL, ends: datetime = NEXT_APRIL
) -> ProgrammeContracted:
    return ProgrammeContracted(
        programme="visits", contract=id, agency=agency, begins=begins, ends=ends
    )


def ended(ends: datetime, id: UUID = FIRST) -> ContractEnded:
    return ContractEnded(programme="visits", contract=id, ends=ends)


def told(kind: type[Event], id: UUID = FIRST) -> Any:
    return kind(programme="visits", contract=id)


def runs(*past: Event) -> Any:
    return given(programme.DECIDER, visits, *past)


def test_a_programme_is_registered_and_its_name_may_change() -> None:
    given(programme.DECIDER).when(Register(visits)).then(visits)
    runs().when(Register(visits)).then()
    given(programme.DECIDER).when(Contract(contract())).refused("programme-is-none")


def test_one_agency_at_a_time_runs_it() -> None:
    later = contract(SECOND, "clinic", NEXT_APRIL, NEXT_APRIL + DAY)
    runs(contract()).when(Contract(later)).then(later)
    for begins, ends in (
        (NEXT_APRIL - DAY, NEXT_APRIL + DAY),
        (APRIL - DAY, APRIL + DAY),
        (APRIL - DAY, NEXT_APRIL + DAY),
        (APRIL + DAY, APRIL + 2 * DAY),
    ):
        overlapping = Contract(contract(SECOND, "clinic", begins, ends))
        runs(contract()).when(overlapping).refused("another-contract-runs-then")


def test_a_contract_that_ends_early_makes_room_for_a_successor() -> None:
    october = APRIL + 183 * DAY
    runs(contract()).when(End(FIRST, october)).then(ended(october))
    successor = contract(SECOND, "clinic", october, NEXT_APRIL)
    runs(contract(), ended(october)).when(Contract(successor)).then(successor)


def test_a_contract_ends_ahead_of_its_time_or_not_at_all() -> None:
    for ends in (NEXT_APRIL, NEXT_APRIL + DAY, APRIL - DAY):
        runs(contract()).when(End(FIRST, ends)).refused("not-ahead-of-its-time")
    runs(contract()).when(End(SECOND, APRIL + DAY)).refused("contract-is-over")
    over = (contract(), told(ContractExpired))
    runs(*over).when(End(FIRST, APRIL + DAY)).refused("contract-is-over")


def test_only_a_contract_that_has_not_begun_may_come_to_nothing() -> None:
    runs(contract()).when(End(FIRST, APRIL)).then(ended(APRIL))
    begun = runs(contract(), told(ContractBegun))
    begun.when(End(FIRST, APRIL)).refused("not-ahead-of-its-time")
    instead = Contract(contract(SECOND, "clinic"))
    runs(contract(), ended(APRIL)).when(instead).then(instead.made)
    runs(contract(), ended(APRIL)).when(Tell(FIRST, NEXT_APRIL)).then()


def test_its_first_day_and_the_end_of_its_last_are_told_once_each() -> None:
    runs(contract()).when(Tell(FIRST, APRIL - DAY)).then()
    runs(contract()).when(Tell(FIRST, APRIL)).then(told(ContractBegun))
    begun = (contract(), told(ContractBegun))
    runs(*begun).when(Tell(FIRST, NEXT_APRIL - DAY)).then()
    runs(*begun).when(Tell(FIRST, NEXT_APRIL)).then(told(ContractExpired))
    runs(*begun, told(ContractExpired)).when(Tell(FIRST, NEXT_APRIL)).then()


def test_the_deadline_moves_with_an_early_end() -> None:
    past = recorded(contract(), ended(APRIL + DAY))
    timers = {t.id: t.due for e in past for t in deadlines.plan(e.event, e.envelope)}
    assert sorted(due for due in timers.values() if due) == [APRIL, APRIL + DAY]


def sits(agency: str = "care", member: str = "sato", code: str = "visits-desk") -> DeskMemberNamed:
    return DeskMemberNamed(desk=code, agency=agency, member=member)


def left(agency: str = "care", member: str = "sato") -> DeskMemberLeft:
    return DeskMemberLeft(desk="visits-desk", agency=agency, member=member)


def test_whose_a_desk_is_never_changes() -> None:
    given(desk.DECIDER).when(desk.Register(desk_of_visits)).then(desk_of_visits)
    other = DeskRegistered(desk="visits-desk", name="訪問窓口", agency="care")
    given(desk.DECIDER, desk_of_visits).when(desk.Register(other)).refused("desk-belongs-elsewhere")
    renamed = desk_of_visits.model_copy(update={"name": "新しい名"})
    given(desk.DECIDER, desk_of_visits).when(desk.Register(renamed)).then(renamed)


def test_who_sits_at_a_desk() -> None:
    open_ = given(desk.DECIDER, desk_of_visits)
    open_.when(sits()).then(sits())
    given(desk.DECIDER, desk_of_visits, sits()).when(sits()).then()
    given(desk.DECIDER, desk_of_visits, sits()).when(left()).then(left())
    open_.when(left()).then()
    own = DeskRegistered(desk="visits-desk", name="窓口", agency="care")
    given(desk.DECIDER, own).when(sits("clinic")).refused("desk-of-another-agency")


def test_a_closed_desk_takes_nothing_more() -> None:
    closed = given(desk.DECIDER, desk_of_visits, DeskClosed(desk="visits-desk"))
    closed.when(sits()).refused("desk-is-closed")
    closed.when(desk.Register(desk_of_visits)).refused("desk-is-closed")
    given(desk.DECIDER).when(sits()).refused("desk-is-none")


def recorded(*events: Event, days: int = 0) -> list[Recorded]:
    """An hour apart, from the first of April on."""
    versions: dict[str, int] = {}
    made = []
    for n, event in enumerate(events):
        name = getattr(event, event.STREAM, None)
        stream = f"{event.STREAM}/{name}"
        versions[stream] = versions.get(stream, 0) + 1
        at = APRIL + days * DAY + n * timedelta(hours=1)
        id = UUID(int=n)
        envelope = Envelope(id, stream, versions[stream], "", event.TYPE, at, at, "x", "city", id)
        made.append(Recorded(event, envelope, {}))
    return made


def known(*events: Event) -> Offices:
    return offices(recorded(visits, desk_of_visits, contract(), *events))


def test_somebody_records_under_the_programme_of_the_desk_where_he_sits() -> None:
    found = known(sits(), left())
    named, gone = APRIL + timedelta(hours=3), APRIL + timedelta(hours=4)
    assert found.programme_of("care", "sato", named - timedelta(microseconds=1)) is None
    assert found.programme_of("care", "sato", named) == "visits"
    assert found.programme_of("care", "sato", gone) is None
    assert found.programme_of("care", "mori", named) is None
    assert found.keeper("care", "sato", named, NEXT_APRIL) is None
    assert found.keeper("care", "mori", named, NEXT_APRIL) == "care"


def test_who_is_named_ahead_records_in_his_agencys_own_right_until_it_has_the_desk() -> None:
    later = contract(SECOND, "clinic", NEXT_APRIL, NEXT_APRIL + 365 * DAY)
    found = known(sits("clinic", "mori"), later)
    assert found.programme_of("clinic", "mori", NEXT_APRIL - DAY) is None
    assert found.programme_of("clinic", "mori", NEXT_APRIL) == "visits"
    assert found.keeper("clinic", "mori", NEXT_APRIL - DAY, NEXT_APRIL) == "clinic"


def test_of_two_desks_the_one_counts_to_which_he_was_named_last() -> None:
    own = DeskRegistered(desk="own-desk", name="窓口", agency="care")
    found = known(sits(), own, sits(code="own-desk"))
    assert found.programme_of("care", "sato", APRIL + timedelta(hours=4)) == "visits"
    assert found.programme_of("care", "sato", APRIL + timedelta(hours=5)) is None


def test_a_closed_desk_is_nobodys_and_what_was_recorded_there_stays_the_programmes() -> None:
    found = known(sits(), DeskClosed(desk="visits-desk"))
    at = APRIL + timedelta(hours=3)
    assert found.desk_of("visits-desk", at) == "care"
    assert found.desk_of("visits-desk", at + timedelta(hours=1)) is None
    assert found.keeper("care", "sato", at, at + DAY) == "care"
    assert found.programme_of("care", "sato", at) == "visits"


DAYS = st.integers(0, 40).map(lambda n: APRIL + n * DAY)
WHO = st.sampled_from(("care", "clinic"))


@st.composite
def some_offices(draw: st.DrawFn) -> Offices:
    """A programme's contracts, its desk and one of each agency's own; seats of one person here and there."""
    turns = sorted(draw(st.sets(DAYS, min_size=2, max_size=5)))
    terms = tuple(
        Contract_(UUID(int=n), draw(WHO), since, until)
        for n, (since, until) in enumerate(pairwise(turns))
        if draw(st.booleans())
    )
    desks = {
        "visits-desk": Desk("visits-desk", "", None, "visits", False, draw(st.none() | DAYS)),
        "own-desk": Desk("own-desk", "", "care", None),
    }
    seats = {
        (agency, "sato"): tuple(
            Seat(draw(st.sampled_from(tuple(desks))), since, draw(st.none() | DAYS))
            for since in draw(st.lists(DAYS, max_size=3))
        )
        for agency in ("care", "clinic")
    }
    return Offices({"visits": ""}, {"visits": terms}, desks, seats)


@settings(max_examples=200)
@given_(some_offices(), WHO, DAYS, DAYS)
def test_what_passed_is_told_by_the_stretch_as_by_the_record(
    found: Offices, agency: str, then: datetime, now: datetime
) -> None:
    then += timedelta(hours=12) * (then.day % 2)
    told = [
        one.keeper
        for one in found.passed(now)
        if (one.agency, one.person) == (agency, "sato")
        and one.since <= then
        and (one.until is None or then < one.until)
    ]
    assert (told or [agency]) == [found.keeper(agency, "sato", then, now) or ""]


def test_the_directory_does_not_depend_on_the_order_between_streams() -> None:
    """L19"""
    events = recorded(visits, desk_of_visits, contract(), sits(), ended(APRIL + DAY))
    assert offices(sorted(events, key=lambda e: e.envelope.stream)) == offices(events)
