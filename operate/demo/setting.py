"""What stands before the year begins: the directory of agencies, the pools of the bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time

from operate.demo.group import BODY as CONSENTED
from operate.demo.ikoma import CITY, LEAD, Agency, Ikoma
from operate.demo.intent import Actor, Intent
from operate.demo.statutory import BODY as STATUTORY
from operate.demo.story import Story, coordinator, member
from operate.demo.workdays import TOKYO

OPERATOR = Actor(CITY, f"{CITY}.operator-1", ("operator",))
PLANNER = Actor(LEAD, f"{LEAD}.planner-1", ("planner",))
POOL = (
    LEAD, "ikoma-shakyo", "ikoma-kurashi-shigoto", "ikoma-fukushi-jimusho", "ikoma-kodomo-katei",
    "ikoma-youthnet", "ikoma-kikan", "ikoma-kenri-yogo", "ikoma-kaigo", "ikoma-shogai", "ikoma-kenko",
    "houkatsu-baijuso", "houkatsu-hanna", "houkatsu-medical", "ikoma-minsei", "hosp-ikoma",
)  # fmt: skip
LEAVER, JOINER = "hosp-kindai", "nara-seishin"
"""One leaves the consented body's pool in the year, another joins it: its consents follow (L3)."""
LEAVES, JOINS = (12, 1), (10, 1)
STATUTORY_POOL = (
    LEAD, "ikoma-shakyo", "ikoma-kurashi-shigoto", "ikoma-fukushi-jimusho", "ikoma-kikan", "moe",
    "houkatsu-baijuso", "hosp-hanna", "nara-koriyama-hoken",
)  # fmt: skip
UNPLEDGED = "hosp-hanna"
"""Called, but never pledged: opens nothing (example 4)."""
LOCAL = "sodankai"
STOPS = {"agency": time(8, 40), "office": time(8, 43), "member": time(8, 45), "pledge": time(8, 50)}
"""Moments of the first day, each settled before the next."""


def directory(ikoma: Ikoma) -> Iterator[Intent]:
    """Every agency, each by itself."""
    for agency in ikoma.agencies.values():
        name, path = f"agency-{agency.code}", f"/v1/agencies/{agency.code}"
        yield _first(ikoma, "agency", name, "PUT", path, _entry(agency), OPERATOR)


def _entry(agency: Agency) -> dict[str, object]:
    return {"name": agency.name, "kind": agency.kind, "controller": agency.controller,
            "purposes": list(agency.purposes), "window": agency.window}  # fmt: skip


def pools(ikoma: Ikoma) -> Iterator[Intent]:
    """The member of the lead section is appointed as secretariat; its coordinator names the others."""
    pools = ((CONSENTED, (*POOL, LEAVER)), (STATUTORY, STATUTORY_POOL), (LOCAL, (LEAD,)))
    for body, codes in pools:
        for code in codes:
            who, office = member(code), code == LEAD
            path, by = (
                f"/v1/bodies/{body}/members/{who.subject}",
                OPERATOR if office else coordinator(),
            )
            named, stop = {"agency": code, "secretariat": office}, "office" if office else "member"
            yield _first(ikoma, "member", f"{body}-{code}", "PUT", path, named, by, stop)
            if body == STATUTORY and code != UNPLEDGED:
                pledge = {"fiscal_year": ikoma.workdays.fiscal_year}
                name, path = f"{body}-{code}-pledge", f"{path}/pledge"
                yield _first(ikoma, "pledge", name, "POST", path, pledge, who)


def _first(
    ikoma: Ikoma,
    kind: str,
    name: str,
    method: str,
    path: str,
    body: Mapping[str, object],
    by: Actor,
    stop: str | None = None,
) -> Intent:
    service = "referral" if kind == "agency" else "meetings"
    at, id_ = datetime.combine(ikoma.workdays.first, STOPS[stop or kind], TOKYO), f"setting/{name}"
    return Intent(id_, at, kind, service, method, path, body, by, id_)


def changes(story: Story) -> tuple[date, date]:
    """A member leaves the consented pool and one joins it; the days of both."""
    year = story.workdays.fiscal_year
    days = [story.workdays.on_or_after(date(year, *when)) for when in (LEAVES, JOINS)]
    leaves, joins = (day or story.workdays.last for day in days)
    path = f"/v1/bodies/{CONSENTED}/members/"
    story.add(joins, "member", "meetings", "PUT", path + member(JOINER).subject,
              {"agency": JOINER, "secretariat": False}, coordinator())  # fmt: skip
    story.add(leaves, "leaving", "meetings", "POST", path + member(LEAVER).subject + "/leaving",
              {}, coordinator())  # fmt: skip
    return leaves, joins


def small_inputs(story: Story, courses: int, trained: int) -> tuple[int, tuple[int, int]]:
    """The survey behind indicator II, the courses behind III: completed in all, and the survey."""
    random, completed = story.random, 0
    days = story.workdays.days
    for number in range(courses):
        day = days[(2 * number + 1) * len(days) // (2 * courses)]
        came = max(5, round(trained / courses) + random.randint(-3, 3))
        completed += came
        story.add(day, "course", "metrics", "POST", "/v1/courses",
                  {"held_on": day, "completed": came}, PLANNER)  # fmt: skip
    answered = random.randint(1050, 1350)
    survey = answered, round(answered * random.uniform(0.43, 0.455))
    asked = story.workdays.on_or_after(date(story.workdays.fiscal_year + 1, 1, 18))
    story.add(asked, "survey", "metrics", "POST", "/v1/surveys",
              {"surveyed_on": asked, "answered": survey[0], "positive": survey[1]}, PLANNER)  # fmt: skip
    return completed, survey
