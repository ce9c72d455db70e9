"""The demo's plan: the same seed gives the same year, and every year has some of each kind."""

from collections import Counter
from datetime import date, datetime

import pytest

from operate.demo.drive import stops
from operate.demo.ikoma import Ikoma
from operate.demo.intent import Intent, resolved
from operate.demo.plan import Year, year
from operate.demo.setting import STATUTORY_POOL
from operate.demo.workdays import TOKYO

IKOMA = Ikoma.sized(60)
SEED = 292095


@pytest.fixture(scope="module")
def sixty() -> Year:
    return year(60, SEED, IKOMA)


def kinds(of: Year) -> Counter[str]:
    return Counter(intent.kind for intent in of.intents if intent.expect is None)


def test_the_same_seed_gives_the_same_year(sixty: Year) -> None:
    assert year(60, SEED, Ikoma.sized(60)) == sixty
    assert year(60, SEED, Ikoma.sized(60)).invented == sixty.invented
    assert year(60, SEED + 1).intents != sixty.intents


@pytest.mark.parametrize("cases", [1, 7, 20, 60, 250])
def test_any_size_can_be_planned(cases: int) -> None:
    made = year(cases, SEED, IKOMA)
    assert kinds(made)["case"] == cases
    assert made.sittings >= 4


@pytest.mark.parametrize("seed", [1, 2, SEED])
def test_a_small_year_has_some_of_each_kind(seed: int) -> None:
    made = year(60, seed, IKOMA)
    found = kinds(made)
    assert found["withdrawal"] >= 2
    assert found["decline"] >= 2
    assert found["matter"] >= 2
    assert found["matter-materials"] >= 2
    assert found["matter-promotions"] >= 1
    assert found["told"] >= 1
    assert found["meeting-cancellation"] >= 1
    assert found["meeting-tasks"] >= 2
    assert found["task-completion"] >= 1
    assert found["survey"] == 1
    assert found["course"] >= 2
    answers = [i.body["status"] for i in made.intents if i.kind == "consent"]
    assert {"granted", "refused"} <= set(answers)
    assert any(i.body["group"] == "juso" for i in made.intents if i.kind == "consent")
    marked = [i for i in made.intents if i.kind == "section-situation"]
    assert any(i.body["situation"].get("not_to") for i in marked)
    assert len({i.expect for i in made.intents if i.expect}) >= 2
    assert (found["contract"], found["seat"], found["takeover"]) == (2, 2, 1)


def test_some_is_typed_late_and_one_of_it_in_another_month(sixty: Year) -> None:
    late = [i for i in sixty.intents if i.occurred_at]
    assert len(late) >= 2
    assert any(i.happened.month != i.at.month for i in late)
    assert all(i.happened <= i.at for i in sixty.intents)


def test_all_happens_within_the_hours_of_working_days(sixty: Year) -> None:
    days = IKOMA.workdays
    assert days.first == date(2026, 4, 1)
    assert date(2026, 5, 4) not in days.days
    assert date(2026, 12, 29) not in days.days
    for intent in sixty.intents:
        if not intent.chain.startswith("setting/"):
            assert intent.at.date() in days.days
            assert days.opens <= intent.at.time() <= days.closes


def test_what_an_intent_builds_on_comes_before_it(sixty: Year) -> None:
    by_id = {intent.id: intent for intent in sixty.intents}
    assert len(by_id) == len(sixty.intents)
    for intent in sixty.intents:
        for needed in intent.needed:
            assert by_id[needed].at < intent.at


def test_the_clock_stands_after_all_that_is_sent(sixty: Year) -> None:
    moments = stops(sixty, IKOMA.workdays)
    assert [at for at, _ in moments] == sorted({at for at, _ in moments})
    assert sum(len(sent) for _, sent in moments) == len(sixty.intents)
    assert all(intent.at <= at for at, sent in moments for intent in sent)


def test_volumes_follow_the_file() -> None:
    made = year(2000, SEED)
    found, volume = kinds(made), IKOMA.defaults["volume"]
    assert found["case"] == volume["new_consultations_year"]
    assert found["referral"] == pytest.approx(volume["referrals_year"], rel=0.15)
    contacts = (found["case"] + found["record"]) / found["case"]
    assert contacts == pytest.approx(volume["contacts_per_consultation_mean"], rel=0.15)
    assert made.sittings == IKOMA.defaults["meetings"]["per_year"]


def test_names_bring_the_characters_that_break_things(sixty: Year) -> None:
    text = "".join(sixty.invented)
    assert "𠮷" in text
    assert "葛\U000e0100" in text
    assert "辻\U000e0100" in text
    assert any("0743-00-" in value or "090-0000-" in value for value in sixty.invented)
    assert not any("\n" in value for value in sixty.invented)


def test_every_invented_text_of_an_intent_is_listed(sixty: Year) -> None:
    listed = set(sixty.invented)
    for intent in sixty.intents:
        for name in ("text", "need", "note"):
            if value := intent.body.get(name):
                assert value in listed


def test_keys_and_references_do_not_depend_on_the_run() -> None:
    at = datetime(2026, 4, 1, 10, tzinfo=TOKYO)
    actor = next(i.actor for i in year(1, SEED, IKOMA).intents)
    intent = Intent("a", at, "case", "intake", "POST", "/v1/cases", {}, actor, "a")
    assert intent.key(1) == intent.key(1) != intent.key(2)
    assert resolved({"on": at, "none": None}, {}) == {"on": at.isoformat(), "none": None}


def test_members_are_named_at_agencies_of_the_directory() -> None:
    assert set(STATUTORY_POOL) <= set(IKOMA.agencies)
