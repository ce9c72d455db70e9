"""What the items of a document are called in Japanese, codes and fields alike."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from shared.calendar import TOKYO
from shared.contracts.codes import labels

PROTECTED = "warning.protected"
TOLD = {"corrected": "訂正", "recorded_in_error": "誤記録"}


@dataclass(frozen=True)
class Line:
    """One item as a person reads it; `warned`: that it is protected, not what it is (L11); `told`: that
    what the reader's agency held before was wrong, and since when (L17).
    """

    kind: str
    field: str
    text: str
    day: str
    warned: bool
    told: str


@cache
def reasons() -> dict[str, dict[str, str]]:
    """By code of `domain.why`: `rule`, and the sentence as `ja` and `en` (要確認)."""
    rows = tomllib.loads(Path(__file__).with_name("reasons.toml").read_text("utf-8"))
    return {code: row for code, row in rows.items() if isinstance(row, dict)}


@cache
def fields() -> dict[tuple[str, str], dict[str, str]]:
    """By type and field: `label`, and `list` where it holds codes."""
    rows = tomllib.loads(Path(__file__).with_name("fields.toml").read_text("utf-8"))
    return {
        (type_, field): word
        for type_, words in rows.items()
        if isinstance(words, dict)
        for field, word in words.items()
    }


def line(item: dict[str, Any]) -> Line:
    warned = item["type"] == PROTECTED
    word = fields().get((item["type"], item["field"])) or _any(item["field"])
    known = labels(word["list"]) if "list" in word and not warned else {}
    value = item["value"]
    values = value if isinstance(value, list) else [value]
    return Line(
        kind=labels("data_class").get(item["class"], item["class"]),
        field=word["label"],
        text="、".join(known.get(str(one), str(one)) for one in values if one is not None),
        day=_day(item["occurred_at"]),
        warned=warned,
        told=f"{TOLD[told['what']]}({_day(told['at'])})" if (told := item.get("told")) else "",
    )


def _day(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(TOKYO).strftime("%Y-%m-%d")


def _any(field: str) -> dict[str, str]:
    """Of a protected item the type is not told; the field alone names it."""
    found = [word for (_, name), word in fields().items() if name == field]
    return {"label": found[0]["label"] if found else field}
