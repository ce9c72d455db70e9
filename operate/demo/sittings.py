"""Sittings of the bodies: convened, agenda by case, held or cancelled, decisions, who does what by when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from operate.demo.group import BODY as CONSENTED
from operate.demo.group import Discussed
from operate.demo.ikoma import LEAD
from operate.demo.intent import Ref
from operate.demo.phrases import Pen
from operate.demo.statutory import BODY as STATUTORY
from operate.demo.statutory import Before
from operate.demo.story import Story, coordinator, member

NAMES = {CONSENTED: "juso", STATUTORY: "shien", "sodankai": "sodankai"}
OUTCOMES = ("plan_adequate", "continue", "continue", "revise", "end", "suspend")
NOTICE, AGENDA = 14, 7  # days between the invitation, the agenda and the sitting
LATEST = 14  # days after which a sitting may still be typed in


@dataclass
class Sitting:
    """One sitting in the making."""

    story: Story
    pen: Pen
    bodies: tuple[str, ...]
    day: date
    invited: list[str]
    id: str = ""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    promised: int = 0

    def convene(self, called_off: bool = False) -> None:
        on = self.before(NOTICE)
        body = {"bodies": list(self.bodies), "local_name": "_".join(NAMES[b] for b in self.bodies),
                "planned_on": self.day, "invited": self.invited}  # fmt: skip
        made = self.story.add(
            on, "meeting", "meetings", "POST", "/v1/meetings", body, coordinator()
        )
        assert made
        self.id = made
        if called_off:
            self.post(self.before(2), "cancellation", {})

    def before(self, days: int) -> date:
        """A working day so many days before the sitting, not before the year's second day."""
        days_open = [day for day in self.story.workdays.days[1:] if (self.day - day).days >= days]
        return days_open[-1] if days_open else self.story.workdays.days[1]

    def post(self, day: date | None, section: str, body: dict[str, Any], **more: Any) -> str | None:
        path = f"/v1/meetings/{{meeting}}/{section}"
        return self.story.add(day, f"meeting-{section}", "meetings", "POST", path, body,
                              coordinator(), refs={"meeting": self.id}, **more)  # fmt: skip

    def discuss(self, case: Discussed) -> None:
        """On consents that cover everybody invited (L6); it leaves the agenda if one ends."""
        on = self.before(AGENDA)
        people = [one.person.id for one in case.given]
        item = {"case": Ref(case.made.case), "body": CONSENTED, "subjects": people}
        self.post(on, "agenda", item, needs=[one.intent for one in case.given])
        if case.withdrawn is None or case.withdrawn > self.day + timedelta(days=LATEST):
            about = people if self.story.random.random() < 0.6 else []
            decision = {"case": Ref(case.made.case), "outcome": self.story.random.choice(OUTCOMES),
                        "text": self.pen.decision(), "subjects": about}  # fmt: skip
            self.decisions.append(decision)

    def discuss_without_consent(self, case: Before) -> None:
        """The host tries, and is refused: a consented meeting creates no basis (L6)."""
        item = {"case": Ref(case.made.case), "body": CONSENTED,
                "subjects": [case.made.household.key.id]}  # fmt: skip
        self.post(self.before(AGENDA), "agenda", item, needs=[case.matter],
                  expect=(409, "no-live-basis"), effects=0)  # fmt: skip

    def hear(self, case: Before) -> None:
        """On a live matter, without consent (L5)."""
        people = [person.id for person in case.made.household.people]
        item = {"case": Ref(case.made.case), "body": STATUTORY, "subjects": people,
                "matter": Ref(case.matter)}  # fmt: skip
        self.post(self.before(AGENDA), "agenda", item)

    def hold(self, late_by: int = 0) -> None:
        """`late_by`: typed in so many days after it was held."""
        random = self.story.random
        present = [code for code in self.invited if random.random() < 0.9]
        typed = self.story.day(self.day, late_by)
        late = (typed - self.day).days if typed else 0
        body = {"held_on": self.day, "attended": present, "online": random.random() < 0.2}
        self.post(typed, "holding", body, late_by=late)
        for decision in self.decisions:
            self.post(typed, "decisions", decision)
            self.promise(typed, decision, [LEAD, *present])

    def promise(self, typed: date | None, decision: dict[str, Any], present: list[str]) -> None:
        """Who does what by when: the first and about half of the rest; of these some are not done in time."""
        random = self.story.random
        self.promised += 1
        if self.promised > 1 and random.random() < 0.5:
            return
        days = random.randint(14, 60)
        task = {"case": decision["case"], "text": self.pen.promise(), "owner": random.choice(present),
                "due": self.day + timedelta(days=days), "subjects": decision["subjects"]}  # fmt: skip
        id = self.post(typed, "tasks", task)
        if typed and id and random.random() < 0.7:
            self.story.add(
                self.story.day(typed, random.randint(7, days)), "task-completion", "meetings",
                "POST", "/v1/tasks/{task}/completion", {"note": self.pen.result()},
                member(task["owner"]), refs={"task": id},
            )  # fmt: skip
