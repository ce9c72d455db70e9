"""The reference customer's data: agencies, places, volumes and mixes (operate/data/ikoma)."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from operate.demo.workdays import Workdays

FOLDER = Path(__file__).parent.parent / "data" / "ikoma"
LEAD = "ikoma-kasaneru"
CITY = "ikoma-city"
ALL_PURPOSES = ("consultation", "application", "coordination")
APPLICATIONS = {
    "city_general", "welfare_office", "city_elderly", "city_disability", "self_reliance", "shakyo",
    "housing", "child_family", "child_guidance",
}  # fmt: skip
NO_COUNSEL = {"fire_police", "watch", "community", "platform", "participation", "volunteer"}
RESIDENTS = {"community", "peer"}
BY_KIND = {"employment": "state", "legal": "state", "watch": "business"}

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Agency:
    """One row of agencies.csv, with what the directory asks for."""

    code: str
    name: str
    kind: str
    controller: str
    purposes: tuple[str, ...]
    window: bool


def controller(row: Mapping[str, str]) -> str:
    """Code list `controller`, from kind, operator and legal side."""
    operator, side = row["operator"], row["legal_side"]
    if row["kind"] in RESIDENTS:
        return "residents"
    if row["kind"] in BY_KIND and side != "contractor":
        return BY_KIND[row["kind"]]
    if side == "public":
        if "教育委員会" in operator:
            return "education"
        if "警察" in operator:
            return "police"
        return "prefecture" if "奈良県" in operator else "city"
    return side


def purposes(row: Mapping[str, str]) -> tuple[str, ...]:
    """Code list `purpose`: what a body of that kind handles facts for."""
    if row["kind"] in NO_COUNSEL:
        return ("coordination",)
    if row["kind"] in APPLICATIONS or row["kind"] == "lead":
        return ALL_PURPOSES
    return ("consultation", "coordination")


@dataclass(frozen=True)
class Ikoma:
    """All tables, read once. `every`: something happens on each so-manieth working day only."""

    folder: Path = FOLDER
    every: int = 1

    @classmethod
    def sized(cls, cases: int) -> Ikoma:
        """A small year is played on fewer days: each costs the services a settling."""
        return cls(every=1 if cases >= 400 else 3 if cases >= 150 else 6)

    @cached_property
    def volumes(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "volumes.toml").read_text("utf-8"))

    @cached_property
    def indicators(self) -> list[dict[str, Any]]:
        found = tomllib.loads((self.folder / "indicators.toml").read_text("utf-8"))
        return list(found["indicator"])

    @cached_property
    def defaults(self) -> dict[str, Any]:
        return dict(self.volumes["default"])

    @cached_property
    def workdays(self) -> Workdays:
        whole = Workdays.of(self.defaults["fiscal_year"], self.volumes["calendar"])
        return whole.every(self.every)

    @cached_property
    def agencies(self) -> dict[str, Agency]:
        with (self.folder / "agencies.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            row["code"]: Agency(
                row["code"],
                row["name"],
                row["kind"],
                controller(row),
                purposes(row),
                row["window"] == "yes",
            )
            for row in rows
        }

    def of_kind(self, *kinds: str) -> list[str]:
        return [one.code for one in self.agencies.values() if one.kind in kinds]

    @cached_property
    def windows(self) -> dict[str, list[str]]:
        """Codes of windows by the keys of default.by_window_kind."""
        named = [kind for kind in self.defaults["by_window_kind"] if kind != "other"]
        all_windows = [one for one in self.agencies.values() if one.window]
        found = {kind: [a.code for a in all_windows if a.kind == kind] for kind in named}
        found["other"] = [a.code for a in all_windows if a.kind not in named]
        return found


def weighted(random: Random, mix: Mapping[str, Any]) -> str:
    """A key of a table of shares; entries that are no numbers (`anchor`) do not count."""
    shares = {key: share for key, share in mix.items() if isinstance(share, int | float)}
    return random.choices(list(shares), list(shares.values()))[0]


def days_around(random: Random, median: float, p90: float) -> int:
    """Whole days with that median and ninth decile, skewed as waiting times are."""
    sigma = 0.0 if p90 <= median else log(p90 / median) / 1.2816
    return max(0, round(median * random.lognormvariate(0, sigma)))
