"""Why an item is in a document or not: each rule by its number, and no other answer than the judge's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.views.domain.disclose import disclose
from services.views.domain.facts import facts
from services.views.domain.grant import Bases
from services.views.domain.why import PERMITTING, Code, Reason, reasons
from services.views.words import reasons as words
from shared.basis import world
from shared.contracts.intake import (
    BasisEnded,
    ReporterRecorded,
    SituationRecorded,
    UrgencyJudged,
    WorriesRecorded,
)
from shared.contracts.meetings import MemberNamed
from tests.unit._town import CASE, HANA, HOUR, KEN, NAMES, START, Town, town
from tests.unit.test_bases_model import AGENCIES, History, Step, directory, steps
from tests.unit.test_examples import APRIL, succession

Told = Callable[[], Town]
CONTACT = ("contact",)


def why(case: Town, agency: str, field: str, person: UUID = HANA, **of: Any) -> Reason:
    """Of the newest such fact of that person alone, or of several."""
    known, at = world(case.events), of.get("at") or case.now()
    told = reasons(facts(case.events), Bases.of(case.events), known, agency, at)
    found = {f.age: r for f, r in told if f.field == field and f.person == of.get("who", person)}
    return found[max(found)]


def later_in_the_pool() -> Town:
    case = town()
    case.tell(MemberNamed(body="juso", member="a", agency="care"), stream="body/juso")
    case.consent("g", HANA, group="juso", begins=case.now(), classes=CONTACT)
    return case.tell(MemberNamed(body="juso", member="b", agency="clinic"), stream="body/juso")


def died() -> Town:
    case = town().consent("a", HANA, "care").flag(HANA, "died")
    return case.tell(SituationRecorded(case=CASE, person=HANA, health="その後"))


def judged_urgent() -> Town:
    case = town().consent("a", HANA, "care").consent("b", KEN, "care")
    return case.tell(UrgencyJudged(case=CASE, urgency="high"))


def told_of_both() -> Town:
    text = WorriesRecorded(case=CASE, concerns=("care",), text="母と息子")
    return town().tell(text).consent("a", HANA, "care", classes=("life_history",))


def marked() -> Town:
    fact = SituationRecorded(case=CASE, person=HANA, health="内緒", not_to=("care",))
    return town().consent("a", HANA, "care").tell(fact)


def newer() -> Town:
    return (
        town()
        .consent("a", HANA, "care")
        .tell(SituationRecorded(case=CASE, person=HANA, health="新しい"))
    )


CASES: dict[str, tuple[Told, str, str, dict[str, Any], str]] = {
    "own_record": (town, "lead", "name", {}, "L2"),
    "consent": (lambda: town().consent("a", HANA, "care"), "care", "name", {}, "L3"),
    "urgent": (lambda: town().urgent("u", "clinic"), "clinic", "health", {}, "L7"),
    "ground": (lambda: town().ground("g", "council"), "council", "health", {}, "L8"),
    "warned": (lambda: town().protect(HANA, "address"), "lead", "address", {}, "L11"),
    "not_to": (marked, "care", "health", {}, "L1"),
    "protected": (
        lambda: town().protect(HANA, "address").consent("a", HANA, "care"), "care", "address", {}, "L11"
    ),
    "sealed": (lambda: town().matter(), "council", "text", {"person": KEN}, "L12"),
    "reporter": (
        lambda: town().consent("a", HANA, "care").tell(ReporterRecorded(case=CASE, route="agency")),
        "care", "route", {"who": None}, "L22",
    ),
    "passed_on": (
        succession, "care", "health", {"person": KEN, "at": APRIL}, "L2"
    ),
    "others": (told_of_both, "care", "text", {"who": None}, "L4"),
    "other_provider": (
        lambda: town().ground("g", "council", provider="job"), "council", "health", {}, "L8"
    ),
    "stopped": (died, "care", "health", {}, "L4a"),
    "other_class": (lambda: town().consent("a", HANA, "care"), "care", "money", {}, "L3"),
    "judgement": (judged_urgent, "care", "urgency", {"who": None}, "L22"),
    "excluded": (
        lambda: town().consent("a", HANA, "care").narrow("a", excluded=("care",)),
        "care", "name", {}, "L3",
    ),
    "other_purpose": (
        lambda: town().consent("a", HANA, "care", purposes=("coordination",)), "care", "name", {}, "L3"
    ),
    "joined_later": (later_in_the_pool, "clinic", "name", {"at": START + 2 * HOUR}, "L3"),
    "ended": (lambda: town().consent("a", HANA, "care").withdraw("a"), "care", "name", {}, "L1"),
    "not_begun": (
        lambda: town().consent("a", HANA, "care", begins=START + timedelta(days=9)),
        "care", "name", {}, "L1",
    ),
    "not_given": (
        lambda: town().consent("a", HANA, "care", status="refused"), "care", "name", {}, "L3"
    ),
    "not_registered": (
        lambda: town().consent("a", HANA, "stranger"), "stranger", "name", {}, "L1"
    ),
    "not_named": (lambda: town().consent("a", HANA, "care"), "clinic", "name", {}, "L1"),
    "no_basis": (town, "care", "name", {}, "L1"),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_the_reason_names_the_rule(code: Code) -> None:
    told, agency, field, of, rule = CASES[code]
    assert why(told(), agency, field, **of).code == code
    assert words()[code]["rule"] == rule


def test_of_several_bases_the_one_that_came_nearest_is_the_reason() -> None:
    case = town().consent("a", HANA, "care", status="refused").consent("b", HANA, "clinic")
    case.consent("c", HANA, "care").withdraw("c").urgent("u", "care").on_basis("u", BasisEnded)
    assert why(case, "care", "name").code == "ended"
    assert why(case, "care", "name", KEN).code == "no_basis"


def test_an_older_value_is_not_shown_because_a_newer_one_is() -> None:
    """L17"""
    case = newer()
    told = reasons(
        facts(case.events), Bases.of(case.events), world(case.events), "care", case.now()
    )
    assert [r.code for f, r in told if f.field == "health" and f.person == HANA] == [
        "consent", "newer",
    ]  # fmt: skip


def test_every_reason_has_a_rule_and_both_sentences() -> None:
    assert words().keys() == set(get_args(Code))
    assert all(row.keys() == {"rule", "ja", "en"} for row in words().values())
    assert {*CASES, "newer", "other_case"} == set(get_args(Code))


def test_a_basis_of_a_merged_case_that_nobody_confirmed_for_this_one_gives_nothing() -> None:
    """L18"""
    case = town().consent("a", HANA, "care")
    elsewhere = replace(
        Bases.of(case.events), counts_in={uuid5(NAMES, "a"): frozenset((uuid5(NAMES, "other"),))}
    )
    told = reasons(facts(case.events), elsewhere, world(case.events), "care", case.now())
    assert {r.code for f, r in told if f.field == "name" and f.person == HANA} == {"other_case"}


@settings(max_examples=120)
@given(st.lists(steps, min_size=8, max_size=24))
def test_a_reason_permits_exactly_what_is_disclosed(drawn: list[Step]) -> None:
    history = History()
    history.do("open", {})
    for kind, terms in drawn:
        history.do(kind, terms)
    known = world([*directory(), *history.world_events])
    bases, at = Bases.of(history.events), history.now()
    for agency in (*AGENCIES, "stranger"):
        shown = disclose(history.facts, bases, known, agency, at).items
        told = list(reasons(history.facts, bases, known, agency, at))
        assert len(told) == len(history.facts)
        assert {f for f, r in told if r.permits} == {i.fact for i in shown if not i.warned}
        assert {f for f, r in told if r.code == "warned"} == {i.fact for i in shown if i.warned}
        assert all(bool(r.bases) == (r.permits or r.code == "warned") for _, r in told)
        assert {r.code for _, r in told if r.permits} <= PERMITTING
