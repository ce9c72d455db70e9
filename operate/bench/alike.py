"""Could somebody tell two kinds of answers apart by their time? Mann and Whitney's comparison of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple


class Alike(NamedTuple):
    """`later`: how often one of the first takes longer than one of the second, 0.5 if they are alike.
    `by_chance`: how often as much or more would be seen if they were.
    """

    later: float
    by_chance: float


def alike(one: Sequence[float], other: Sequence[float]) -> Alike:
    values = sorted([*((value, True) for value in one), *((value, False) for value in other)])
    ranks, ties, seen = 0.0, 0.0, 0
    for _, group in groupby(values, key=lambda pair: pair[0]):
        same = [first for _, first in group]
        middle = seen + (len(same) + 1) / 2
        ranks += middle * sum(same)
        ties += len(same) ** 3 - len(same)
        seen += len(same)
    m, n = len(one), len(other)
    later = (ranks - m * (m + 1) / 2) / (m * n)
    spread = sqrt((m + n + 1 - ties / ((m + n) * (m + n - 1))) / (12 * m * n))
    chance = 2 * NormalDist().cdf(-abs(later - 0.5) / spread) if spread else 1.0
    return Alike(round(later, 3), round(chance, 3))
