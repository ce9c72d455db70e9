"""Which cases come when, and which must have what, so that every year has some of each kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from random import Random

from operate.demo.ikoma import Ikoma
from operate.demo.ordinary import Wanted

SMALL = 60  # cases; fewer come in the first months, so that the year can run its course
MAY_REFER = 0.5
"""Share of cases that may have referrals: linked, continued or handed on, and consenting."""
OFTEN = {"linked_elsewhere": 1.25, "multi_agency_request": 1.4}
NEVER = ("information_only", "interrupted", "not_yet_consented")


def scaled(a_year: float, scale: float, least: int) -> int:
    return max(least, round(a_year * scale))


@dataclass(frozen=True)
class Roles:
    """Numbers of cases: for several agencies, before the statutory body, and with a special course."""

    several: list[int]
    statutory: list[int]
    wanted: dict[int, Wanted]


@dataclass(frozen=True)
class Casting:
    ikoma: Ikoma
    random: Random
    cases: int

    def days(self) -> list[date]:
        """First contacts over the year, by month and weekday; the earliest first."""
        mix, days = self.ikoma.defaults, self.ikoma.workdays.days
        days = days[: len(days) * 3 // 5] if self.cases < SMALL else days
        shares = [
            mix["months_weight"][(day.month - 4) % 12] * mix["weekday_weight"][day.weekday()]
            for day in days
        ]
        return sorted(self.random.choices(days, shares, k=self.cases))

    def roles(self) -> Roles:
        """Special cases lie in the first two thirds, so that they can run their course."""
        volume = self.ikoma.defaults["volume"]
        asked = volume["multi_agency_requests_year"] * self.cases / volume["new_consultations_year"]
        with_consent, without = max(4, round(asked * 0.7)), max(2, round(asked * 0.3))
        special = _special()
        first = range(self.cases if self.cases < SMALL else self.cases * 2 // 3)
        wanted = with_consent + without + len(special)
        early = self.random.sample(first, min(wanted, len(first)))
        several, rest = early[:with_consent], early[with_consent:]
        statutory, rest = rest[:without], rest[without:]
        return Roles(several, statutory, dict(zip(rest, special, strict=False)))

    def by_chance(self, outcome: str) -> Wanted:
        """Referrals come to volumes.toml's number over the cases that may have some."""
        volume, chance = self.ikoma.defaults["volume"], self.random.random()
        if outcome in NEVER:
            return Wanted(late_days=(self.random.randint(4, 20),) if chance < 0.01 else ())
        per_case = volume["referrals_year"] / volume["new_consultations_year"]
        mean = per_case / MAY_REFER * OFTEN.get(outcome, 0.6)
        return Wanted(
            referrals=int(mean) + (self.random.random() < mean % 1),
            withdrawn=chance < 0.05,
            marked=0.05 < chance < 0.09,
            joins_later=0.09 < chance < 0.13,
            late_days=(self.random.randint(4, 45),) if 0.13 < chance < 0.17 else (),
        )


def _special() -> tuple[Wanted, ...]:
    one = Wanted(consent="at_first_contact", referrals=1)
    return (
        replace(one, withdrawn=True, fate="accepted"),
        replace(one, withdrawn=True),
        replace(one, fate="declined"),
        replace(one, fate="accepted_by_other_window"),
        replace(one, marked=True),
        replace(one, expires=True, refusing_relative=True),
        Wanted(late_days=(12,)),
        Wanted(late_days=(40, 33)),
        Wanted(consent="never", no_basis=True),
        replace(one, refusing_relative=True, marked=True, joins_later=True),
    )
