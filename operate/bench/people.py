"""Invented people at size, and labelled pairs of them: the same person typed twice, or two who are alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Literal
from uuid import UUID

from operate.demo.people import FEMALE, FEMALE_END, MALE, MALE_END, RARE
from shared.contracts.intake import PersonDescribed

FIRST_READ = "ヤマ カワ タ オオ コ ナカ ニシ キタ タカ モリ マツ タケ イシ ヨシ フク ミヤ クロ ハッ ワタ サワ"
LAST_READ = (
    "モト ダ ムラ ノ サキ ヤマ ガワ イ ウエ ナベ トリ オ シマ ハラ グチ キ タニ ハシ シロ トウ"
)
FIRST = dict(zip("山川田大小中西北髙森松竹石吉福宮黒服渡澤", FIRST_READ.split(), strict=True))
LAST = dict(zip("本田村野﨑山川井上邊部尾島原口木谷橋城藤", LAST_READ.split(), strict=True))
TOWNS = (
    "𩸽町",
    "辻󠄀町",
    "東生駒",
    "西松ヶ丘",
    "谷田町",
    "小瀬町",
    "壱分町",
    "鹿畑町",
    "高山町",
    "北田原町",
)
OLDEST, DAYS = date(1930, 1, 1), 365 * 95
KANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
OLD = str.maketrans("髙﨑邊澤𠮷", "高崎辺沢吉")
Kind = Literal["same", "family", "twins", "namesake"]


@dataclass(frozen=True)
class Invented:
    family: tuple[str, str]
    given: tuple[str, str]
    birth: date | None
    address: str | None
    phone: str | None

    @property
    def name(self) -> str:
        return f"{self.family[0]} {self.given[0]}"

    @property
    def kana(self) -> str:
        return f"{self.family[1]} {self.given[1]}"

    def described(self, case: UUID, person: UUID) -> PersonDescribed:
        return PersonDescribed(
            case=case, person=person, name=self.name, kana=self.kana, address=self.address,
            birth=self.birth.isoformat() if self.birth else None, phone=self.phone,
        )  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """Two records of two desks. `kind` same: one person, typed twice."""

    kind: Kind
    one: Invented
    other: Invented


def invented(random: Random) -> Invented:
    if random.random() < 0.05:
        family = random.choice(RARE)
    else:
        first, last = random.choice([*FIRST]), random.choice([*LAST])
        family = first + last, FIRST[first] + LAST[last]
    house = f"{random.randint(1, 9)}-{random.randint(1, 60)}"
    return Invented(
        family,
        _given(random),
        OLDEST + timedelta(days=random.randrange(DAYS)),
        f"生駒市{random.choice(TOWNS)}{house}",
        f"0743-{random.randint(0, 99):02}-{random.randint(0, 9999):04}",
    )


def _given(random: Random) -> tuple[str, str]:
    begins, ends = random.choice(((MALE, MALE_END), (FEMALE, FEMALE_END)))
    begin, end = random.choice(begins), random.choice(ends)
    return begin[0] + end[0], begin[1] + end[1]


def labelled(random: Random, pairs: int) -> list[Labelled]:
    """Half of them the same person; the rest families at one address, twins, and namesakes."""
    found: list[Labelled] = []
    for n in range(pairs):
        one = invented(random)
        if n % 2 == 0:
            found.append(Labelled("same", one, retyped(one, random)))
        elif n % 6 == 1:
            age = timedelta(days=random.randint(700, 12_000))
            birth = one.birth and one.birth + age * random.choice((1, -1))
            found.append(Labelled("family", one, replace(one, given=_given(random), birth=birth)))
        elif n % 6 == 3:
            given = _given(random)
            while given[1] == one.given[1]:
                given = _given(random)
            found.append(Labelled("twins", one, replace(one, given=given)))
        else:
            other = replace(invented(random), family=one.family, given=one.given)
            found.append(Labelled("namesake", one, other))
    return found


def retyped(one: Invented, random: Random) -> Invented:
    """The same person at another desk: one or two of what happens to records."""
    slips = (
        _kana_slip,
        _new_form,
        _day_slip,
        _no_birth,
        _moved,
        _other_phone,
        _no_address,
        _kana_of_name,
    )
    for slip in random.sample(slips, random.randint(1, 2)):
        one = slip(one, random)
    return one


def _kana_slip(one: Invented, random: Random) -> Invented:
    family, given = one.family[1], one.given[1]
    if random.random() < 0.5:
        return replace(one, family=(one.family[0], _slipped(family, random)))
    return replace(one, given=(one.given[0], _slipped(given, random)))


def _slipped(kana: str, random: Random) -> str:
    at = random.randrange(len(kana))
    return kana[:at] + random.choice(KANA) + kana[at + 1 :]


def _new_form(one: Invented, random: Random) -> Invented:
    family = one.family[0].translate(OLD), one.family[1]
    return replace(one, family=family)


def _kana_of_name(one: Invented, random: Random) -> Invented:
    """The name was heard, and written in kana."""
    return replace(one, family=(one.family[1],) * 2, given=(one.given[1],) * 2)


def _day_slip(one: Invented, random: Random) -> Invented:
    return replace(one, birth=one.birth and one.birth.replace(day=random.randint(1, 28)))


def _no_birth(one: Invented, random: Random) -> Invented:
    return replace(one, birth=None)


def _moved(one: Invented, random: Random) -> Invented:
    return replace(one, address=invented(random).address)


def _other_phone(one: Invented, random: Random) -> Invented:
    return replace(one, phone=f"090-{random.randint(0, 9999):04}-{random.randint(0, 9999):04}")


def _no_address(one: Invented, random: Random) -> Invented:
    return replace(one, address=None)
