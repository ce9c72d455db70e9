"""Meetings: pools of bodies, matters and their reviews, sittings, an agenda that follows its bases."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.meetings.domain import deadlines, matter, meeting, member, sitting
from shared.basis import Consent, Member, World
from shared.contracts import ERASED, Envelope, Event
from shared.contracts.codes import body_codes
from shared.contracts.intake import ConsentRecorded
from shared.contracts.meetings import (
    AgendaItemAdded,
    AgendaItemRemoved,
    DecisionRecorded,
    FactPromoted,
    MaterialSubmitted,
    MatterDecided,
    MatterEnded,
    MatterReviewed,
    MatterReviewOverdue,
    MatterSubmitted,
    MeetingCancelled,
    MeetingConvened,
    MeetingHeld,
    MemberLeft,
    MemberNamed,
    MemberPledged,
    MembersAsked,
    MembersCalled,
)
from shared.contracts.referral import AgencyRegistered
from shared.deadline import Timer
from shared.decider import Anything, Refused
from tests.unit._given import given

MEETING, CASE, MATTER, MATERIAL, HANA, KEN = (UUID(int=n) for n in range(1, 7))
FIRST, SECOND, THIRD = (UUID(int=n) for n in range(11, 14))
DAY = date(2026, 5, 25)
NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
DAYS_90 = timedelta(days=90)

named = MemberNamed(body="shien-106-6", member="sato", agency="clinic")
pledged = MemberPledged(body="shien-106-6", member="sato", fiscal_year=2026)
left = MemberLeft(body="shien-106-6", member="sato")

submitted = MatterSubmitted(matter=MATTER, case=CASE, body="shien-106-6", subjects=(KEN,))
called = MembersCalled(matter=MATTER, case=CASE, members=("sato", "mori"))
material = MaterialSubmitted(
    matter=MATTER, case=CASE, person=KEN, true_class="money", text="借入が三件ある"
)
decided = MatterDecided(matter=MATTER, case=CASE, text="訪問を続ける")
promoted = FactPromoted(
    matter=MATTER, case=CASE, person=KEN, material=MATERIAL, money="借入が三件ある"
)
reviewed = MatterReviewed(matter=MATTER, case=CASE)
overdue = MatterReviewOverdue(matter=MATTER, case=CASE)
ended = MatterEnded(matter=MATTER, case=CASE)

convened = MeetingConvened(
    meeting=MEETING,
    bodies=("juso", "shien-106-6"),
    local_name="kasaneru",
    host="city",
    planned_on=DAY,
    invited=("care-centre", "clinic"),
)
held = MeetingHeld(meeting=MEETING, held_on=DAY, attended=("clinic",))
cancelled = MeetingCancelled(meeting=MEETING)

added = AgendaItemAdded(
    meeting=MEETING,
    case=CASE,
    body="juso",
    subjects=(HANA,),
    invited=("care-centre", "clinic"),
    bases=(FIRST, SECOND),
    planned_at=NOW,
)
again = added.model_copy(update={"bases": (THIRD,)})
removed = AgendaItemRemoved(meeting=MEETING, case=CASE)
outcome = DecisionRecorded(
    meeting=MEETING, case=CASE, subjects=(HANA,), outcome="plan_adequate", text="役割を分けた"
)


# The pool of a body


def test_a_member_is_named_once_and_pledges_once_a_year() -> None:
    given(member.DECIDER).when(member.Name(named)).then(named)
    given(member.DECIDER, named).when(member.Name(named)).then()
    given(member.DECIDER, named).when(member.Pledge(pledged)).then(pledged)
    given(member.DECIDER, named, pledged).when(member.Pledge(pledged)).then()
    next_year = pledged.model_copy(update={"fiscal_year": 2027})
    given(member.DECIDER, named, pledged).when(member.Pledge(next_year)).then(next_year)


def test_named_anew_a_member_pledges_anew() -> None:
    office = named.model_copy(update={"secretariat": True})
    given(member.DECIDER, named, pledged).when(member.Name(office)).then(office)
    given(member.DECIDER, named, pledged, office).when(member.Pledge(pledged)).then(pledged)
    given(member.DECIDER, named, left).when(member.Name(named)).then(named)


def test_who_is_not_in_the_pool_neither_pledges_nor_leaves() -> None:
    given(member.DECIDER).when(member.Pledge(pledged)).refused("member-is-absent")
    given(member.DECIDER, named, left).when(member.Leave(left)).refused("member-is-absent")
    given(member.DECIDER, named).when(member.Leave(left)).then(left)


def test_one_stream_holds_all_members_of_a_body() -> None:
    other = named.model_copy(update={"member": "mori"})
    pool = member.DECIDER.fold([named, other, pledged, left])
    assert set(pool.members) == {"sato", "mori"}
    assert set(pool.now) == {"mori"}


# Matters

MATTERS: dict[str, tuple[Event, ...]] = {
    "none": (),
    "live": (submitted, called, material),
    "ended": (submitted, called, material, ended),
}
ON_A_LIVE_MATTER: dict[str, tuple[matter.Command, Event]] = {
    "members": (
        matter.Call(("mori", "abe", "abe")),
        called.model_copy(update={"members": ("abe",)}),
    ),
    "enquiries": (
        matter.Ask(("abe", "abe")),
        MembersAsked(matter=MATTER, case=CASE, members=("abe",)),
    ),
    "materials": (matter.PutBefore(material), material),
    "decisions": (matter.RecordDecision(decided), decided),
    "reviews": (matter.Review(), reviewed),
    "promotions": (matter.Promote(promoted), promoted),
    "ending": (matter.End(), ended),
}


@pytest.mark.parametrize("move", ON_A_LIVE_MATTER)
def test_a_live_matter_takes_every_move_and_no_other_matter_does(move: str) -> None:
    command, event = ON_A_LIVE_MATTER[move]
    given(matter.DECIDER, *MATTERS["live"]).when(command).then(event)
    for status in ("none", "ended"):
        refusal = given(matter.DECIDER, *MATTERS[status]).when(command)
        assert refusal.refused(f"matter-is-{status}").allowed == ()


def test_what_a_live_matter_allows_is_what_can_be_done() -> None:
    assert matter.ALLOWED["live"] == tuple(ON_A_LIVE_MATTER)


def test_a_matter_is_submitted_once() -> None:
    given(matter.DECIDER).when(matter.Submit(submitted)).then(submitted)
    for status in ("live", "ended"):
        attempt = given(matter.DECIDER, *MATTERS[status]).when(matter.Submit(submitted))
        attempt.refused(f"matter-is-{status}")


def test_calling_the_same_members_again_writes_nothing() -> None:
    given(matter.DECIDER, *MATTERS["live"]).when(matter.Call(("sato",))).then()


def test_a_material_is_promoted_once() -> None:
    past = given(matter.DECIDER, *MATTERS["live"], promoted)
    past.when(matter.Promote(promoted)).refused("material-is-promoted")


def test_an_overdue_review_is_told_once_until_somebody_reviews() -> None:
    live = MATTERS["live"]
    given(matter.DECIDER, *live).when(matter.MarkOverdue()).then(overdue)
    given(matter.DECIDER, *live, overdue).when(matter.MarkOverdue()).then()
    given(matter.DECIDER, *live, overdue, reviewed).when(matter.MarkOverdue()).then(overdue)
    given(matter.DECIDER, *live, ended).when(matter.MarkOverdue()).refused("matter-is-ended")


def envelope(event: Event, at: datetime = NOW) -> Envelope:
    stream = f"matter/{MATTER}"
    return Envelope(
        MATTER, stream, 1, str(CASE), event.TYPE, at, at, "tanaka", "city", correlation=MATTER
    )


def test_the_review_is_due_90_days_after_submission_and_after_each_review() -> None:
    timer = Timer(f"matter/{MATTER}", NOW + DAYS_90, f"matter/{MATTER}", {"case": str(CASE)})
    assert list(deadlines.plan(submitted, envelope(submitted))) == [timer]
    assert list(deadlines.plan(reviewed, envelope(reviewed))) == [timer]
    due = deadlines.fire(timer.stream, timer.command or {}, NOW + DAYS_90)
    assert (due.decider, due.key, due.command) == (matter.DECIDER, str(CASE), matter.MarkOverdue())


def test_the_end_of_a_matter_cancels_its_review() -> None:
    assert list(deadlines.plan(ended, envelope(ended))) == [Timer(f"matter/{MATTER}", None)]


@pytest.mark.parametrize("event", [called, material, decided, promoted, overdue, convened, named])
def test_other_events_set_no_timer(event: Event) -> None:
    assert list(deadlines.plan(event, envelope(event))) == []


# Meetings

MEETINGS: dict[str, tuple[Event, ...]] = {
    "none": (),
    "planned": (convened,),
    "held": (convened, held),
    "cancelled": (convened, cancelled),
}
MOVES: dict[tuple[str, meeting.Command], Event] = {
    ("none", meeting.Convene(convened)): convened,
    ("planned", meeting.Hold(held)): held,
    ("planned", meeting.Cancel(cancelled)): cancelled,
}


@pytest.mark.parametrize("status", MEETINGS)
@pytest.mark.parametrize("command", [command for _, command in MOVES])
def test_a_planned_meeting_is_held_or_cancelled(status: str, command: meeting.Command) -> None:
    attempt = given(meeting.DECIDER, *MEETINGS[status]).when(command)
    if event := MOVES.get((status, command)):
        attempt.then(event)
    else:
        refusal = attempt.refused(f"meeting-is-{status}")
        assert (refusal.state, refusal.allowed) == (status, meeting.ALLOWED[status])


# One case at one sitting


def test_a_case_is_put_on_the_agenda_of_a_planned_meeting() -> None:
    given(sitting.DECIDER).when(sitting.AddItem(added, "planned")).then(added)
    past = given(sitting.DECIDER, added)
    past.when(sitting.AddItem(again, "planned")).refused("item-is-added")
    for status in ("none", "held", "cancelled"):
        attempt = given(sitting.DECIDER).when(sitting.AddItem(added, status))
        attempt.refused(f"meeting-is-{status}")


def test_without_a_basis_nothing_is_put_on_the_agenda() -> None:
    bare = added.model_copy(update={"bases": ()})
    given(sitting.DECIDER).when(sitting.AddItem(bare, "planned")).refused("no-live-basis")


@pytest.mark.parametrize("basis", added.bases)
def test_the_item_leaves_when_any_of_its_bases_ends(basis: UUID) -> None:
    given(sitting.DECIDER, added).when(sitting.LoseBasis(basis, "planned")).then(removed)


def test_the_end_of_a_basis_comes_too_late_for_a_held_or_removed_item() -> None:
    lose = sitting.LoseBasis(FIRST, "held")
    given(sitting.DECIDER, added).when(lose).refused("meeting-is-held")
    lose = sitting.LoseBasis(FIRST, "planned")
    given(sitting.DECIDER, added, removed).when(lose).refused("item-is-removed")
    given(sitting.DECIDER).when(lose).refused("item-is-absent")


def test_an_item_added_anew_rests_on_its_new_bases_only() -> None:
    past = given(sitting.DECIDER, added, removed)
    past.when(sitting.AddItem(again, "planned")).then(again)
    past = given(sitting.DECIDER, added, removed, again)
    past.when(sitting.LoseBasis(FIRST, "planned")).refused("basis-of-another-item")
    past.when(sitting.LoseBasis(THIRD, "planned")).then(removed)


def test_decisions_are_taken_at_held_meetings_on_items_that_stayed() -> None:
    decide = sitting.RecordDecision(outcome, "held")
    given(sitting.DECIDER, added).when(decide).then(outcome)
    given(sitting.DECIDER, added, outcome).when(decide).then(outcome)
    given(sitting.DECIDER, added, removed).when(decide).refused("item-is-removed")
    given(sitting.DECIDER).when(decide).refused("item-is-absent")
    early = given(sitting.DECIDER, added).when(sitting.RecordDecision(outcome, "planned"))
    assert "holding" in early.refused("meeting-is-planned").allowed


def test_a_statutory_body_decides_in_its_matter() -> None:
    item = added.model_copy(update={"body": "shien-106-6", "matter": MATTER, "bases": (MATTER,)})
    decide = sitting.RecordDecision(outcome, "held")
    given(sitting.DECIDER, item).when(decide).refused("decided-in-the-matter")


def test_which_bodies_share_without_consent_is_data() -> None:
    def statutory(on: date) -> set[str]:
        return {code for code in body_codes() if sitting.is_statutory(code, on)}

    assert statutory(date(2026, 4, 1)) == {"shien-106-6", "shien-9", "chosei-27-3"}
    assert statutory(date(2025, 3, 31)) == {"shien-9"}, "before 2025-04-01"
    assert not sitting.is_statutory("unknown", date(2026, 4, 1))


# Consents that cover a meeting (L6)

AGENCIES = ("care-centre", "clinic")
WORLD = World(
    agencies={
        code: AgencyRegistered(
            agency=code, name=code, kind="care", controller="private", purposes=("coordination",)
        )
        for code in (*AGENCIES, "council")
    },
    pools={"juso": {"sato": Member("sato", "clinic", False, NOW - DAYS_90)}},
)


def consent(id: UUID = FIRST, *, ended_at: datetime | None = None, **terms: Any) -> Consent:
    values: dict[str, Any] = {
        "person": HANA,
        "status": "granted",
        "classes": ("contact",),
        "purposes": ("coordination",),
        "holders": AGENCIES,
        "begins": NOW,
        **terms,
    }
    recorded = ConsentRecorded(
        consent=id, case=CASE, medium="paper", text_version="2026-04", **values
    )
    return Consent(recorded, ended_at=ended_at)


def covering(*consents: Consent, agencies: tuple[str, ...] = AGENCIES) -> tuple[UUID, ...]:
    return sitting.covering(consents, HANA, agencies, WORLD, NOW)


def test_one_consent_that_covers_all_is_the_basis() -> None:
    part = consent(SECOND, holders=("clinic",))
    assert covering(part, consent(FIRST)) == (FIRST,)
    assert covering() == ()


def test_of_several_the_longest_is_taken() -> None:
    short = consent(SECOND, until=NOW + DAYS_90)
    shorter = consent(THIRD, until=NOW + timedelta(days=1))
    assert covering(shorter, short, consent(FIRST)) == (FIRST,)
    assert covering(shorter, short) == (SECOND,)


def test_several_consents_may_cover_the_agencies_together() -> None:
    parts = consent(FIRST, holders=("clinic",)), consent(SECOND, holders=("care-centre",))
    assert set(covering(*parts)) == {FIRST, SECOND}
    assert covering(*parts, agencies=(*AGENCIES, "council")) == ()


def test_the_pool_of_a_named_group_is_covered() -> None:
    by_group = consent(holders=("care-centre",), group="juso")
    assert covering(by_group) == (FIRST,)
    assert covering(by_group, agencies=("council",)) == ()


@pytest.mark.parametrize(
    "not_enough",
    [
        consent(person=KEN),
        consent(status="refused"),
        consent(begins=NOW + timedelta(hours=1)),
        consent(until=NOW),
        consent(ended_at=NOW),
        consent(holders=("clinic",)),
        consent(excluded=("clinic",)),
        consent(purposes=("application",)),
    ],
    ids=["another person", "refused", "not begun", "over", "withdrawn", "one", "excluded", "purpose"],
)  # fmt: skip
def test_what_does_not_cover_every_agency_now_is_no_basis(not_enough: Consent) -> None:
    assert covering(not_enough) == ()


# Any commands, any events

STATUSES = st.sampled_from(list(meeting.ALLOWED))
BASES = st.lists(st.sampled_from([FIRST, SECOND, THIRD]), max_size=3).map(tuple)
SUBJECTS = st.sampled_from(["sato", "mori", "abe"])
EVENTS: list[Event] = [
    named, pledged, left, submitted, called, material, decided, promoted, reviewed, overdue, ended,
    convened, held, cancelled, added, again, removed, outcome,
    outcome.model_copy(update={"text": ERASED, "outcome": ERASED}),
]  # fmt: skip


def _as(event: Event, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(fields).map(lambda update: event.model_copy(update=update))


COMMANDS: dict[str, tuple[Anything, st.SearchStrategy[Any]]] = {
    "member": (
        member.DECIDER,
        st.one_of(
            st.builds(member.Name, _as(named, member=SUBJECTS, secretariat=st.booleans())),
            st.builds(member.Pledge, _as(pledged, member=SUBJECTS, fiscal_year=st.integers())),
            st.builds(member.Leave, _as(left, member=SUBJECTS)),
        ),
    ),
    "matter": (
        matter.DECIDER,
        st.one_of(
            st.sampled_from([matter.Submit(submitted), matter.MarkOverdue(), matter.End()]),
            st.sampled_from([command for command, _ in ON_A_LIVE_MATTER.values()]),
            st.builds(matter.Call, st.lists(SUBJECTS).map(tuple)),
            st.builds(matter.Promote, _as(promoted, material=st.sampled_from([FIRST, SECOND]))),
        ),
    ),
    "meeting": (meeting.DECIDER, st.sampled_from([command for _, command in MOVES])),
    "sitting": (
        sitting.DECIDER,
        st.one_of(
            st.builds(
                sitting.AddItem,
                _as(added, bases=BASES, body=st.sampled_from(["juso", "shien-9", "unknown"])),
                STATUSES,
            ),
            st.builds(sitting.LoseBasis, st.sampled_from([FIRST, SECOND, THIRD]), STATUSES),
            st.builds(sitting.RecordDecision, st.just(outcome), STATUSES),
        ),
    ),
}


def history(decider: Anything, commands: list[Any]) -> list[Event]:
    """What the commands write, each decided on what the earlier ones wrote."""
    written: list[Event] = []
    for command in commands:
        try:
            written += decider.decide(decider.fold(written), command)
        except Refused:
            continue
    return written


@for_all(st.data(), st.sampled_from(list(COMMANDS)))
def test_any_commands_are_carried_out_or_refused(data: st.DataObject, noun: str) -> None:
    decider, commands = COMMANDS[noun]
    history(decider, data.draw(st.lists(commands, max_size=20)))


@for_all(st.lists(st.sampled_from(EVENTS), max_size=20), st.sampled_from(list(COMMANDS)))
def test_any_events_can_be_folded(events: list[Event], noun: str) -> None:
    COMMANDS[noun][0].fold(events)


@for_all(st.lists(COMMANDS["sitting"][1], max_size=20))
def test_an_item_is_added_and_removed_in_turn(commands: list[sitting.Command]) -> None:
    turns = [e for e in history(sitting.DECIDER, commands) if not isinstance(e, DecisionRecorded)]
    assert all(isinstance(e, AgendaItemAdded) for e in turns[::2])
    assert all(isinstance(e, AgendaItemRemoved) for e in turns[1::2])


@for_all(st.lists(COMMANDS["matter"][1], max_size=20))
def test_nothing_follows_the_end_of_a_matter(commands: list[matter.Command]) -> None:
    kinds = [type(e) for e in history(matter.DECIDER, commands)]
    assert MatterEnded not in kinds[:-1]
    assert kinds.count(MatterSubmitted) <= 1
    reviews = [k for k in kinds if k in (MatterReviewed, MatterReviewOverdue)]
    assert (MatterReviewOverdue, MatterReviewOverdue) not in pairwise(reviews)
