"""How long a case, or what ended without one, is kept, by controller: dated data, 要確認 until confirmed."""

from datetime import date
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from . import lists

ANY = "*"
Caseless = Literal["notice", "watch", "reading"]
Kept = Literal["case"] | Caseless
"""What has a time of its own: a case, a notice that was taken into none, a watch of the registry, and of
an agency's fiscal year the rows that say who has read what.
"""
CASELESS: tuple[Caseless, ...] = get_args(Caseless)


class Rule(BaseModel):
    model_config = ConfigDict(frozen=True)
    code: str
    of: Kept
    controller: str
    years: int
    citation: str
    confirmed: bool

    def run_out_on(self, closed_on: date) -> date:
        """The first day on which the data may go."""
        year = closed_on.year + (closed_on.month >= 4)
        return date(year + self.years, 4, 1)

    def ended_before(self, today: date) -> date:
        """What was closed before this day has run out today."""
        return date(today.year - (today.month < 4) - self.years, 4, 1)


@cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lists.read("retention.toml")["rule"]
    return sorted(rows, key=lambda row: row["from"])


def rule(controller: str, today: date, of: Kept = "case") -> Rule | None:
    """The rule that holds for a controller today; None: nothing of his is disposed of."""
    for name in (controller, ANY):
        begun = [
            r for r in _rows() if (r["of"], r["controller"]) == (of, name) and r["from"] <= today
        ]
        if begun:
            return Rule.model_validate(begun[-1])
    return None
