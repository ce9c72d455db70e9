"""Referral: every move of its state machine, the directory, which consents carry a request."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.referral.domain import agency, referral
from services.referral.domain.referral import (
    ALLOWED,
    OPEN,
    Accept,
    Complete,
    Decline,
    Receive,
    Request,
    Start,
    covering,
)
from shared.basis import Consent, World
from shared.contracts import CONSENTABLE, ERASED, Event
from shared.contracts.intake import CaseReopened, ConsentRecorded, GroundRecorded, UrgentAsserted
from shared.contracts.referral import (
    AgencyRegistered,
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralReceived,
    ReferralRequested,
    ServiceStarted,
)
from shared.decider import Refused
from shared.grounds import Ground
from tests.unit._given import given

REFERRAL, CASE, HANA, KEN = (UUID(int=n) for n in range(1, 5))
FIRST, SECOND, THIRD = UUID(int=11), UUID(int=12), UUID(int=13)
ABOUT: dict[str, Any] = {"referral": REFERRAL, "case": CASE, "person": HANA}
DAY = date(2026, 5, 7)
NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)

asked = ReferralRequested(
    **ABOUT,
    sender="city",
    receiver="care-centre",
    classes=("contact", "health_disability"),
    need="見守りの訪問をお願いします",
    bases=(FIRST,),
)
received = ReferralReceived(**ABOUT)
accepted = ReferralAccepted(**ABOUT, first_contact_on=DAY)
declined = ReferralDeclined(**ABOUT, code="no_capacity", text="7月まで満員です")
started = ServiceStarted(**ABOUT, first_contact_on=DAY)
completed = ReferralCompleted(**ABOUT, outcome="helped", text="週一回の訪問が定着した")

HISTORY: dict[str, tuple[Event, ...]] = {
    "none": (),
    "requested": (asked,),
    "received": (asked, received),
    "accepted": (asked, received, accepted),
    "in_progress": (asked, received, accepted, started),
    "completed": (asked, received, accepted, started, completed),
    "declined": (asked, received, declined),
}
LEGAL: dict[tuple[str, str], tuple[referral.Command, Event]] = {
    ("none", "request"): (Request(asked), asked),
    ("requested", "receipt"): (Receive(), received),
    ("received", "acceptance"): (Accept(DAY), accepted),
    ("received", "decline"): (Decline("no_capacity", "7月まで満員です"), declined),
    ("accepted", "decline"): (Decline("no_capacity", "7月まで満員です"), declined),
    ("accepted", "service-start"): (Start(DAY), started),
    ("in_progress", "completion"): (Complete("helped", "週一回の訪問が定着した"), completed),
}
MOVES = {name: command for (_, name), (command, _) in LEGAL.items()}


@pytest.mark.parametrize(("status", "name"), LEGAL)
def test_a_legal_move_writes_its_event(status: str, name: str) -> None:
    command, event = LEGAL[status, name]
    given(referral.DECIDER, *HISTORY[status]).when(command).then(event)


ILLEGAL = [(status, name) for status in HISTORY for name in MOVES if (status, name) not in LEGAL]


@pytest.mark.parametrize(("status", "name"), ILLEGAL)
def test_any_other_move_is_refused_with_state_and_moves(status: str, name: str) -> None:
    attempt = given(referral.DECIDER, *HISTORY[status]).when(MOVES[name])
    refusal = attempt.refused(f"referral-is-{status}")
    assert (refusal.state, refusal.allowed) == (status, ALLOWED[status])


@pytest.mark.parametrize("status", HISTORY)
def test_the_status_is_that_of_the_last_event(status: str) -> None:
    assert referral.DECIDER.fold(HISTORY[status]).status == status


def test_what_is_allowed_is_what_can_be_done() -> None:
    assert set(ALLOWED) == set(HISTORY)
    for status, moves in ALLOWED.items():
        assert set(moves) == {n for s, n in LEGAL if s == status and n != "request"}
    assert OPEN == ("requested", "received", "accepted", "in_progress")


def test_a_request_without_a_live_basis_is_refused() -> None:
    bare = asked.model_copy(update={"bases": ()})
    given(referral.DECIDER).when(Request(bare)).refused("no-live-basis")


def test_an_acceptance_may_leave_the_first_contact_open() -> None:
    past = HISTORY["received"]
    given(referral.DECIDER, *past).when(Accept()).then(ReferralAccepted(**ABOUT))


def test_an_erased_need_does_not_stop_the_referral() -> None:
    erased = asked.model_copy(update={"need": ERASED})
    given(referral.DECIDER, erased).when(Receive()).then(received)


COMMANDS = st.one_of(
    st.sampled_from([Request(asked), Request(asked.model_copy(update={"bases": ()})), Receive()]),
    st.builds(Accept, st.none() | st.dates()),
    st.builds(Decline, st.sampled_from(["no_capacity", "other"]), st.none() | st.text(max_size=9)),
    st.builds(Start, st.dates()),
    st.builds(Complete, st.sampled_from(["helped", "not_helped"]), st.none() | st.text(max_size=9)),
)


def carried_out(state: referral.Referral, command: referral.Command) -> list[Event]:
    try:
        return referral.decide(state, command)
    except Refused:
        return []


@for_all(st.lists(COMMANDS, max_size=30))
def test_any_commands_are_carried_out_or_refused(commands: list[referral.Command]) -> None:
    state, written = referral.DECIDER.initial, 0
    for command in commands:
        for event in carried_out(state, command):
            state, written = referral.DECIDER.evolve(state, event), written + 1
    assert written <= len(("requested", "received", "accepted", "in_progress", "completed"))
    assert (state.status == "none") == (written == 0)


EVENTS = [asked, received, accepted, declined, started, completed, CaseReopened(case=CASE)]


@for_all(st.lists(st.sampled_from(EVENTS), max_size=20))
def test_evolve_takes_events_in_any_order(events: list[Event]) -> None:
    referral.DECIDER.fold(events)


def registered(code: str = "care-centre", **changes: Any) -> AgencyRegistered:
    values = {
        "agency": code,
        "name": "梅寿荘地域包括支援センター",
        "kind": "community_care",
        "controller": "contractor",
        "purposes": ("consultation", "coordination"),
        "window": True,
    }
    return AgencyRegistered(**{**values, **changes})


def test_an_agency_is_registered() -> None:
    given(agency.DECIDER).when(agency.Register(registered())).then(registered())


def test_the_same_values_again_write_nothing() -> None:
    given(agency.DECIDER, registered()).when(agency.Register(registered())).then()


def test_other_values_replace_the_older_ones() -> None:
    moved = registered(window=False)
    given(agency.DECIDER, registered()).when(agency.Register(moved)).then(moved)
    given(agency.DECIDER, registered(), moved).when(agency.Register(moved)).then()
    given(agency.DECIDER, registered(), moved).when(agency.Register(registered())).then(
        registered()
    )


@for_all(st.lists(st.builds(registered, window=st.booleans(), kind=st.sampled_from("ab"))))
def test_the_newest_registration_stands(values: list[AgencyRegistered]) -> None:
    state = agency.DECIDER.initial
    for value in values:
        for event in agency.DECIDER.decide(state, agency.Register(value)):
            state = agency.DECIDER.evolve(state, event)
        assert state.registered == value


WORLD = World({"care-centre": registered(), "clinic": registered("clinic", purposes=())})


def consent(id: UUID = FIRST, **changes: Any) -> Consent:
    values = {
        "consent": id,
        "case": CASE,
        "person": HANA,
        "status": "granted",
        "classes": ("contact", "health_disability"),
        "purposes": ("coordination",),
        "medium": "paper",
        "holders": ("care-centre", "clinic"),
        "begins": NOW - timedelta(days=1),
        "text_version": "2026-04",
    }
    return Consent(ConsentRecorded(**{**values, **changes}))


def bases(*given_: Consent | Ground, receiver: str = "care-centre") -> tuple[UUID, ...]:
    return covering(given_, HANA, "city", receiver, asked.classes, WORLD, NOW)


def test_one_consent_covers_the_request() -> None:
    assert bases(consent()) == (FIRST,)


def test_several_consents_cover_it_together_oldest_first() -> None:
    newer = consent(FIRST, classes=("contact",), begins=NOW)
    older = consent(SECOND, classes=("health_disability",))
    assert bases(newer, older) == (SECOND, FIRST)
    assert bases(newer) == ()


def test_a_consent_of_no_asked_class_is_no_basis_of_it() -> None:
    assert bases(consent(), consent(SECOND, classes=("money",))) == (FIRST,)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "refused"},
        {"status": "undecided"},
        {"person": KEN},
        {"classes": ("contact",)},
        {"purposes": ("application",)},
        {"holders": ("clinic",)},
        {"excluded": ("care-centre",)},
        {"begins": NOW + timedelta(seconds=1)},
        {"until": NOW},
    ],
)
def test_what_does_not_cover_gives_no_basis(changes: dict[str, Any]) -> None:
    assert bases(consent(**changes)) == ()


def test_a_withdrawn_consent_gives_no_basis() -> None:
    assert bases(Consent(consent().recorded, ended_at=NOW)) == ()


def urgent(**changes: Any) -> Ground:
    values = {
        "basis": THIRD, "case": CASE, "persons": (HANA,), "holders": ("care-centre",),
        "classes": ("contact", "health_disability"), "danger": "life", "reason": "x",
        "informed": "sato", "begins": NOW - timedelta(days=1), "review_by": NOW + timedelta(days=1),
        "until": NOW + timedelta(days=9),
    }  # fmt: skip
    return Ground(UrgentAsserted(**{**values, **changes}))


def law(provider: str) -> Ground:
    values = {
        "basis": THIRD, "case": CASE, "persons": (HANA,), "holders": ("care-centre",),
        "classes": ("contact", "health_disability", "judgement"), "ground": "law", "citation": "x",
        "provider": provider, "reason": "x", "no_harm": "x", "approver": "sato",
        "begins": NOW, "until": NOW + timedelta(days=9),
    }  # fmt: skip
    return Ground(GroundRecorded(**values))


def test_urgent_protection_and_the_sender_s_own_ground_are_bases_of_a_referral() -> None:
    """L9: a live basis, of whatever kind; what a ground covers, its provider recorded (L8)."""
    assert bases(urgent()) == (THIRD,)
    part = consent(classes=("contact",))
    assert bases(urgent(classes=("health_disability", "judgement")), part) == (FIRST, THIRD)
    assert bases(law("city")) == (THIRD,)
    assert bases(law("clinic")) == ()


@pytest.mark.parametrize(
    "changes",
    [{"until": NOW}, {"review_by": NOW}, {"persons": (KEN,)}, {"holders": ("clinic",)},
     {"classes": ("contact", "judgement")}, {"begins": NOW + timedelta(seconds=1)}],
)  # fmt: skip
def test_urgent_protection_that_ended_or_waits_for_its_review_is_none(
    changes: dict[str, Any],
) -> None:
    assert bases(urgent(**changes)) == ()


def test_an_agency_without_the_purpose_or_unknown_is_not_covered() -> None:
    assert bases(consent(), receiver="clinic") == ()
    assert bases(consent(holders=("stranger",)), receiver="stranger") == ()


@for_all(
    st.lists(
        st.builds(
            consent,
            st.uuids(),
            classes=st.lists(st.sampled_from(CONSENTABLE), min_size=1).map(tuple),
            person=st.sampled_from([HANA, KEN]),
            status=st.sampled_from(["granted", "refused"]),
        ),
        max_size=6,
    )
)
def test_the_order_of_consents_says_nothing(consents: list[Consent]) -> None:
    found = bases(*consents)
    assert found == bases(*reversed(consents))
    granted = {
        name
        for one in consents
        if one.recorded.person == HANA and one.recorded.status == "granted"
        for name in one.recorded.classes
    }
    assert bool(found) == (set(asked.classes) <= granted)
