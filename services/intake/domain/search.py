"""What a name, an address, a telephone or a birth date is found by, however it is typed (L24). Pure.

Each gives a set of terms; a search finds what holds all terms of a word. The terms are stored only as
keyed digests (`view`): bigrams and single characters, so a part of a name is enough.
"""

import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files

from shared.contracts.intake import PersonDescribed

NAMES = ("name", "kana", "common_name", "former_name")
ERAS = {"M": 1867, "T": 1911, "S": 1925, "H": 1988, "R": 2018}
"""Year 1 of the era is the next year."""
ERA_NAMES = {"明治": "M", "大正": "T", "昭和": "S", "平成": "H", "令和": "R"}
KATAKANA = {c: c + 0x60 for c in range(0x3041, 0x3097)}
SMALL = str.maketrans("ァィゥェォッャュョヮヵヶヂヅヲヴ", "アイウエオツヤユヨワカケジズオブ")
ROWS = {
    "ア": "アカガサザタダナハバパマヤラワ",
    "イ": "イキギシジチニヒビピミリ",
    "ウ": "ウクグスズツヌフブプムユル",
    "エイ": "エケゲセゼテデネヘベペメレ",
    "オウ": "オコゴソゾトドノホボポモヨロ",
}
LONG = [(re.compile(f"([{row}])[{vowels}]+"), r"\1") for vowels, row in ROWS.items()]
SPACE = re.compile(r"\s+")
INVISIBLE = re.compile(
    "[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Variation selectors, joiners, marks of direction."""
SOUNDLESS = re.compile(r"[ー‐‑–—―−・･·.'’-]")
PHONE = re.compile(r"[0-9]{6,15}")
BIRTH = re.compile(r"([0-9]{4})(?:[-/.年]([0-9]{1,2}))?(?:[-/.月]([0-9]{1,2}))?[年月日]?")
ERA_BIRTH = re.compile(
    r"([MTSHR])([0-9]{1,2}|元)[-/.年]?(?:([0-9]{1,2})[-/.月]?)?(?:([0-9]{1,2})日?)?"
)


@cache
def _variants() -> dict[int, str]:
    text = files(__package__).joinpath("variants.toml").read_text("utf-8")
    pairs: dict[str, str] = tomllib.loads(text)["folded"]
    return {ord(old): new for old, new in pairs.items() if len(old) == 1}


def folded(text: str) -> str:
    """One spelling for all: width, case, kana, long vowels, small kana, variants. Spaces stay."""
    plain = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold()
    kana = plain.translate(KATAKANA).translate(SMALL).translate(_variants())
    sounded = SOUNDLESS.sub("", kana)
    for pattern, short in LONG:
        sounded = pattern.sub(short, sounded)
    return sounded


def terms(text: str) -> set[str]:
    """Characters and bigrams of a text, with its spaces and without."""
    parts = SPACE.split(folded(text).strip())
    found = set().union(*(_grams(part) for part in (*parts, "".join(parts))))
    return found | _grams(folded(SPACE.sub("", text)))


def _grams(text: str) -> set[str]:
    return {*text, *map("".join, itertools.pairwise(text))} - {""}


def described(person: PersonDescribed) -> dict[str, set[str]]:
    """Field → terms by which a recorded person is found; no field that is unknown or erased."""
    found: dict[str, set[str]] = {}
    for name in (*NAMES, "address"):
        if isinstance(value := getattr(person, name), str):
            found[name] = {f"text {term}" for term in terms(value)}
    if isinstance(person.phone, str):
        found["phone"] = {f"phone {_digits(person.phone)}"}
    if isinstance(person.birth, str):
        parts = person.birth.split("-")
        found["birth"] = {f"birth {'-'.join(parts[:n])}" for n in range(1, len(parts) + 1)}
    return found


def asked(query: str) -> list[set[str]]:
    """The terms of each word of a search: a telephone number, a birth date (西暦・和暦), or a text."""
    words = SPACE.split(unicodedata.normalize("NFKC", query).strip())
    return [_word(word) for word in words if word]


def _word(word: str) -> set[str]:
    if born := _birth(word):
        return {f"birth {born}"}
    if PHONE.fullmatch(digits := _digits(word)) and not re.search(r"[^0-9()+-]", word):
        return {f"phone {digits}"}
    return {f"text {term}" for term in _grams(SPACE.sub("", folded(word)))}


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", unicodedata.normalize("NFKC", text))


def _birth(word: str) -> str | None:
    for name, letter in ERA_NAMES.items():
        word = word.replace(name, letter)
    if era := ERA_BIRTH.fullmatch(word.upper()):
        letter, year, *rest = era.groups()
        return _day(ERAS[letter] + (1 if year == "元" else int(year)), rest)
    if western := BIRTH.fullmatch(word):
        year, *rest = western.groups()
        return _day(int(year), rest)
    return None


def _day(year: int, rest: Iterable[str | None]) -> str | None:
    numbers = [year, *(int(part) for part in rest if part)]
    try:
        date(*(*numbers, 1, 1)[:3])
    except ValueError:
        return None
    return "-".join([f"{year:04}", *(f"{number:02}" for number in numbers[1:])])
