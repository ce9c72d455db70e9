"""Proof of the figures: the pure fold over whole journals in memory, without batches and without Faust."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import date
from typing import Any

from operate.repair.verify import SCRATCH, Compared, compared, refolding
from operate.stack import Stack
from services.metrics.timeline import FACTS, Fact, fold
from services.metrics.view import Year, write, year
from shared import views
from shared.calendar import fiscal_year
from shared.contracts import Recorded
from shared.follow import Taken
from shared.sealing import Codec


@dataclass(frozen=True)
class Figures:
    """One fiscal year: as metrics answers, and as the refolded facts say."""

    fiscal_year: int
    answered: Year
    refolded: Year

    @property
    def same(self) -> bool:
        return self.answered == self.refolded

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "same": self.same}


async def verify(stack: Stack) -> tuple[list[Compared], list[Figures]]:
    """Facts row by row, and every figure of every fiscal year that has a fact."""
    facts: dict[str, Fact] = {}
    async with refolding(stack, "metrics") as (rt, db, records):
        async for some in records:
            facts = fold(facts, await _opened(rt.codec, some))
        for kind, type_ in FACTS.items():
            await write(db, kind, [fact for fact in facts.values() if type(fact) is type_])
        tables = await compared(db, rt)
        figures = []
        for number in _years(facts.values()):
            await views.work_on(db, rt.applier.number)
            answered = await year(db, number)
            await views.work_on(db, SCRATCH)
            figures.append(Figures(number, answered, await year(db, number)))
    return tables, figures


async def _opened(codec: Codec, taken: Sequence[Taken]) -> list[Recorded]:
    ours = [one for one in taken if one[1].stream.partition("/")[0] in FACTS]
    opened = await codec.open((envelope, wire) for _, envelope, wire in ours)
    return [one for one in opened if isinstance(one, Recorded)]


def _years(facts: Iterable[Fact]) -> range:
    found = {
        fiscal_year(value)
        for fact in facts
        for member in astuple(fact)
        for value in (member if isinstance(member, tuple) else (member,))
        if isinstance(value, date)
    }
    return range(min(found), max(found) + 1) if found else range(0)
