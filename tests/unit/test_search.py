"""A name is found however it is typed: width, kana, long vowels, small kana, old forms, selectors."""

import unicodedata
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import assume
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.intake.domain.search import asked, described, folded
from services.intake.index import digests
from shared.contracts import ERASED
from shared.contracts.intake import PersonDescribed

CASE, HANA = UUID(int=1), UUID(int=2)
HIRAGANA = {c + 0x60: c for c in range(0x3041, 0x3097)}
HALF = {
    unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(0xFF66, 0xFF9E)
}  # one sound, one sign
SMALL = str.maketrans("ァィゥェォッャュョ", "アイウエオツヤユヨ")

VARIANTS: dict[str, tuple[str, ...]] = {
    "オオノ ユウコ": (
        "おおの ゆうこ",
        "オーノ ユーコ",
        "おうの",
        "オノ ユコ",
        "ｵｵﾉ",
        "ゆうこ おおの",
    ),
    "ハットリ ショウイチ": (
        "はつとり",
        "ハットリ　ショーイチ",
        "ﾊｯﾄﾘ",
        "しよういち",
        "ハットリショウイチ",
    ),
    "カトウ ウメ": ("かとううめ", "カトーウメ", "うめ"),
    "ミヅキ カヅコ": ("みずき", "ミズキ カズコ", "かづこ"),
    "サイトウ ジュン": ("さいとう じゅん", "サイトー", "じゆん", "ｻｲﾄｳ ｼﾞｭﾝ"),
    "𠮷田 花子": ("吉田", "吉田花子", "𠮷田　花子", "花子", "花"),
    "渡邉 澤子": ("渡辺", "渡邊 沢子", "澤子"),
    "髙﨑 眞": ("高崎", "髙崎真", "高﨑 眞"),
    "葛󠄀城 葉": ("葛城", "葛󠄁城", "葉"),
    "齋藤 恵": ("斎藤", "斉藤 惠", "齊藤"),
    "\u2067محمد\u2069 علی\u200c\u200f": ("محمد", "علی"),
    "👩‍👧 花": ("👩👧", "花"),
    "Nguyễn Thị Hoa": ("nguyễn", "ＮＧＵＹỄＮ", "Hoa Thị"),
}


def person(**known: object) -> PersonDescribed:
    return PersonDescribed.model_validate({"case": CASE, "person": HANA, **known})


def fits(query: str, **known: object) -> bool:
    fields = described(person(**known)).values()
    return all(any(word and word <= field for field in fields) for word in asked(query))


@pytest.mark.parametrize(
    ("name", "typed"), [(name, typed) for name, all_of in VARIANTS.items() for typed in all_of]
)
def test_a_name_is_found_by_each_of_its_spellings(name: str, typed: str) -> None:
    assert fits(typed, name=name)


@pytest.mark.parametrize("typed", ["ヤマダ", "小野寺", "はなよ", "田吉", "ー", "・"])
def test_another_name_is_not_found(typed: str) -> None:
    assert not fits(typed, name="𠮷田 花子", kana="ヨシダ ハナコ")


kana = st.text(st.sampled_from([chr(c) for c in range(0x30A1, 0x30F5)]), min_size=1, max_size=8)
spellings: tuple[Callable[[str], str], ...] = (
    lambda text: text.translate(HIRAGANA),
    lambda text: "".join(HALF.get(sign, sign) for sign in text),
    lambda text: text.translate(SMALL),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: "\u3000".join(text.split()),
    lambda text: "".join(text.split()),
    lambda text: text + "\U000e0100",
)


@for_all(st.lists(kana, min_size=1, max_size=3), st.lists(st.sampled_from(spellings), max_size=4))
def test_however_it_is_typed_it_is_found(
    parts: list[str], typed: list[Callable[[str], str]]
) -> None:
    name = query = " ".join(parts)
    for spelling in typed:
        query = spelling(query)
    assume(all(asked(query)))
    assert fits(query, kana=name)


@for_all(st.text(max_size=40))
def test_whatever_is_typed_is_taken(query: str) -> None:
    assert all(isinstance(word, set) for word in asked(query))
    assert folded(folded(query)) == folded(folded(folded(query)))


@pytest.mark.parametrize(
    "typed",
    [
        "1944-03-02",
        "1944/3/2",
        "1944年3月2日",
        "S19.3.2",
        "昭和19年3月2日",
        "１９４４-03",
        "昭和19年",
        "1944",
    ],
)
def test_a_birth_date_is_found_in_both_calendars_and_by_its_parts(typed: str) -> None:
    assert fits(typed, birth="1944-03-02")


def test_the_first_year_of_an_era_and_a_day_that_is_none() -> None:
    assert fits("令和元年5月1日", birth="2019-05-01")
    assert not fits("1944-02-31", birth="1944-02-03", name="花")


@pytest.mark.parametrize(
    "typed", ["0743-00-0000", "0743000000", "(0743)00-0000", "０７４３−00-0000"]
)
def test_a_telephone_is_found_by_its_digits(typed: str) -> None:
    assert fits(typed.replace("−", "-"), phone="0743-00-0000")


def test_words_of_several_kinds_are_all_asked_for() -> None:
    known = {"name": "𠮷田 花", "birth": "1944-03-02", "address": "生駒市𩸽町辻󠄀1-2"}
    assert fits("吉田 1944 𩸽町", **known)
    assert not fits("吉田 1945", **known)


def test_what_is_erased_is_not_found() -> None:
    gone = person(name="花").model_copy(update={"name": ERASED})
    assert described(gone) == {}


def test_the_index_of_one_person_is_the_same_however_its_terms_come() -> None:
    assert digests(b"key", ["a", "b", "c"]) == digests(b"key", ["c", "a", "b"])
