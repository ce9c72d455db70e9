"""Who lives together: households as they come to a window, and what brings them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from operate.demo.ikoma import weighted
from operate.demo.people import Crowd, Person
from shared.contracts.codes import labels

COMPANIONS = {
    "child": (("parent", 24, 42), ("parent", 25, 45), ("sibling", -4, 6)),
    "adult": (("spouse", -8, 8), ("child", -40, -22), ("parent", 22, 34), ("child", -36, -20)),
    "old": (("spouse", -9, 7), ("child", -34, -22), ("grandchild", -62, -50)),
}
SIZES = ((1, 2, 3, 4), (44, 34, 16, 6))


@dataclass(frozen=True)
class Household:
    """The key person first."""

    people: tuple[Person, ...]

    @property
    def key(self) -> Person:
        return self.people[0]

    def sheets(self) -> list[dict[str, object]]:
        others = [person.relation for person in self.people[1:]]
        first = self.key.sheet(sorted(others) or None)
        return [first, *(person.sheet() for person in self.people[1:])]


def household(crowd: Crowd, random: Random, mix: dict[str, Any], *, size: int = 0) -> Household:
    """By the shares of volumes.toml; `size` where it matters, else drawn."""
    group = weighted(random, mix["by_age"])
    age = {"85+": (85, 97), "unknown": (30, 60)}.get(group)
    low, high = age or tuple(int(part) for part in group.split("-"))
    years = random.randint(low, high)
    stage = "child" if years < 18 else "adult" if years < 65 else "old"
    size = size or (1 if stage == "child" else 0) + random.choices(*SIZES)[0]
    sex = {"female": "female", "male": "male"}.get(weighted(random, mix["by_sex"]), "unknown")
    family, address = crowd.family_name(), crowd.address()
    people = [crowd.person("self", years, sex, family, address)]
    for relation, least, most in COMPANIONS[stage][: max(0, size - 1)]:
        other = max(0, years + random.randint(least, most))
        theirs = random.choice(("female", "male"))
        name = crowd.family_name() if random.random() < 0.08 else family
        people.append(crowd.person(relation, other, theirs, name, address))
    return Household(tuple(people))


def eighty_fifty(crowd: Crowd, random: Random) -> Household:
    """An old parent and a child without work at home: the household of the examples."""
    family, address = crowd.family_name(), crowd.address()
    parent = crowd.person("self", random.randint(78, 90), "female", family, address)
    child = crowd.person("child", random.randint(48, 59), "male", family, address)
    return Household((parent, child))


def concerns(random: Random, mix: dict[str, Any]) -> list[str]:
    """The main one first (◎), then the others (○)."""
    codes = {label: code for code, label in labels("concern").items()}
    count = int(weighted(random, mix["concerns_per_consultation"]).rstrip("+"))
    found: list[str] = []
    while len(found) < count:
        concern = codes[weighted(random, mix["main_concern"])]
        if concern not in found:
            found.append(concern)
    return found
