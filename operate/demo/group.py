"""Cases for several agencies: consents to the pool of the 重層的支援会議 (L3, L4, L6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from operate.demo.cases import Consultation
from operate.demo.consenting import Given, ask, some_classes, withdraw
from operate.demo.referrals import Desk

BODY = "juso"


@dataclass(frozen=True)
class Discussed:
    """A case that may come before the consented body: who agreed, from when, until when."""

    made: Consultation
    given: tuple[Given, ...]
    ready: date
    withdrawn: date | None = None

    @property
    def excluded(self) -> set[str]:
        return {code for one in self.given for code in one.excluded}

    def open_to(self, day: date) -> bool:
        """Whether it can still be put on the agenda of a sitting that day."""
        ends = [one.until for one in self.given if one.until]
        alive = all(day < end for end in ends)
        return self.ready <= day and alive and (self.withdrawn is None or day < self.withdrawn)


def group_case(
    made: Consultation,
    pool: list[str],
    *,
    refusing: bool = False,
    withdrawn_after: int = 0,
    told: str = "",
    told_on: date | None = None,
) -> Discussed | None:
    """Each of the household is asked for himself; `refusing`: all but the key person say no.

    `told`: an agency that joins the pool later, of which the key person is told on `told_on`.
    """
    made.outcome = "multi_agency_request"
    made.open()
    made.screen()
    story, random = made.story, made.random
    day = story.day(made.opened, random.choice((0, 0, 3, 12)))
    classes = some_classes(random, "life_history", "health_disability")
    excluded = [random.choice(pool)] if random.random() < 0.3 else []
    given: list[Given] = []
    for number, person in enumerate(made.household.people):
        status = "refused" if refusing and number else "granted"
        one = ask(
            story, day, made.staff, person, made.case, classes,
            status=status, group=BODY, excluded=excluded,
        )  # fmt: skip
        given += [one] if one else []
    if not given or day is None:
        return None
    made.contacts(7, 150)
    made.updates(tuple(code for code in pool if code not in excluded))
    if random.random() < 0.7:
        desk = Desk(story, made.ikoma, made.pen, made.case, made.staff)
        open_to = [c for c in pool if c not in excluded and c != made.lead.code]
        asked = story.day(day, random.randint(2, 14))
        if asked:
            made.busy += desk.refer(asked, given[0], random.sample(open_to, 2))
    if told and told_on and told_on > day and told not in excluded:
        story.add(
            story.day(told_on, 5), "told", "intake", "POST", "/v1/consents/{consent}/told-members",
            {"agency": told}, made.staff, refs={"consent": given[0].intent},
        )  # fmt: skip
    gone = story.day(day, withdrawn_after) if withdrawn_after else None
    if gone:
        withdraw(story, gone, made.staff, given[0])
        made.busy.append(gone)
    return Discussed(made, tuple(given), story.day(day, 3) or day, gone)
