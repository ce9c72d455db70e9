"""The twelve examples of lawful-sharing.md by their numbers, real events folded.

The twelfth needs programmes under contract (L2), which the directory does not hold yet.
"""

from uuid import uuid5

from shared.contracts.intake import (
    SituationRecorded,
    WorriesRecorded,
)
from shared.contracts.meetings import (
    FactPromoted,
)
from shared.contracts.referral import ReferralRequested
from tests.unit._town import CASE, HANA, HOUR, KEN, MATTER, NAMES, town


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
