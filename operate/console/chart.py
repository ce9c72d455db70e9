"""One indicator as a picture: where it is between the plan's base and target. SVG made here."""

from dataclasses import dataclass

from operate.console.answers import Indicator
from operate.console.words import number

WIDTH, LEFT, RIGHT = 320.0, 20.0, 300.0
AIR = 0.12
"""Of the span, left free at both ends, so that no mark touches the edge."""


@dataclass(frozen=True)
class Label:
    """`anchor` keeps a text inside the picture, however near the edge its mark is."""

    x: float
    text: str

    @property
    def anchor(self) -> str:
        if self.x < 60:
            return "start"
        return "end" if self.x > WIDTH - 60 else "middle"

    @property
    def text_x(self) -> float:
        return {"start": self.x - 12, "middle": self.x, "end": self.x + 12}[self.anchor]


@dataclass(frozen=True)
class Chart:
    """Marks on a line; a position, not a length, so the line need not begin at zero."""

    base: Label
    target: Label
    value: Label | None

    @property
    def apart(self) -> bool:
        """Whether the two lower labels fit on one line."""
        return abs(self.base.x - self.target.x) > 90


def chart(indicator: Indicator) -> Chart:
    known = [indicator.base, indicator.target]
    if indicator.value is not None:
        known.append(indicator.value)
    low, high = float(min(known)), float(max(known))
    air = (high - low or 1.0) * AIR
    low, high = low - air, high + air

    def at(value: float, word: str) -> Label:
        x = LEFT + (value - low) / (high - low) * (RIGHT - LEFT)
        return Label(round(x, 1), f"{word} {number(value)}")

    return Chart(
        base=at(indicator.base, "基準値"),
        target=at(indicator.target, "目標値"),
        value=None if indicator.value is None else at(indicator.value, "現在値"),
    )


def told(indicator: Indicator) -> str:
    """The same in words."""
    value = "未入力" if indicator.value is None else f"{number(indicator.value)}{indicator.unit}"
    base, target = number(indicator.base), number(indicator.target)
    return f"現在値 {value}。基準値 {base}{indicator.unit}、目標値 {target}{indicator.unit}。"


def missing(indicator: Indicator) -> str:
    """What is left to do, in words."""
    if indicator.value is None:
        return "値が未入力です"
    left = round(indicator.target - indicator.value, 1)
    unit = "ポイント" if indicator.unit == "%" else indicator.unit
    return "目標を達成しています" if left <= 0 else f"目標まで あと {number(left)}{unit}"
