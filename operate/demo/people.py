"""Invented people: names that no register need hold, addresses and numbers that do not exist."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from uuid import UUID

from faker import Faker

# Outside of the basic plane, with variation selectors, and forms that no normalisation may touch.
RARE = (
    ("𠮷田", "ヨシダ"),
    ("𠮷川", "ヨシカワ"),
    ("𣘺本", "ハシモト"),
    ("葛\U000e0100城", "カツラギ"),
    ("辻\U000e0100本", "ツジモト"),
    ("邉\U000e0101見", "ヘンミ"),
    ("𠀋上", "タケガミ"),
    ("髙𣘺", "タカハシ"),
    ("﨑山", "サキヤマ"),
    ("鷗外", "オウガイ"),
)
RARE_SHARE = 0.05
MALE = (("健", "ケン"), ("正", "マサ"), ("和", "カズ"), ("義", "ヨシ"), ("幸", "ユキ"), ("隆", "タカ"),
        ("信", "ノブ"), ("泰", "ヤス"), ("秀", "ヒデ"), ("光", "ミツ"))  # fmt: skip
MALE_END = (("一", "カズ"), ("男", "オ"), ("彦", "ヒコ"), ("之", "ユキ"), ("治", "ハル"), ("明", "アキ"),
            ("樹", "キ"), ("𠮷", "ヨシ"))  # fmt: skip
FEMALE = (("美", "ミ"), ("千", "チ"), ("佳", "カ"), ("和", "カズ"), ("由", "ユ"), ("真", "マ"),
          ("智", "トモ"), ("八重", "ヤエ"), ("早", "サ"), ("久", "ヒサ"))  # fmt: skip
FEMALE_END = (("子", "コ"), ("代", "ヨ"), ("江", "エ"), ("里", "リ"), ("美", "ミ"), ("乃", "ノ"),
              ("葉", "ハ"))  # fmt: skip
HOUSES = ("コーポたつた", "ハイツ暗峠", "メゾン竜田", "第二つなぐ荘", "県営どんぐり団地")
NEWEST_BIRTH = date(2025, 3, 31)
"""Later births could be mistaken for the dates of the replayed year, or of this machine."""


@dataclass(frozen=True)
class Person:
    """A member of a household; None is unknown at first contact."""

    id: UUID
    relation: str
    name: str
    kana: str | None
    sex: str
    age: int
    birth: date | None
    address: str | None
    phone: str | None

    def sheet(self, living_with: list[str] | None = None) -> dict[str, object]:
        """The person as POST /v1/cases takes it."""
        return {
            "id": self.id,
            "relation": self.relation,
            "name": self.name,
            "kana": self.kana,
            "sex": self.sex,
            "birth": self.birth,
            "address": self.address,
            "phone": self.phone,
            "living_with": living_with,
        }


class Crowd:
    """Makes households; everything from the one source of chance it is given."""

    def __init__(self, random: Random, districts: Path) -> None:
        self._random = random
        self._faker = Faker("ja_JP")
        self._faker.seed_instance(random.getrandbits(64))
        self._districts = districts
        self._rare = 0

    @cached_property
    def towns(self) -> list[str]:
        """Towns of Ikoma named in districts.csv."""
        with self._districts.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found: set[str] = set()
        for row in rows:
            if town := re.match(r"生駒市([^0-9]+)", row["address"]):
                found.add(town[1])
            found.update(re.sub(r"[0-9].*|\(.*", "", name) for name in row["towns"].split())
        return sorted(found)

    def id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def family_name(self) -> tuple[str, str]:
        """Written form and kana; the rare forms come first once each, later now and then."""
        if self._rare < len(RARE) or self._random.random() < RARE_SHARE:
            self._rare += 1
            return RARE[(self._rare - 1) % len(RARE)]
        written, kana, _ = self._faker.last_name_pair()
        return written, kana

    def given_name(self, sex: str) -> tuple[str, str]:
        female = sex == "female" or (sex != "male" and self._random.random() < 0.5)
        front, end = (FEMALE, FEMALE_END) if female else (MALE, MALE_END)
        first, last = self._random.choice(front), self._random.choice(end)
        return first[0] + last[0], first[1] + last[1]

    def address(self) -> str:
        """A town that is there, a number that is not."""
        number = f"{self._random.randint(901, 999)}番{self._random.randint(1, 60)}号"
        house = ""
        if self._random.random() < 0.3:
            house = f" {self._random.choice(HOUSES)}{self._random.randint(101, 805)}号室"
        return f"生駒市{self._random.choice(self.towns)}{number}{house}"

    def landline(self) -> str:
        return f"0743-00-{self._random.randint(0, 9999):04}"

    def mobile(self) -> str:
        return f"090-0000-{self._random.randint(0, 9999):04}"

    def birth(self, age: int) -> date:
        day = date(2026 - age, 3, 31) - timedelta(days=self._random.randint(0, 364))
        return min(day, NEWEST_BIRTH)

    def person(
        self, relation: str, age: int, sex: str, family: tuple[str, str], address: str | None
    ) -> Person:
        known = self._random.random
        given, kana = self.given_name(sex)
        phone = self.mobile() if age < 70 else self.landline()
        return Person(
            id=self.id(),
            relation=relation,
            name=f"{family[0]} {given}",
            kana=f"{family[1]} {kana}" if known() < 0.9 else None,
            sex=sex,
            age=age,
            birth=self.birth(age) if known() < 0.85 else None,
            address=address if known() < 0.9 else None,
            phone=phone if age >= 15 and known() < 0.7 else None,
        )
