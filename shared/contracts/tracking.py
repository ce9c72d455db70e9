"""How long a sender is told how far a referral came, once it has ended (L10): dated data, 要確認."""

from datetime import date
from functools import cache
from typing import Any

from . import lists


@cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lists.read("tracking.toml")["term"]
    return sorted(rows, key=lambda row: row["from"])


def days(today: date) -> int:
    """From its end; 0 where no row has begun."""
    begun = [int(row["days"]) for row in _rows() if row["from"] <= today]
    return begun[-1] if begun else 0
