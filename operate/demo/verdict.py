"""What the run comes to: the figures of `demo --json`, and whether all of it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from operate.demo.check import Findings
from operate.demo.content import Difference
from operate.demo.plan import Year
from operate.demo.rights import Readings


@dataclass(frozen=True)
class AgencyVerdict:
    """One subscriber: cases in its copy, records it has not taken, whether its copy is right."""

    code: str
    name: str
    cases: int
    lag: int
    difference: Difference

    @property
    def in_sync(self) -> bool:
        return self.lag == 0 and self.difference.none

    def document(self) -> dict[str, Any]:
        return {"code": self.code, "cases": self.cases, "lag": self.lag, "in_sync": self.in_sync,
                **asdict(self.difference)}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """`wrong` are sentences: empty if the year ended as it must."""

    year: Year
    findings: Findings
    agencies: tuple[AgencyVerdict, ...]
    indicators: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Any]
    readings: Readings
    retractions: Mapping[str, int]
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        return self.findings.lost + sum(one.difference.missing for one in self.agencies)

    @property
    def duplicated(self) -> int:
        return self.findings.duplicated + sum(one.difference.doubled for one in self.agencies)

    @property
    def parked(self) -> int:
        return self.findings.parked

    @property
    def wrong(self) -> list[str]:
        found = list(self.findings.sentences)
        found += [f"parked: {self.parked}"] if self.parked else []
        found += [
            f"{one.code} is not in sync: lag {one.lag}, missing {one.difference.missing}, "
            f"doubled {one.difference.doubled}, not entitled {one.difference.surplus}, "
            f"documents {one.difference.documents}"
            for one in self.agencies
            if not one.in_sync
        ]
        return found + list(self.readings.wrong) + self._wrong_figures()

    def after(self, seconds_to_ready: float, seconds: float) -> Verdict:
        return replace(
            self, run={"seconds_to_ready": seconds_to_ready, "seconds": seconds, **self.run}
        )

    def _wrong_figures(self) -> list[str]:
        """The indicators against what the plan makes them come to."""
        answered, positive = self.year.survey
        wanted = {"I": self.year.sittings, "II": round(100 * positive / answered, 1)}
        shown = {one["id"]: one for one in self.indicators}
        wanted["III"] = int(shown["III"]["base"]) + self.year.completed
        found = [
            f"indicator {id_} is {shown[id_]['value']} and must be {value}"
            for id_, value in wanted.items()
            if shown[id_]["value"] is None or float(shown[id_]["value"]) != float(value)
        ]
        opened = self.figures["cases_opened"]
        return found + (
            [f"cases opened are {opened} and must be {self.year.cases}"]
            if opened != self.year.cases
            else []
        )

    def document(self) -> dict[str, Any]:
        """The JSON document of contract.md; it may grow."""
        names = ("id", "fiscal_year", "value", "base", "target", "target_fiscal_year", "unit")
        return {
            **self.run,
            "seed": self.year.seed,
            "cases": self.year.cases,
            "events": self.findings.events,
            "agencies": [one.document() for one in self.agencies],
            "indicators": [{name: one[name] for name in names} for one in self.indicators],
            "figures": dict(self.figures),
            "sealed_readings": {"members": self.readings.members, "cases": self.readings.cases},
            "retractions": dict(self.retractions),
            "parked": self.parked,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "redelivered": self.findings.redelivered,
            "wrong": self.wrong,
        }
