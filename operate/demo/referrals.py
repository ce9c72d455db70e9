"""Referrals of a case: asked, received, accepted or declined, begun, completed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from operate.demo.consenting import Given
from operate.demo.ikoma import Agency, Ikoma, days_around, weighted
from operate.demo.intent import Actor, Ref
from operate.demo.phrases import Pen
from operate.demo.story import Story, worker

SUITED = {
    "health": ("hospital", "city_health", "public_health", "disability"),
    "housing": ("housing", "self_reliance", "shakyo"),
    "income": ("self_reliance", "welfare_office", "shakyo"),
    "rent_loan": ("self_reliance", "legal", "shakyo"),
    "tax_utilities": ("self_reliance", "city_general", "consumer"),
    "debt": ("legal", "self_reliance", "consumer"),
    "job_search": ("employment", "self_reliance", "participation"),
    "job_trouble": ("employment", "legal", "mental_health"),
    "community": ("minsei", "community", "community_dev"),
    "family": ("child_family", "community_care", "gender"),
    "childcare": ("child_family", "childcare", "city_health"),
    "care": ("community_care", "city_elderly", "care_provider", "hospital"),
    "hikikomori": ("youth", "mental_health", "shakyo", "peer"),
    "abuse": ("gender", "child_guidance", "rights"),
    "food": ("shakyo", "self_reliance"),
    "other": ("shakyo", "rights", "community_dev"),
}
OUTCOMES = {"helped": 76, "partly_helped": 17, "not_helped": 7}
CODES = {"not_eligible": 30, "no_capacity": 30, "other_agency": 25, "person_declined": 15}


def receivers(
    ikoma: Ikoma, random: Random, lead: str, worries: Sequence[str], count: int
) -> list[str]:
    """So many agencies suited to the worries, none twice, never the lead."""
    kinds = [kind for worry in (*worries, "other", "income", "care") for kind in SUITED[worry]]
    found: list[str] = []
    for kind in dict.fromkeys(kinds):
        fitting = [code for code in ikoma.of_kind(kind) if code != lead]
        if fitting and random.random() < 0.6:
            found.append(random.choice(fitting))
    return (found or [ikoma.of_kind("shakyo", "rights")[lead == "ikoma-shakyo"]])[:count]


@dataclass
class Desk:
    """What makes the referrals of one case: its sender, its consent, chance."""

    story: Story
    ikoma: Ikoma
    pen: Pen
    case: str
    sender: Actor
    last_asked: date = date.min

    def refer(self, day: date, given: Given, to: Sequence[str], fate: str = "") -> list[date]:
        """A request to the first of `to`, after a decline to the next; the days of its steps."""
        random, agency = self.story.random, self.ikoma.agencies[to[0]]
        mix = self.ikoma.defaults["referral"]
        fate = fate or weighted(
            random, {k: v for k, v in mix.items() if "days" not in k or "14" in k}
        )
        classes = [name for name in given.classes if name != "contact"] or ["contact"]
        body = {
            "case": Ref(self.case),
            "person": given.person.id,
            "receiver": agency.code,
            "classes": random.sample(classes, random.randint(1, min(3, len(classes)))),
            "need": self.pen.need(),
            "urgency": "urgent" if random.random() < 0.12 else "standard",
            "wished_on": self.story.day(day, 10) if random.random() < 0.3 else None,
        }
        asked = self.story.add(
            day, "referral", "referral", "POST", "/v1/referrals", body, self.sender,
            name=f"referral-{agency.code}", needs=(given.intent,),
        )  # fmt: skip
        self.last_asked = max(self.last_asked, day)
        days = [day]
        if asked is None or (fate == "no_answer_in_14_days" and random.random() < 0.5):
            return days
        days += self._step(asked, "receipt", self.story.day(day, random.randint(0, 1)), {}, agency)
        if fate == "no_answer_in_14_days":
            return days
        wait = days_around(random, mix["answer_days_median"], mix["answer_days_p90"])
        answered = self.story.day(days[-1], wait)
        if fate == "accepted":
            return days + self._helped(asked, answered, agency, given)
        text = self.pen.decline() if random.random() < 0.8 else None
        code = weighted(random, CODES)
        days += self._step(asked, "decline", answered, {"code": code, "text": text}, agency)
        nexts = self.story.day(days[-1], random.randint(1, 4))
        if fate != "declined" and to[1:] and nexts and (not given.until or nexts < given.until):
            days += self.refer(nexts, given, to[1:], "accepted")
        return days

    def _helped(
        self, asked: str, accepted: date | None, agency: Agency, given: Given
    ) -> list[date]:
        random = self.story.random
        first = accepted and self.story.day(accepted, random.randint(1, 14))
        body = {"first_contact_on": first if random.random() < 0.5 else None}
        days = self._step(asked, "acceptance", accepted, body, agency)
        if first is None or random.random() < 0.06:
            return days
        days += self._step(asked, "service-start", first, {"first_contact_on": first}, agency)
        self._notes(asked, first, agency, given)
        if random.random() < 0.72:
            done = self.story.day(first, random.randint(15, 120))
            text = self.pen.result() if random.random() < 0.7 else None
            ended = {"outcome": weighted(random, OUTCOMES), "text": text}
            days += self._step(asked, "completion", done, ended, agency)
        return days

    def _step(
        self, asked: str, kind: str, day: date | None, body: dict[str, Any], agency: Agency
    ) -> list[date]:
        path = f"/v1/referrals/{{referral}}/{kind}"
        refs = {"referral": asked}
        made = self.story.add(
            day, kind, "referral", "POST", path, body, worker(agency, 2), refs=refs
        )
        return [day] if made and day else []

    def _notes(self, asked: str, day: date, agency: Agency, given: Given) -> None:
        """What the receiver writes down itself: its own record (L2)."""
        random = self.story.random
        for _ in range(random.choice((0, 0, 1, 1, 2))):
            on = self.story.day(day, random.randint(0, 40))
            subjects = [given.person.id] if random.random() < 0.8 else []
            method = random.choice(("visit", "phone", "office", "accompany"))
            body = {
                "kind": "support",
                "subjects": subjects,
                "method": method,
                "text": self.pen.contact(),
            }
            self.story.add(
                on, "record", "intake", "POST", "/v1/cases/{case}/records", body, worker(agency, 2),
                refs={"case": self.case}, needs=(asked,),
            )  # fmt: skip
