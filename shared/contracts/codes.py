"""Closed lists and legal bodies: dated data of a municipality, shipped as 要確認 until confirmed."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from . import lists

TOKYO = ZoneInfo("Asia/Tokyo")
LegalType = Literal["statutory", "consented", "local"]


class Body(BaseModel):
    """A kind of meeting. `statutory` shares without consent among its pledged members (L5),
    `consented` discusses consented cases only (L6), `local` rests on no rule.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    code: str
    name: str
    legal_type: LegalType
    citation: str
    secrecy: str | None = None
    review_days: int | None = None
    enquiry_minimum: tuple[str, ...] = ()
    counted_in_indicator_1: bool
    begins: date = Field(alias="from", exclude=True)
    confirmed: bool


@cache
def _configuration() -> dict[str, Any]:
    return lists.read("codes.toml")


@cache
def _lists() -> dict[str, dict[str, Any]]:
    return {k: v for k, v in _configuration().items() if isinstance(v, dict)}


@cache
def _bodies() -> tuple[Body, ...]:
    rows = (Body.model_validate(row) for row in lists.read("bodies.toml")["body"])
    return tuple(sorted(rows, key=lambda row: row.begins))


def bodies(on: date) -> Mapping[str, Body]:
    """By code, the newest row that holds on that day (of a moment: in Asia/Tokyo)."""
    return _held(on.astimezone(TOKYO).date() if isinstance(on, datetime) else on)


@lru_cache(1 << 10)
def _held(day: date) -> Mapping[str, Body]:
    return {row.code: row for row in _bodies() if row.begins <= day}


def body_codes(*types: LegalType) -> list[str]:
    """Of all bodies that ever are, or have one of these legal types in some row."""
    return list(
        dict.fromkeys(row.code for row in _bodies() if not types or row.legal_type in types)
    )


def lead_minimum() -> frozenset[str]:
    """Data classes that a basis must give to an agency before it can lead a case (L9)."""
    return frozenset(_configuration()["lead_minimum"])


def retraction_days() -> int:
    """Working days within which an agency confirms that it gave back what was withdrawn (L15)."""
    return int(_configuration()["retraction_days"])


def cover_days() -> int:
    """Days for which the link of a cover sheet opens."""
    return int(_configuration()["cover_days"])


def own_view_below_age() -> int:
    """A proxy of somebody younger than this must bring the minor's own view (L4a)."""
    return int(_configuration()["own_view_below_age"])


def labels(name: str, on: date | None = None) -> dict[str, str]:
    """Code → Japanese label of one list; `on`: in the words of that day, and with the codes of then that
    are offered no more.
    """
    listed = _lists()[name]
    now = cast(dict[str, str], listed["codes"])
    earlier = [old for old in listed.get("before", ()) if on and on < old["until"]]
    if not earlier:
        return now
    earlier.sort(key=lambda old: cast(date, old["until"]), reverse=True)
    return {
        code: label
        for words in (now, *(o["codes"] for o in earlier))
        for code, label in words.items()
    }


def listed(name: str) -> tuple[str, bool] | None:
    """Title of a list, and whether it was confirmed (else 要確認); None: there is none."""
    found = _lists().get(name)
    return (found["title"], found["confirmed"]) if found else None


def OneOf(name: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Annotations for a string that must be a code of list `name`: `Annotated[str, *OneOf("sex")]`."""
    return AfterValidator(_member(name)), WithJsonSchema(
        {"type": "string", "enum": list(labels(name)), "title": _lists()[name]["title"]}
    )


def _member(name: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in labels(name):
            raise ValueError(f"one of / 次のいずれかです: {', '.join(labels(name))}")
        return value

    return check
