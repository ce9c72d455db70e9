"""The sittings of a year: how many of which body, on which days, with whom and about which cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from operate.demo.casting import scaled
from operate.demo.group import BODY as CONSENTED
from operate.demo.group import Discussed
from operate.demo.ikoma import LEAD, Ikoma
from operate.demo.phrases import Pen
from operate.demo.setting import POOL
from operate.demo.sittings import AGENDA, Sitting
from operate.demo.statutory import BODY as STATUTORY
from operate.demo.statutory import Before
from operate.demo.story import Story

CASES, SHARES = (1, 2, 3, 4), (20, 35, 30, 15)  # on one agenda: 2.4 on average


@dataclass(frozen=True)
class Diary:
    ikoma: Ikoma
    random: Random
    pen: Pen
    story: Callable[[str], Story]
    discussed: Sequence[Discussed]
    before: Sequence[Before]

    def sittings(self, scale: float) -> int:
        """Plans them all; how many are held that indicator I counts. One serves both bodies."""
        mix = self.ikoma.defaults["meetings"]
        counted = scaled(mix["per_year"], scale, 4)
        statutory = max(1, round(counted * mix["shien_kaigi"] / mix["per_year"]))
        kinds: list[tuple[str, ...]] = [(STATUTORY,)] * statutory
        kinds += [(CONSENTED,)] * (counted - statutory)
        kinds[-1] = (CONSENTED, STATUTORY)
        cancelled = max(1, round(counted * mix["cancelled_share"] / 100))
        local = scaled(mix["ikomaru_sodankai_per_year"], scale, 1)
        plans = [(kind, False) for kind in kinds] + [((CONSENTED,), True)] * cancelled
        plans += [(("sodankai",), False)] * local
        self.random.shuffle(plans)
        days = spread(self.ikoma.workdays.days, len(plans))
        for number, ((bodies, off), day) in enumerate(zip(plans, days, strict=True)):
            self._sitting(number, bodies, off, day)
        return counted

    def _sitting(self, number: int, bodies: tuple[str, ...], off: bool, day: date) -> None:
        sitting = Sitting(self.story(f"sitting-{number:03}"), self.pen, bodies, day, [])
        on = sitting.before(AGENDA)
        most = self.random.choices(CASES, SHARES)[0]
        cases = [one for one in self.discussed if one.open_to(on) and one.withdrawn != day]
        cases = self.random.sample(cases, min(most, len(cases))) if CONSENTED in bodies else []
        matters = [one for one in self.before if one.open_to(on)]
        matters = (
            self.random.sample(matters, min(most, len(matters))) if STATUTORY in bodies else []
        )
        sitting.invited = self._invited({code for case in cases for code in case.excluded})
        sitting.convene(off)
        if off:
            return
        for case in cases:
            sitting.discuss(case)
        for matter in matters:
            sitting.hear(matter)
        if len(bodies) == 2 and matters:
            sitting.discuss_without_consent(matters[0])
        late = number == 0 or self.random.random() < 0.1
        sitting.hold(self.random.randint(3, 10) if late else 0)

    def _invited(self, excluded: set[str]) -> list[str]:
        """Of the pool, without whom a discussed person has excluded, and without the host."""
        mean = self.ikoma.defaults["meetings"]["attending_organisations_mean"]
        pool = [code for code in POOL if code not in excluded | {LEAD}]
        size = min(len(pool), max(2, round(self.random.gauss(mean, 2))))
        return sorted(self.random.sample(pool, size))


def spread(days: Sequence[date], count: int) -> list[date]:
    """So many days, evenly over the year, none in its first month."""
    usable = list(days[len(days) // 9 : -2])
    step = len(usable) / count
    return [usable[int(step * number + step / 2)] for number in range(count)]
