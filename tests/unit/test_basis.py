"""Consent as intervals (L3, L4a, L19): properties, and an oracle written from the rules alone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import event as seen
from hypothesis import given
from hypothesis import strategies as st

from shared.basis import Consent, World, consents, covers, world
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    ConsentExpired,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentToldOfMember,
    ConsentWithdrawn,
    PersonFlagged,
)
from shared.contracts.meetings import MemberLeft, MemberNamed, MemberPledged
from shared.contracts.referral import AgencyRegistered

CASE, HANA, CONSENT = UUID(int=1), UUID(int=2), UUID(int=3)
IDS: dict[str, Any] = {"consent": CONSENT, "case": CASE}
AGENCIES = ("care", "clinic", "npo")
PURPOSES = ("consultation", "application", "coordination")
BODIES = ("juso", "sodankai")
START = datetime(2026, 4, 1, tzinfo=UTC)

days = st.integers(0, 12)
some_agencies = st.sampled_from((AGENCIES, AGENCIES[:2], AGENCIES[1:], ("npo",), ()))
ENDS: tuple[list[Event], ...] = ([], [], [ConsentWithdrawn(**IDS)], [ConsentExpired(**IDS)])
few_agencies = st.sampled_from(((), (), (), ("care",), ("npo", "clinic")))
few_flags = st.sampled_from(
    ((), (), (("died",),), (("abuse",), ()), ((), ("abuse", "died"), ("died",)))
)
narrowings = st.lists(
    st.builds(
        lambda excluded, dropped, until: ConsentNarrowed(
            **IDS, excluded=excluded, dropped=dropped, until=until and START + timedelta(days=until)
        ),
        few_agencies,
        st.sampled_from(((), (), ("contact",))),
        st.none() | st.integers(1, 12),
    ),
    max_size=2,
)
some_purposes = st.sampled_from((PURPOSES, PURPOSES[:2], PURPOSES[:1], PURPOSES[2:]))


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def recorded(event: Event, stream: str, version: int, at: datetime) -> Recorded:
    envelope = Envelope(
        id=UUID(int=version), stream=stream, version=version, key=str(CASE),
        type=event.TYPE, at=at, occurred_at=at, actor="a", agency="city", correlation=UUID(int=0),
    )  # fmt: skip
    return Recorded(event, envelope, {})


@dataclass(frozen=True)
class Story:
    """All that was recorded: one consent with what happened to it, the directory, the pools."""

    terms: ConsentRecorded
    consent_events: tuple[Recorded, ...]
    other_events: tuple[Recorded, ...]

    @property
    def consent(self) -> Consent:
        return consents(self.consent_events)[CONSENT]

    @property
    def world(self) -> World:
        return world(self.other_events)


@st.composite
def stories(draw: st.DrawFn, /, **fixed: Any) -> Story:
    """Most of them cover somebody at some time."""
    begins = draw(st.integers(0, 4))
    drawn = {
        "status": draw(st.sampled_from((*["granted"] * 8, "refused", "undecided"))),
        "purposes": draw(some_purposes),
        "holders": draw(st.sampled_from((("care",), (), ("npo", "clinic")))),
        "excluded": draw(few_agencies),
        "group": draw(st.sampled_from(("juso", None, "sodankai"))),
        "begins": day(begins),
        "until": draw(st.none() | st.integers(begins + 1, 14).map(day)),
        "proxy": draw(st.sampled_from((None, None, "curator"))),
    }
    said = ConsentRecorded(
        **IDS, person=HANA, classes=("contact",), medium="paper", text_version="1", **drawn | fixed
    )
    told = [ConsentToldOfMember(**IDS, agency=a) for a in draw(few_agencies)]
    less = draw(narrowings)
    ends: list[Event] = draw(st.sampled_from(ENDS))
    happened = [
        recorded(event, f"consent/{CONSENT}", n, day(draw(days)))
        for n, event in enumerate([said, *told, *less, *ends], 1)
    ]
    happened[0] = recorded(said, f"consent/{CONSENT}", 1, day(draw(st.integers(0, 4))))
    for n, standing in enumerate(draw(few_flags), 1):
        flagged = PersonFlagged(case=CASE, person=HANA, flags=standing)
        happened.append(recorded(flagged, f"case/{CASE}", n, day(3 * n)))
    others: list[Recorded] = []
    for agency in draw(st.sampled_from((AGENCIES, AGENCIES, AGENCIES[:2]))):
        for version, purposes in enumerate(
            draw(st.lists(some_purposes, min_size=1, max_size=2)), 1
        ):
            registered = AgencyRegistered(
                agency=agency, name=agency, kind="", controller="city", purposes=purposes
            )
            others.append(recorded(registered, f"agency/{agency}", version, day(0)))
    for body in BODIES:
        version = 0
        for agency in draw(some_agencies):
            since = draw(days)
            left = draw(st.none() | st.integers(since, 13))
            steps: list[tuple[Event, int]] = [
                (MemberNamed(body=body, member=f"of-{agency}", agency=agency), since)
            ]
            if left is not None:
                steps.append((MemberLeft(body=body, member=f"of-{agency}"), left))
            for event, when in steps:
                version += 1
                others.append(recorded(event, f"body/{body}", version, day(when)))
    return Story(said, tuple(happened), tuple(others))


ALL_DAYS = range(-1, 16)


def oracle(story: Story, agency: str, at: datetime) -> bool:
    """L3 word for word, from the events, without any fold."""
    said = story.terms
    if said.status != "granted":  # refused and undecided are not consent; nor is L4a
        return False
    ended = [
        e.envelope.occurred_at
        for e in story.consent_events
        if isinstance(e.event, ConsentWithdrawn | ConsentExpired)
    ]
    less = [e for e in story.consent_events if isinstance(e.event, ConsentNarrowed)]
    ended += [e.event.until for e in less if e.event.until]
    if at < said.begins or any(at >= end for end in [*ended, said.until] if end is not None):
        return False
    if agency in said.excluded:
        return False
    if any(agency in e.event.excluded for e in less if e.envelope.occurred_at <= at):
        return False
    if stands(story, at) & ({"died", "abuse"} if said.proxy else {"died"}):
        return False
    newest = [
        e.event.purposes
        for e in story.other_events
        if isinstance(e.event, AgencyRegistered) and e.event.agency == agency
    ][-1:]
    if not any(set(purposes).intersection(said.purposes) for purposes in newest):
        return False
    return agency in said.holders or (
        said.group is not None
        and in_pool(story, said.group, agency, at)
        and (in_pool(story, said.group, agency, said.begins) or was_told(story, agency, at))
    )


def stands(story: Story, at: datetime) -> set[str]:
    """The flags that were set last until then."""
    standing: set[str] = set()
    for e in sorted(story.consent_events, key=lambda e: e.envelope.version):
        if isinstance(e.event, PersonFlagged) and e.envelope.at <= at:
            standing = set(e.event.flags)
    return standing


def in_pool(story: Story, body: str, agency: str, at: datetime) -> bool:
    member, joined, left = f"of-{agency}", None, None
    for e in story.other_events:
        if isinstance(e.event, MemberNamed) and (e.event.body, e.event.member) == (body, member):
            joined = e.envelope.occurred_at
        if isinstance(e.event, MemberLeft) and (e.event.body, e.event.member) == (body, member):
            left = e.envelope.occurred_at
    return joined is not None and joined <= at and (left is None or at < left)


def was_told(story: Story, agency: str, at: datetime) -> bool:
    return any(
        isinstance(e.event, ConsentToldOfMember)
        and e.event.agency == agency
        and e.envelope.occurred_at <= at
        for e in story.consent_events
    )


def covered(story: Story) -> set[tuple[str, int]]:
    """Every agency and day for which the consent covers."""
    consent, known = story.consent, story.world
    return {(a, n) for a in AGENCIES for n in ALL_DAYS if covers(consent, a, known, day(n))}


@given(stories())
def test_covers_is_what_the_rule_says(story: Story) -> None:
    expected = {(a, n) for a in AGENCIES for n in ALL_DAYS if oracle(story, a, day(n))}
    seen("covers somebody" if expected else "covers nobody")
    assert covered(story) == expected


@given(stories(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(story: Story, chance: Any) -> None:
    """L19: a set, not an order; and what arrives twice counts once."""
    one, other = [*story.consent_events] * 2, [*story.other_events] * 2
    chance.shuffle(one)
    chance.shuffle(other)
    assert consents(one) == consents(story.consent_events)
    assert world(other) == story.world
    assert covered(Story(story.terms, tuple(one), tuple(other))) == covered(story)


@given(stories(status="granted"), st.sampled_from(ALL_DAYS).map(day))
def test_live_from_its_beginning_until_before_its_end(story: Story, at: datetime) -> None:
    consent = story.consent
    assert consent.live(at) == (
        story.terms.begins <= at and (consent.end is None or at < consent.end)
    )
    assert not consent.live(story.terms.begins - timedelta(microseconds=1))
    if consent.end:
        assert not consent.live(consent.end)
    if consent.end and consent.end > story.terms.begins:
        assert consent.live(story.terms.begins)
        assert consent.live(consent.end - timedelta(microseconds=1))


@given(stories(until=day(10)), st.data())
def test_the_earliest_end_holds(story: Story, data: st.DataObject) -> None:
    """Withdrawn before it would expire, expired though withdrawn later: the first one counts."""
    ends = [day(data.draw(days)) for _ in range(2)]
    events = [recorded(story.terms, f"consent/{CONSENT}", 1, START)]
    for n, (kind, at) in enumerate(zip((ConsentWithdrawn, ConsentExpired), ends, strict=True), 2):
        events.append(recorded(kind(**IDS), f"consent/{CONSENT}", n, at))
    assert consents(events)[CONSENT].end == min(*ends, day(10))


@given(
    st.sampled_from(("refused", "undecided", "cannot_consent")).flatmap(lambda s: stories(status=s))
)
def test_whatever_is_not_granted_never_covers(story: Story) -> None:
    assert covered(story) == set()


@given(stories(status="granted", excluded=("clinic",), holders=("clinic", "care")))
def test_the_excluded_are_never_covered(story: Story) -> None:
    """Not even if they are named, in the group, or the person was told of them."""
    assert not any(agency == "clinic" for agency, _ in covered(story))


@given(some_purposes, some_purposes)
def test_purposes_must_meet(asked: tuple[str, ...], registered: tuple[str, ...]) -> None:
    said = ConsentRecorded(
        **IDS, person=HANA, status="granted", classes=("contact",), purposes=asked, medium="oral",
        holders=("npo",), begins=day(0), text_version="1",
    )  # fmt: skip
    npo = AgencyRegistered(
        agency="npo", name="npo", kind="", controller="private", purposes=registered
    )
    meets = covers(Consent(said), "npo", World({"npo": npo}), day(1))
    assert meets == bool(set(asked) & set(registered))


def test_who_is_not_in_the_directory_is_not_covered() -> None:
    story = group_story(0, told=True)
    assert not covers(story.consent, "npo", World({}, story.world.pools), day(6))


def group_story(joined: int, told: bool, left: int | None = None) -> Story:
    said = ConsentRecorded(
        **IDS, person=HANA, status="granted", classes=("contact",), purposes=PURPOSES,
        medium="oral", group="juso", begins=day(5), text_version="1",
    )  # fmt: skip
    events: list[Event] = [said]
    if told:
        events.append(ConsentToldOfMember(**IDS, agency="npo"))
    registered = AgencyRegistered(
        agency="npo", name="npo", kind="", controller="private", purposes=("coordination",)
    )
    others = [
        recorded(registered, "agency/npo", 1, day(0)),
        recorded(MemberNamed(body="juso", member="m", agency="npo"), "body/juso", 1, day(joined)),
    ]
    if left is not None:
        others.append(recorded(MemberLeft(body="juso", member="m"), "body/juso", 2, day(left)))
    happened = [recorded(e, f"consent/{CONSENT}", n, day(5)) for n, e in enumerate(events, 1)]
    return Story(said, tuple(happened), tuple(others))


@given(st.integers(0, 9), st.booleans(), st.integers(5, 12))
def test_who_joins_the_group_later_is_covered_once_the_person_was_told(
    joined: int, told: bool, at: int
) -> None:
    story = group_story(joined, told)
    expected = joined <= at and (joined <= 5 or told)
    assert covers(story.consent, "npo", story.world, day(at)) == expected


@given(st.integers(0, 5), st.integers(6, 9), st.booleans(), st.integers(5, 12))
def test_who_leaves_the_group_is_covered_no_more(
    joined: int, left: int, told: bool, at: int
) -> None:
    story = group_story(joined, told, left)
    assert covers(story.consent, "npo", story.world, day(at)) == (at < left)


def test_the_pool_at_a_moment() -> None:
    known = group_story(2, told=False, left=7).world
    pools = [known.pool("juso", day(n)) for n in (1, 2, 6, 7)]
    assert pools == [set(), {"npo"}, {"npo"}, set()]
    assert known.pool("shien-106-6", day(3)) == set()


def test_pledges_are_kept_by_fiscal_year() -> None:
    events = [
        recorded(MemberNamed(body="juso", member="m", agency="npo"), "body/juso", 1, day(0)),
        recorded(MemberPledged(body="juso", member="m", fiscal_year=2026), "body/juso", 2, day(1)),
        recorded(MemberPledged(body="juso", member="m", fiscal_year=2027), "body/juso", 3, day(9)),
        recorded(MemberPledged(body="juso", member="x", fiscal_year=2027), "body/juso", 4, day(9)),
    ]
    members = world(events).pools["juso"]
    assert members["m"].years == {2026, 2027}
    assert list(members) == ["m"]


def test_what_happened_to_a_consent_that_is_not_known_changes_nothing() -> None:
    alone = recorded(ConsentWithdrawn(**IDS), f"consent/{CONSENT}", 2, day(3))
    assert consents([alone]) == {}


def pool_story(*steps: tuple[str, str, int]) -> World:
    """Each: who is named (or, with no agency, leaves), for which agency, on which day."""
    events: list[Recorded] = []
    for version, (member, agency, when) in enumerate(steps, 1):
        event = (
            MemberNamed(body="juso", member=member, agency=agency)
            if agency
            else MemberLeft(body="juso", member=member)
        )
        events.append(recorded(event, "body/juso", version, day(when)))
    return World(group_story(0, told=False).world.agencies, world(events).pools)


def test_an_agency_stays_in_the_group_while_its_members_come_and_go() -> None:
    """L3: it did not join later, though one of its members did, and comes back."""
    known = pool_story(("a", "npo", 0), ("b", "npo", 3), ("a", "", 6), ("a", "npo", 8))
    consent = group_story(0, told=False).consent
    assert all(covers(consent, "npo", known, day(n)) for n in range(5, 12))
    assert known.in_pool_since("juso", "npo", day(9)) == day(0)


@given(st.booleans())
def test_an_agency_that_left_the_group_and_comes_back_has_joined_later(told: bool) -> None:
    known = pool_story(("a", "npo", 0), ("a", "", 7), ("a", "npo", 9))
    covered = [covers(group_story(0, told).consent, "npo", known, day(n)) for n in (6, 8, 10)]
    assert covered == [True, False, told]


def test_a_member_who_goes_to_another_agency_takes_his_seat_along() -> None:
    known = pool_story(("a", "npo", 0), ("a", "care", 4))
    assert [known.pool("juso", day(n)) for n in (3, 4)] == [{"npo"}, {"care"}]


def test_who_comes_back_pledges_anew() -> None:
    """L5: a pledge ends with the stay in which it was given."""
    named = MemberNamed(body="juso", member="m", agency="npo")
    pledged = MemberPledged(body="juso", member="m", fiscal_year=2026)
    steps = [named, pledged, MemberLeft(body="juso", member="m"), named]
    events = [recorded(step, "body/juso", n, day(n)) for n, step in enumerate(steps, 1)]
    assert world(events[:2]).pools["juso"]["m"].years == {2026}
    assert world(events).pools["juso"]["m"].years == set()
