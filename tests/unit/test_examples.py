"""The twelve examples of lawful-sharing.md by their numbers, real events folded."""

from datetime import datetime, timedelta
from uuid import uuid5

from shared.contracts.intake import (
    PersonDescribed,
    SituationRecorded,
    WorriesRecorded,
)
from shared.contracts.meetings import (
    FactPromoted,
    MemberNamed,
    MembersCalled,
)
from shared.contracts.referral import ContractEnded, DeskMemberLeft, ReferralRequested
from tests.unit._town import BODY, CASE, HANA, HOUR, KEN, MATTER, NAMES, START, Town, town


def test_example_1_consent_covers_one_person_in_the_consented_classes() -> None:
    """L3, L4"""
    assert town().consent("a", HANA, "care").values("care") == {
        ("name", "花"),
        ("address", "生駒市"),
        ("living_with", ("child",)),
        ("relation", "self"),
        ("health", "ひざ"),
    }


def test_example_2_a_refusal_shows_nowhere() -> None:
    before = town().consent("a", HANA, "care")
    held = before.values("care")
    after = before.consent("b", KEN, "care", status="refused")
    assert after.values("care") == held
    assert set(after.shown("care").persons) == {HANA}


def test_example_3_what_is_put_before_a_body_is_open_to_its_pledged_members_only() -> None:
    """L5, L12: no document changes."""
    case = town().consent("a", HANA, "care")
    before = {agency: case.values(agency) for agency in ("care", "clinic", "council", "lead")}
    case.matter().pledge("doctor").pledge("clerk")
    assert case.opens("doctor", "clinic") == {"三百万円"} == case.opens("clerk", "council")
    assert {agency: case.values(agency) for agency in before} == before


def test_example_4_no_pledge_no_opening() -> None:
    assert town().matter().pledge("clerk").opens("doctor", "clinic") == set()


def test_example_5_a_promoted_fact_is_ordinary_and_the_matter_goes_on() -> None:
    case = town().matter().pledge("doctor").consent("k", KEN, "council", classes=("money",))
    case.tell(FactPromoted(matter=MATTER, case=CASE, person=KEN, material=MATTER, money="三百万円"))
    assert ("money", "三百万円") in case.values("council")
    assert case.opens("doctor", "clinic") == {"三百万円"}


def test_example_6_a_withdrawal_empties_the_document() -> None:
    assert town().consent("a", HANA, "care").withdraw("a").values("care") == set()


def test_example_7_a_protected_address_is_absent() -> None:
    """L11: for who never held it without a word."""
    case = town().protect(HANA, "address", "clinic").consent("a", HANA, "care", "clinic")
    assert ("name", "花") in case.values("care")
    assert ("address", "生駒市") not in case.values("care")
    assert case.warnings("care") == set()
    assert ("address", "生駒市") in case.values("clinic")


def test_example_8_an_urgent_basis_that_nobody_reviewed_keeps_and_gives_nothing_new() -> None:
    """L7"""
    case = town().urgent("u", "clinic", classes=("health_disability",))
    assert case.values("clinic") == {("health", "ひざ")}
    late = case.now() + HOUR
    case.tell(SituationRecorded(case=CASE, person=HANA, health="骨折"), at=late)
    assert case.values("clinic", late + HOUR / 2) == {("health", "ひざ")}
    assert case.values("clinic", late + HOUR) == set()


def test_example_9_a_referral_takes_nothing_away_from_what_a_consent_covers() -> None:
    """L9: the referral has its own classes; the document holds both that the consent names."""
    case = town().consent("k", KEN, "job", classes=("work_school", "money"))
    referral = ReferralRequested(
        referral=MATTER, case=CASE, person=KEN, sender="lead", receiver="job",
        classes=("work_school",), need="仕事を探したい", bases=(uuid5(NAMES, "k"),),
    )  # fmt: skip
    assert case.tell(referral).values("job") == {("money", "借金"), ("work", "無職")}


def test_example_10_text_about_two_needs_the_consent_of_both() -> None:
    """L4"""
    text = WorriesRecorded(case=CASE, concerns=("care",), text="母と息子")
    case = town().tell(text).consent("a", HANA, "care", classes=("life_history",))
    assert ("text", "母と息子") not in case.values("care")
    case.consent("b", KEN, "care", classes=("life_history",))
    assert ("text", "母と息子") in case.values("care")


def test_example_11_what_was_heard_in_a_meeting_is_sealed_wherever_it_is_typed() -> None:
    """L12"""
    case = town().matter().pledge("doctor").consent("k", KEN, "clinic", classes=("money",))
    heard = SituationRecorded(
        case=CASE, person=KEN, money="会議で聞いた", source="meeting", matter=MATTER
    )
    case.tell(heard, agency="clinic")
    for agency in ("clinic", "lead", "council"):
        assert "会議で聞いた" not in {value for _, value in case.values(agency)}
    assert "会議で聞いた" in case.opens("doctor", "clinic")


APRIL = START + timedelta(days=365)
YEAR = timedelta(days=365)


def succession() -> Town:
    """The care centre runs the visits until April, the clinic from then on. The centre recorded one thing
    at the programme's desk, another in its own right.
    """
    terms = (("care", START, APRIL), ("clinic", APRIL, APRIL + YEAR))
    case = town().programme("visits", *terms).seat("visits-desk", "care", "visitor")
    visited = SituationRecorded(case=CASE, person=KEN, health="訪問の記録")
    case.tell(visited, agency="care", actor="visitor")
    return case.tell(SituationRecorded(case=CASE, person=KEN, work="自主の記録"), agency="care")


def told(case: Town, agency: str, at: datetime) -> set[tuple[str, object]]:
    return case.values(agency, at) - {("source", "person")}


def test_example_12_a_programmes_records_pass_with_its_contract() -> None:
    """L2"""
    case, late = succession(), APRIL - timedelta(microseconds=1)
    under, own = ("health", "訪問の記録"), ("work", "自主の記録")
    assert told(case, "care", late) == {under, own}
    assert told(case, "clinic", late) == set()
    assert told(case, "care", APRIL) == {own}
    assert told(case, "clinic", APRIL) == {under}
    bases = {item.bases for item in case.shown("clinic", APRIL).items}
    assert bases == {(("own_record", "clinic", "visits"),)}


def test_example_12_a_consent_goes_on_with_the_desk_that_it_named_not_with_the_body() -> None:
    """L2, L3"""
    case = succession().consent("to the desk", HANA, "visits-desk", classes=("contact",))
    case.consent("to the body", HANA, "care", classes=("health_disability",))
    late = APRIL - timedelta(microseconds=1)
    assert {("name", "花"), ("health", "ひざ")} <= case.values("care", late)
    assert ("name", "花") not in case.values("care", APRIL)
    assert ("health", "ひざ") in case.values("care", APRIL)
    assert ("name", "花") in case.values("clinic", APRIL)
    assert ("health", "ひざ") not in case.values("clinic", APRIL)


def test_example_12_a_referral_that_was_sent_from_the_programmes_desk_passes_with_it() -> None:
    """L2, L9: what was asked is the programme's record, whoever received it."""
    asked = ReferralRequested(
        referral=MATTER, case=CASE, person=KEN, sender="care", receiver="job",
        classes=("work_school",), need="訪問で聞いた願い", bases=(),
    )  # fmt: skip
    case = succession().tell(asked, agency="care", actor="visitor")
    need = ("need", "訪問で聞いた願い")
    assert need in case.values("care", APRIL - HOUR)
    assert need not in case.values("clinic", APRIL - HOUR)
    assert need not in case.values("care", APRIL)
    assert need in case.values("clinic", APRIL)


def test_a_member_for_a_programmes_desk_reads_until_his_seat_or_the_contract_ends() -> None:
    """L5, L12, L2: whoever comes after him, or he himself again, is named, pledges and is called anew."""
    debt, half = {"三百万円"}, START + YEAR / 2
    terms = (("care", START, half), ("clinic", half, APRIL), ("care", APRIL, APRIL + YEAR))
    case = town().programme("visits", *terms).seat("visits-desk", "care", "visitor").matter()
    named = MemberNamed(body=BODY, member="visitor", agency="care", desk="visits-desk")
    called = MembersCalled(matter=MATTER, case=CASE, members=("visitor",))
    case.tell(named, stream=f"body/{BODY}").pledge("visitor").tell(called)
    assert case.opens("visitor", "care", half - HOUR) == debt
    for at in (half, APRIL):
        assert case.opens("visitor", "care", at) == set()
    case.tell(named, stream=f"body/{BODY}", at=APRIL)
    assert case.opens("visitor", "care", APRIL) == set(), "not pledged anew"
    assert case.pledge("visitor", 2027).opens("visitor", "care", APRIL) == debt
    left = DeskMemberLeft(desk="visits-desk", agency="care", member="visitor")
    case.tell(left, stream="desk/visits-desk", at=APRIL + HOUR)
    assert case.opens("visitor", "care", APRIL + HOUR) == set()


def test_an_agency_is_in_a_group_by_a_desk_for_as_long_as_it_has_it() -> None:
    """L3, L2: a new contract with the same body is no break; the next body joins later."""
    over = APRIL + YEAR
    terms = (("care", START, APRIL), ("care", APRIL, over), ("clinic", over, over + YEAR))
    case = town().programme("visits", *terms)
    for agency in ("care", "clinic"):
        case.seat("visits-desk", agency, f"of-{agency}")
        named = MemberNamed(body="juso", member=f"of-{agency}", agency=agency, desk="visits-desk")
        case.tell(named, stream="body/juso")
    case.consent("g", HANA, group="juso", begins=case.now())
    for at in (case.now(), APRIL, over - HOUR):
        assert case.values("care", at)
        assert not case.values("clinic", at)
    assert case.values("care", over) == case.values("clinic", over) == set()


def test_between_two_contracts_nobody_holds_a_programmes_records() -> None:
    """L2"""
    gap = APRIL + timedelta(days=1)
    case = town().programme("visits", ("care", START, APRIL), ("clinic", gap, gap + YEAR))
    case.seat("visits-desk", "care", "visitor")
    case.tell(WorriesRecorded(case=CASE, concerns=("care",)), agency="care", actor="visitor")
    for agency in ("care", "clinic", "lead"):
        assert ("concerns", ("care",)) not in case.values(agency, APRIL)
    assert case.values("clinic", gap) == {("concerns", ("care",))}


def test_whoever_takes_a_programme_over_gets_no_address_that_was_protected_before() -> None:
    """L11, L2: he neither recorded it nor held it, so he is not even warned."""
    case = town().programme("visits", ("care", START, APRIL), ("clinic", APRIL, APRIL + YEAR))
    case.seat("visits-desk", "care", "visitor")
    found = PersonDescribed(case=CASE, person=HANA, address="新しい住所")
    case.tell(found, agency="care", actor="visitor").protect(HANA, "address")
    assert case.warnings("care", APRIL - HOUR) == {"address"}
    assert case.warnings("clinic", APRIL) == case.warnings("care", APRIL) == set()
    assert case.values("clinic", APRIL) == set()


def test_a_ground_covers_what_its_provider_holds_and_ends_with_his_contract() -> None:
    """L8: contract work covers its programme only."""
    case = succession()
    more = {"persons": (KEN,), "classes": ("health_disability", "work_school")}
    case.ground("g", "council", provider="care", **more)
    under, own = ("health", "訪問の記録"), ("work", "自主の記録")
    assert told(case, "council", case.now()) == {under, own}
    soon = case.now() + HOUR
    contract = uuid5(NAMES, f"care {START}")
    ended = ContractEnded(programme="visits", contract=contract, ends=soon)
    case.tell(ended, stream="programme/visits")
    assert told(case, "council", soon) == {own}
