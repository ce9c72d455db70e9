"""Cases without consent before the 支援会議 of 社会福祉法106条の6 (L5, L12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from operate.demo.cases import SITUATION, Consultation
from operate.demo.consenting import ask
from operate.demo.intent import Actor, Ref
from operate.demo.story import Story, coordinator, member

BODY = "shien-106-6"
TRUE_CLASSES = ("money", "health_disability", "life_history", "work_school")


@dataclass(frozen=True)
class Before:
    """A case before the body: its matter, live from `ready` until `ends`."""

    made: Consultation
    matter: str
    ready: date
    ends: date | None

    def open_to(self, day: date) -> bool:
        return self.ready <= day and (self.ends is None or day < self.ends)


@dataclass
class Matter:
    """The steps of one matter, in the chain of its case."""

    story: Story
    id: str

    def step(self, day: date | None, kind: str, body: dict[str, object], by: Actor) -> str | None:
        return self.story.add(
            day, f"matter-{kind}", "meetings", "POST", f"/v1/matters/{{matter}}/{kind}", body, by,
            refs={"matter": self.id},
        )  # fmt: skip


def statutory_case(
    made: Consultation, members: list[str], *, promoted: bool = False, overdue: bool = False
) -> Before | None:
    """Nobody consents; what is put before the body is sealed, until one fact is promoted."""
    made.outcome = "not_yet_consented"
    made.open()
    made.screen()
    story, random, key = made.story, made.random, made.household.key
    status = random.choice(("refused", "undecided", "cannot_consent"))
    ask(story, made.opened, made.staff, key, made.case, ["contact", "life_history"],
        status=status, group="juso")  # fmt: skip
    submitted = story.day(made.opened, random.randint(3, 20))
    people = [person.id for person in made.household.people]
    body = {"case": Ref(made.case), "body": BODY, "subjects": people}
    id = story.add(submitted, "matter", "meetings", "POST", "/v1/matters", body, made.staff)
    if id is None or submitted is None:
        return None
    matter = Matter(story, id)
    called = random.sample(members, min(len(members), random.randint(3, 5)))
    subjects = [member(code).subject for code in called]
    matter.step(story.day(submitted, 1), "members", {"members": subjects}, coordinator())
    true_classes = ["money", *random.sample(TRUE_CLASSES[1:], random.randint(1, 2))]
    materials = []
    for number, true_class in enumerate(true_classes):
        by = made.staff if number == 0 else member(called[number])
        text = made.pen.of_class(true_class, key.age)
        material = {"person": key.id, "true_class": true_class, "text": text}
        day = story.day(submitted, 4 + 3 * number)
        materials.append(matter.step(day, "materials", material, by))
    _heard(made, matter, story.day(submitted, 12))
    ends = _course(made, matter, submitted, overdue)
    if promoted and materials[0]:
        _promote(made, matter, materials[0], story.day(submitted, 35))
    made.contacts(6, 120)
    return Before(made, id, story.day(submitted, 5) or submitted, ends)


def _heard(made: Consultation, matter: Matter, day: date | None) -> None:
    """A worker types what was heard at the meeting: sealed all the same (example 11)."""
    key = made.household.key
    part = {"person": key.id, "history": made.pen.history(), "source": "meeting",
            "matter": Ref(matter.id)}  # fmt: skip
    made.section(day, "situation", part, made.staff)


def _course(made: Consultation, matter: Matter, submitted: date, overdue: bool) -> date | None:
    """Decision, reviews and end; the day of the end if it comes within the year."""
    story = made.story
    matter.step(story.day(submitted, 30), "decisions", {"text": made.pen.decision()}, coordinator())
    if overdue:
        return None
    matter.step(story.day(submitted, 80), "reviews", {}, coordinator())
    if made.random.random() < 0.6:
        ends = story.day(submitted, made.random.randint(100, 150))
        matter.step(ends, "ending", {}, coordinator())
        return ends
    matter.step(story.day(submitted, 160), "reviews", {}, coordinator())
    return None


def _promote(made: Consultation, matter: Matter, material: str, day: date | None) -> None:
    """Consent arrives and covers the true class: a new ordinary fact (example 5)."""
    key = made.household.key
    ask(made.story, day, made.staff, key, made.case, ["contact", "money"],
        holders=["ikoma-shakyo", "ikoma-kurashi-shigoto"],
        surely=[made.ikoma.agencies["ikoma-shakyo"]])  # fmt: skip
    body = {
        "material": Ref(material),
        "person": key.id,
        SITUATION["money"]: made.pen.money(key.age),
    }
    matter.step(made.story.day(day, 2) if day else None, "promotions", body, coordinator())
