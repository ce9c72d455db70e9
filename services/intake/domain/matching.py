"""How like two persons are, over what is known of both: points by feature, dated. Pure.

Works on sets of terms or of their keyed digests alike: nothing here needs a name in clear.
"""

import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Literal

from shared.contracts.intake import PersonDescribed

from .search import described, folded, terms

Level = Literal["equal", "near", "far"]
FEATURES = ("kana", "given", "name", "birth", "phone", "address")
LOOKED_AT = (
    ("kana", "year"),
    ("name", "birth"),
    ("birth", "initial"),
    *((place, mark) for place in ("phone", "address") for mark in ("kana", "name", "birth")),
)
"""Two are compared if they agree in both marks of one of these."""
Traits = Mapping[str, Set[Any]]
"""Feature → its terms, or digests of them; none that is unknown."""


@dataclass(frozen=True)
class Likeness:
    points: float
    levels: Mapping[str, Level]

    @property
    def likely(self) -> bool:
        return bool(self.points >= _rule()["threshold"])


@cache
def _rule() -> dict[str, Any]:
    return tomllib.loads(_text())


def _text() -> str:
    return files(__package__).joinpath("matching.toml").read_text("utf-8")


@cache
def rule_mark() -> int:
    """Another, positive number for another rule."""
    return int.from_bytes(sha256(_text().encode()).digest()[:8]) >> 1


def likeness(one: Traits, other: Traits) -> Likeness:
    levels: dict[str, Level] = {
        feature: _level(one[feature], other[feature])
        for feature in FEATURES
        if one.get(feature) and other.get(feature)
    }
    return Likeness(sum(_rule()["points"][f][level] for f, level in levels.items()), levels)


def _level(one: Set[Any], other: Set[Any]) -> Level:
    common = len(one & other) / len(one | other)
    return "equal" if common == 1 else "near" if common >= _rule()["near"] else "far"


def traits(person: PersonDescribed) -> dict[str, set[str]]:
    """What two persons are compared by. `given`: the last word of the kana, where there are several."""
    found = {name: of for name, of in described(person).items() if name in FEATURES}
    if isinstance(person.kana, str) and len(words := person.kana.split()) > 1:
        found["given"] = terms(words[-1])
    return found


def marks(person: PersonDescribed) -> dict[str, str]:
    """What pairs are found by: whole values, the year of birth, the first sound of the kana."""
    found: dict[str, str] = {}
    for name in ("kana", "name", "address"):
        if isinstance(value := getattr(person, name), str):
            found[name] = f"{name} {folded(''.join(value.split()))}"
    if isinstance(person.kana, str):
        found["initial"] = f"initial {folded(person.kana)[:1]}"
    known = described(person)
    if "phone" in known:
        (found["phone"],) = known["phone"]
    if "birth" in known:
        found["birth"], found["year"] = max(known["birth"], key=len), min(known["birth"], key=len)
    return found


def looked_at(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two are compared at all, by their marks."""
    agree = {name for name in one.keys() & other.keys() if one[name] == other[name]}
    return any(agree.issuperset(both) for both in LOOKED_AT)
