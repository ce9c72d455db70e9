"""Two persons are likely one, or not: by points of a dated table, measured on pairs made by rule."""

from uuid import UUID

import pytest

from operate.bench.matching import measure
from services.intake.domain.matching import likeness, looked_at, marks, traits
from shared.contracts import ERASED
from shared.contracts.intake import PersonDescribed

CASE, HANA = UUID(int=1), UUID(int=2)
KNOWN = {
    "name": "𠮷田 葛󠄀花",
    "kana": "ヨシダ カズハナ",
    "birth": "1944-03-02",
    "address": "生駒市𩸽町1-2",
}


def person(**known: object) -> PersonDescribed:
    return PersonDescribed.model_validate({"case": CASE, "person": HANA, **KNOWN, **known})


def likely(one: PersonDescribed, other: PersonDescribed) -> bool:
    return looked_at(marks(one), marks(other)) and likeness(traits(one), traits(other)).likely


@pytest.mark.parametrize(
    "typed",
    [
        {"kana": "ﾖｼﾀﾞ ｶｽﾞﾊﾅ", "name": "吉田葛花"},
        {"kana": "ヨシダ カズハマ"},
        {"birth": "1944-03"},
        {"birth": "1944-03-20", "address": "奈良市"},
    ],
)
def test_one_person_typed_twice_is_likely_one(typed: dict[str, str]) -> None:
    assert likely(person(), person(**typed))


@pytest.mark.parametrize(
    "other",
    [
        {"name": "𠮷田 健", "kana": "ヨシダ ケン"},
        {"birth": "1951-11-30", "address": "奈良市"},
        {"name": "𠮷田 次郎", "kana": "ヨシダ ジロウ", "birth": "1971-05-05"},
    ],
)
def test_a_twin_a_namesake_and_a_child_are_not(other: dict[str, str]) -> None:
    assert not likely(person(), person(**other))


def test_what_is_unknown_or_erased_speaks_neither_for_nor_against() -> None:
    gone = person(kana=None, phone=None).model_copy(update={"birth": ERASED})
    assert likeness(traits(person()), traits(gone)).levels == {"name": "equal", "address": "equal"}


def test_precision_and_recall_on_pairs_that_are_labelled_by_rule() -> None:
    """Typing errors, variants, moves and gaps on one side; families, twins and namesakes on the other."""
    measured = measure(3000)
    print(measured)
    assert measured.precision > 0.97
    assert measured.recall > 0.95
