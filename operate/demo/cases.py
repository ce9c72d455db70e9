"""One consultation from its first contact on: sheet, screening, consent, contacts, closing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

from operate.demo.household import Household, concerns
from operate.demo.ikoma import Agency, Ikoma, weighted
from operate.demo.intent import Actor
from operate.demo.people import Crowd, Person
from operate.demo.phrases import Pen
from operate.demo.story import Story, worker
from shared.contracts.event import CONSENTABLE

SITUATION = dict(
    zip(CONSENTABLE[1:], ("health", "work", "money", "welfare_use", "history"), strict=True)
)
METHODS = {"phone": 38, "visit": 24, "office": 22, "accompany": 8, "mail": 4, "absent": 4}
WITHIN_30, LATER = (3, 28), (31, 90)


@dataclass
class Consultation:
    """One case in the making. `story` collects its steps; `busy` are days of what comes before its end. `by`:
    who of the lead works it, if it is not the one at the window.
    """

    story: Story
    ikoma: Ikoma
    pen: Pen
    household: Household
    lead: Agency
    opened: date
    outcome: str
    worries: list[str]
    crowd: Crowd
    case: str = ""
    busy: list[date] = field(default_factory=list)
    by: Actor | None = None

    @property
    def random(self) -> Random:
        return self.story.random

    @property
    def staff(self) -> Actor:
        return self.by or worker(self.lead)

    def open(self) -> str:
        """First contact with as much of the sheet as is known."""
        mix = self.ikoma.defaults
        route = weighted(self.random, mix["by_route"])
        told = route.startswith("family") or route in ("agency", "minsei_neighbour", "watch_notice")
        situations = [self.situation(person) for person in self.household.people[:2]]
        body: dict[str, Any] = {
            "route": route,
            "reporter": self.pen.reporter() if told and self.random.random() < 0.8 else None,
            "people": self.household.sheets(),
            "situations": [one for one in situations if one],
            "worries": self.worry(),
        }
        effects = 2 + 2 * len(self.household.people) + len(body["situations"])
        self.case = self.story.case = f"{self.story.name}/open-{len(self.story.steps)}"
        self.story.add(
            self.opened, "case", "intake", "POST", "/v1/cases", body, self.staff,
            name="open", effects=effects,
        )  # fmt: skip
        return self.case

    def situation(self, person: Person, not_to: str = "") -> dict[str, Any] | None:
        """A summary of some classes; None where nothing is known yet."""
        known = [name for name in SITUATION if self.random.random() < 0.45]
        if not known:
            return None
        texts = {SITUATION[name]: self.pen.of_class(name, person.age) for name in known}
        source = self.random.choice(("person", "person", "family", "observation", "agency"))
        marks = {"not_to": [not_to]} if not_to else {}
        return {"person": person.id, **texts, "source": source, **marks}

    def worry(self) -> dict[str, Any]:
        about = [self.household.key.id] if self.random.random() < 0.5 else []
        wishes = self.pen.wishes() if self.random.random() < 0.6 else None
        return {"subjects": about, "concerns": self.worries, "main_concern": self.worries[0],
                "text": self.pen.worries(self.worries), "wishes": wishes}  # fmt: skip

    def section(
        self, day: date | None, name: str, part: dict[str, Any], by: Actor, effects: int = 1
    ) -> None:
        path = f"/v1/cases/{{case}}/sections/{name}"
        self.story.add(day, f"section-{name}", "intake", "PUT", path, {name: part}, by,
                       refs={"case": self.case}, effects=effects)  # fmt: skip
        self.busy += [day] if day else []

    def newcomer(self) -> Person:
        """A relative who is named only later."""
        key = self.household.key
        family = self.crowd.family_name()
        return self.crowd.person(
            "other", self.random.randint(20, 80), "female", family, key.address
        )

    def screen(self) -> None:
        day = self.story.day(self.opened, self.random.choice((0, 0, 0, 1, 2, 5)))
        body = {
            "outcome": self.outcome,
            "note": self.pen.note() if self.random.random() < 0.5 else None,
        }
        self.post(day, "screening", "screenings", body)

    def post(
        self, day: date | None, kind: str, section: str, body: dict[str, Any], late_by: int = 0
    ) -> None:
        """A step of the lead's staff on the case itself."""
        self.story.add(day, kind, "intake", "POST", f"/v1/cases/{{case}}/{section}", body, self.staff,
                       refs={"case": self.case}, late_by=late_by)  # fmt: skip

    def contacts(self, mean: float, within: int) -> None:
        """Further contacts of the lead's staff; now and then about nobody in particular."""
        for _ in range(_poisson(self.random, mean)):
            day = self.story.day(self.opened, 1 + int(self.random.expovariate(3 / within)))
            self.record(day)

    def record(self, day: date | None, late_by: int = 0) -> None:
        people = self.household.people
        about: list[Any] = self.random.choices(
            ([people[0].id], [], [p.id for p in people]), (6, 3, 1)
        )[0]
        method = weighted(self.random, METHODS)
        text = None if method == "absent" else self.pen.contact()
        body = {"kind": "support", "subjects": about, "method": method, "text": text}
        self.post(day, "record", "records", body, late_by)
        if day:
            self.busy.append(day)

    def updates(self, holders: tuple[str, ...]) -> None:
        """What is learnt later: the newest value shows (L17), some of it not to one agency."""
        key = self.household.key
        if self.random.random() < 0.3:
            day = self.story.day(self.opened, self.random.randint(3, 70))
            mark = self.random.choice(holders) if holders and self.random.random() < 0.25 else ""
            if part := self.situation(key, mark):
                self.section(day, "situation", part, self.staff)
        if self.random.random() < 0.12:
            day = self.story.day(self.opened, self.random.randint(5, 120))
            new = {"id": key.id, "relation": key.relation, "phone": self.crowd.mobile()}
            self.section(day, "person", new, self.staff)
        if self.random.random() < 0.08:
            day = self.story.day(self.opened, self.random.randint(10, 60))
            self.worries = concerns(self.random, self.ikoma.defaults)
            self.section(day, "worries", self.worry(), self.staff)

    def close(self, reason: str, days: int) -> None:
        """After everything else that is planned on the case."""
        last = max([self.opened, *self.busy, *(day for day, _, _ in self.story.steps)])
        note = self.pen.note() if self.random.random() < 0.4 else None
        day = self.story.day(last, days)
        self.post(day, "closing", "closing", {"reason": reason, "note": note})


def _poisson(random: Random, mean: float) -> int:
    """Knuth's way, enough for small means."""
    count, product, floor = 0, random.random(), 2.718281828459045**-mean
    while product > floor:
        count += 1
        product *= random.random()
    return count
