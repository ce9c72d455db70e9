"""Ordinary consultations: most end at the window, some are linked elsewhere by consent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from operate.demo.cases import LATER, WITHIN_30, Consultation
from operate.demo.consenting import Given, ask, some_classes, withdraw
from operate.demo.ikoma import weighted
from operate.demo.intent import Ref
from operate.demo.people import Person
from operate.demo.referrals import Desk, receivers
from operate.demo.story import worker

REASONS = {"resolved": 62, "handed_over": 22, "moved": 5, "interrupted": 8, "died": 3}


@dataclass(frozen=True)
class Wanted:
    """What this case must have, so that the year has some of each; else chance decides."""

    referrals: int = 0
    consent: str = ""
    fate: str = ""
    withdrawn: bool = False
    expires: bool = False
    marked: bool = False
    late_days: tuple[int, ...] = ()
    refusing_relative: bool = False
    no_basis: bool = False
    joins_later: bool = False


def consultation(made: Consultation, wanted: Wanted) -> None:
    """Plans the whole case."""
    made.open()
    made.screen()
    given = _consents(made, wanted)
    to = tuple(code for code in (given.holders if given else ()) if code != made.staff.agency)
    if given and wanted.referrals:
        _refer(made, given, wanted)
    elif wanted.no_basis:
        _refer_without_basis(made)
    if wanted.marked and to:
        part = made.situation(made.household.key, to[0])
        day = made.story.day(made.opened, made.random.randint(8, 40))
        made.section(day, "situation", part or {"person": made.household.key.id, "money": made.pen.money(50),
                                                "not_to": [to[0]]}, made.staff)  # fmt: skip
    short = made.outcome == "information_only" and not wanted.referrals
    made.contacts(0.7 if short else 2.9, 12 if short else 75)
    if not short:
        made.updates(to)
    if wanted.joins_later:
        _relative(made)
    for days in wanted.late_days:
        made.record(made.story.day(made.opened, days + 5), late_by=days)
    _end(made, short)


def _consents(made: Consultation, wanted: Wanted) -> Given | None:
    """The key person's answer, and those of the others where they are asked too."""
    random, mix = made.random, made.ikoma.defaults["consent"]
    when = wanted.consent or weighted(random, mix)
    if wanted.referrals and when == "never":
        when = "at_first_contact"
    if when == "never":
        status = weighted(random, {"refused": 45, "undecided": 40, "cannot_consent": 15})
        ask(made.story, made.opened, made.staff, made.household.key, made.case,
            some_classes(random), status=status, holders=[made.lead.code])  # fmt: skip
        return None
    wait = {"within_30_days": WITHIN_30, "later": LATER}.get(when, (0, 0))
    day = made.story.day(made.opened, random.randint(*wait))
    count = max(1, wanted.referrals + (1 if random.random() < 0.4 else 0))
    holders = receivers(made.ikoma, random, made.lead.code, made.worries, count)
    if random.random() < 0.3:
        holders.append(made.lead.code)
    surely = [made.ikoma.agencies[code] for code in holders] if wanted.referrals else []
    last_days, classes = _last_days(made, wanted), some_classes(random)

    def answer(person: Person, status: str = "granted") -> Given | None:
        return ask(
            made.story, day, made.staff, person, made.case, classes,
            status=status, surely=surely, holders=holders, last_days=last_days,
        )  # fmt: skip

    given = answer(made.household.key)
    for other in made.household.people[1:]:
        if wanted.refusing_relative or random.random() < 0.35:
            yes = not wanted.refusing_relative and random.random() < 0.75
            answer(other, "granted" if yes else "refused")
    return given


def _last_days(made: Consultation, wanted: Wanted) -> int:
    if wanted.expires:
        return 90
    return made.random.choice((120, 180, 365)) if made.random.random() < 0.15 else 0


def _refer(made: Consultation, given: Given, wanted: Wanted) -> None:
    random = made.random
    desk = Desk(made.story, made.ikoma, made.pen, made.case, made.staff)
    to = [code for code in given.holders if code != made.lead.code]
    for turn in range(wanted.referrals):
        day = made.story.day(given.begins, random.randint(0, 6) + 5 * turn)
        if day is None or not to[turn:]:
            break
        made.busy += desk.refer(day, given, to[turn:], wanted.fate if turn == 0 else "")
    if wanted.withdrawn:
        day = made.story.day(max(desk.last_asked, given.begins), random.randint(6, 50))
        withdraw(made.story, day, made.staff, given)
        made.busy += [day] if day else []


def _relative(made: Consultation) -> None:
    """Another member of the household becomes known: what is about all is now about him too (L4)."""
    day = made.story.day(made.opened, made.random.randint(20, 45))
    made.section(day, "person", made.newcomer().sheet(), made.staff, 2)


def _refer_without_basis(made: Consultation) -> None:
    """Staff try, and the service refuses: no consent, no referral (L9); to the agency that was
    not asked, the case does not exist (L14).
    """
    to = receivers(made.ikoma, made.random, made.lead.code, made.worries, 1)
    day: date | None = made.story.day(made.opened, 2)
    body = {"case": Ref(made.case), "person": made.household.key.id, "receiver": to[0],
            "classes": ["life_history"], "need": made.pen.need()}  # fmt: skip
    made.story.add(day, "referral", "referral", "POST", "/v1/referrals", body, made.staff,
                   name="no-basis", expect=(409, "no-live-basis"), effects=0)  # fmt: skip
    note = {"kind": "support", "subjects": [], "method": "phone", "text": made.pen.contact()}
    stranger = worker(made.ikoma.agencies[to[0]])
    made.story.add(day, "record", "intake", "POST", "/v1/cases/{case}/records", note, stranger,
                   name="stranger", refs={"case": made.case}, expect=(404, "not-found"),
                   effects=0)  # fmt: skip


def _end(made: Consultation, short: bool) -> None:
    random = made.random
    if short:
        if random.random() < 0.9:
            made.close("information_only", random.randint(0, 3))
    elif made.outcome == "interrupted":
        made.close("interrupted", random.randint(5, 30))
    elif random.random() < 0.55:
        made.close(weighted(random, REASONS), random.randint(5, 60))
