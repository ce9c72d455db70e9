"""A story: the steps of one case (or sitting) by day, turned into intents in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any

from operate.demo.ikoma import LEAD, Agency
from operate.demo.intent import Actor, Intent
from operate.demo.workdays import Workdays

INTAKE = "intake_worker"


def worker(agency: Agency, desk: int = 1) -> Actor:
    """A member of staff who sees people: at a window, or at any other agency."""
    role = INTAKE if agency.window else "agency_worker"
    return Actor(agency.code, f"{agency.code}.worker-{desk}", (role,))


def coordinator() -> Actor:
    return Actor(LEAD, f"{LEAD}.coordinator-1", ("coordinator",))


def member(agency: str) -> Actor:
    """The named person of an agency in the pools of the bodies."""
    if agency == LEAD:
        return coordinator()
    return Actor(agency, f"{agency}.member-1", ("agency_worker",))


@dataclass
class Story:
    """Steps are added in any order of days; steps of one day stay in the order of adding."""

    name: str
    workdays: Workdays
    random: Random
    case: str | None = None
    steps: list[tuple[date, int, Intent]] = field(default_factory=list)

    def day(self, after: date, days: int) -> date | None:
        """The first working day that many days later; None once the year is over."""
        return self.workdays.on_or_after(after + timedelta(days=days))

    def add(
        self,
        day: date | None,
        kind: str,
        service: str,
        method: str,
        path: str,
        body: Mapping[str, Any],
        actor: Actor,
        *,
        name: str = "",
        refs: Mapping[str, str] | None = None,
        needs: Sequence[str] = (),
        late_by: int = 0,
        expect: tuple[int, str] | None = None,
        effects: int = 1,
    ) -> str | None:
        """The new intent's id; None (and no step) where the day lies after the year's end.

        `late_by`: typed so many days after it happened.
        """
        if day is None:
            return None
        number = len(self.steps)
        intent = Intent(
            id=f"{self.name}/{name or kind}-{number}",
            at=self.workdays.moment(day, 0),
            kind=kind,
            service=service,
            method=method,
            path=path,
            body=body,
            actor=actor,
            chain=self.name,
            case=self.case,
            refs=refs or {},
            needs=tuple(needs),
            occurred_at=self._late(day, late_by),
            expect=expect,
            effects=effects,
        )
        self.steps.append((day, number, intent))
        return intent.id

    def _late(self, day: date, days: int) -> datetime | None:
        if not days:
            return None
        return self.workdays.moment(day - timedelta(days=days), self.random.random())

    def intents(self) -> list[Intent]:
        """All steps with their times: no two of a day at the same second."""
        made: list[Intent] = []
        in_order = sorted(self.steps, key=lambda step: step[:2])
        for day, steps in groupby(in_order, key=lambda step: step[0]):
            todays = [intent for _, _, intent in steps]
            shares = sorted(self.random.sample(range(1, 1000), len(todays)))
            for intent, share in zip(todays, shares, strict=True):
                made.append(replace(intent, at=self.workdays.moment(day, share / 1000)))
        return made
