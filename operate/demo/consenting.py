"""Consents as the plan gives them, and what it may build on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from operate.demo.ikoma import ALL_PURPOSES, Agency
from operate.demo.intent import Actor
from operate.demo.people import Person
from operate.demo.story import Story
from operate.demo.workdays import TOKYO
from shared.contracts.event import CONSENTABLE

PURPOSES: tuple[tuple[str, ...], ...] = (
    ("consultation", "coordination"),
    ALL_PURPOSES,
    ("application",),
    ("consultation",),
)
SHARES = (65, 20, 8, 7)
TEXT = "R8-04"
WITHDRAWAL = "/v1/consents/{consent}/withdrawal"


@dataclass(frozen=True)
class Given:
    """A granted consent: its intent, and the days between which the plan counts on it."""

    intent: str
    person: Person
    classes: tuple[str, ...]
    holders: tuple[str, ...]
    group: str | None
    excluded: tuple[str, ...]
    begins: date
    until: date | None


def some_classes(random: Random, *least: str) -> tuple[str, ...]:
    """`contact`, the classes asked for, and one to four more; in the order of the code list."""
    rest = [name for name in CONSENTABLE if name not in ("contact", *least)]
    more = random.sample(rest, min(len(rest), random.randint(1, 4)))
    return tuple(name for name in CONSENTABLE if name in ("contact", *least, *more))


def ask(
    story: Story,
    day: date | None,
    lead: Actor,
    person: Person,
    case: str,
    classes: Sequence[str],
    *,
    surely: Sequence[Agency] = (),
    status: str = "granted",
    holders: Sequence[str] = (),
    group: str | None = None,
    excluded: Sequence[str] = (),
    last_days: int = 0,
) -> Given | None:
    """Adds the record of one person's answer. `last_days`: it ends by itself after so many;
    `surely`: agencies whose purposes the consent must meet.
    """
    purposes = story.random.choices(PURPOSES, SHARES)[0]
    if group or any(not set(purposes) & set(agency.purposes) for agency in surely):
        purposes = ALL_PURPOSES
    until = day + timedelta(days=last_days) if day and last_days else None
    body = {
        "person": person.id,
        "status": status,
        "classes": list(classes),
        "purposes": list(purposes),
        "medium": story.random.choice(("paper", "paper", "oral", "electronic")),
        "holders": list(holders),
        "group": group,
        "excluded": list(excluded),
        "assessment": _assessment(day) if status == "cannot_consent" else None,
        "until": datetime.combine(until, time(0), TOKYO) if until else None,
        "text_version": TEXT,
    }
    path = "/v1/cases/{case}/consents"
    made = story.add(day, "consent", "intake", "POST", path, body, lead, refs={"case": case})
    if made is None or day is None or status != "granted":
        return None
    return Given(made, person, tuple(classes), tuple(holders), group, tuple(excluded), day, until)


def withdraw(story: Story, day: date | None, lead: Actor, given: Given) -> str | None:
    """The person takes the consent back."""
    refs = {"consent": given.intent}
    return story.add(day, "withdrawal", "intake", "POST", WITHDRAWAL, {}, lead, refs=refs)


def _assessment(day: date | None) -> dict[str, object] | None:
    """Who found that the person cannot consent, and when that is looked at again (L4a)."""
    if day is None:
        return None
    return {
        "by": "嘱託医",
        "on": day.isoformat(),
        "review_on": (day + timedelta(days=180)).isoformat(),
    }
