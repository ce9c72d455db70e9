"""The table of grounds (L7, L8): dated data of a municipality, shipped as 要確認 until confirmed."""

from datetime import date
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from . import lists


class Ground(BaseModel):
    """One row: from `begins` on, bodies of these types may give to bodies of those."""

    model_config = ConfigDict(frozen=True)
    code: str
    name: str
    citation: str
    holder: frozenset[str]
    receiver: frozenset[str]
    approver: str
    longest_days: int
    begins: date = Field(alias="from")
    confirmed: bool


@cache
def _table() -> dict[str, Any]:
    return lists.read("grounds.toml")


@cache
def _rows() -> tuple[Ground, ...]:
    rows = (Ground.model_validate(row) for row in _table()["ground"])
    return tuple(sorted(rows, key=lambda row: row.begins))


def grounds(day: date) -> dict[str, Ground]:
    """By code, the newest row that holds on that day."""
    return {row.code: row for row in _rows() if row.begins <= day}


def allows(ground: Ground, holder: str, receiver: str) -> bool:
    """May a body of one controller type give to one of another?"""
    return holder in ground.holder and receiver in ground.receiver


def urgent_days() -> int:
    return int(_table()["urgent_days"])


def urgent_review_hours() -> int:
    return int(_table()["urgent_review_hours"])
