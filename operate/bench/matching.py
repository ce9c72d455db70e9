"""Precision and recall of the search for duplicates, on pairs that are labelled as they are made.

`python -m operate.bench.matching [PAIRS]` prints both; every pair goes the way of the matching role, first
whether it is looked at, then how like the two are.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from random import Random
from uuid import UUID

from operate.bench.people import Invented, Kind, Labelled, labelled
from services.intake.domain.matching import likeness, looked_at, marks, traits

NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Measured:
    """`missed` and `mistaken`: how many of each kind."""

    precision: float
    recall: float
    missed: int
    mistaken: Counter[Kind]


def measure(pairs: int, seed: int = 0) -> Measured:
    found = [(pair.kind, _found(pair)) for pair in labelled(Random(seed), pairs)]
    same = sum(kind == "same" for kind, _ in found)
    right = sum(kind == "same" and hit for kind, hit in found)
    mistaken = Counter[Kind](kind for kind, hit in found if hit and kind != "same")
    return Measured(right / (right + mistaken.total()), right / same, same - right, mistaken)


def _found(pair: Labelled) -> bool:
    one, other = (_told(person) for person in (pair.one, pair.other))
    return looked_at(one[0], other[0]) and likeness(one[1], other[1]).likely


def _told(person: Invented) -> tuple[dict[str, str], dict[str, set[str]]]:
    told = person.described(NOBODY, NOBODY)
    return marks(told), traits(told)


if __name__ == "__main__":
    result = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    print(f"precision {result.precision:.4f}, recall {result.recall:.4f}")
    print(f"missed {result.missed}, mistaken {dict(result.mistaken)}")
