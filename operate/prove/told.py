"""A random history: what was told when, in which order it arrives, and when views looks at it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from shared.contracts import Event
from shared.contracts import intake as i
from shared.contracts import meetings as m
from shared.contracts import referral as r

NAMES, START = UUID(int=7), datetime(2026, 4, 1, tzinfo=UTC)
CASE, HANA, KEN, MATTER = (uuid5(NAMES, name) for name in ("case", "hana", "ken", "matter"))
PURPOSES = {
    "lead": ("consultation", "coordination"),
    "care": ("consultation",),
    "clinic": ("consultation", "application"),
    "shop": ("application",),
}
AGENCIES = tuple(PURPOSES)
DESKS = {"visits-desk": "visits", "shop-desk": None}
"""Of a programme that passes from hand to hand, and of the shop in its own right."""
NAMES_OF_HOLDERS = (*AGENCIES[1:], *DESKS)
STAFF = ("at-desk", "at-desk", "elsewhere")
"""Two of each agency; one of them, who writes more, may sit at a desk."""
CLASSES = ("contact", "health_disability", "work_school", "money", "life_history", "judgement")
GROUP = "juso"
WAITS = [timedelta(minutes=7), timedelta(hours=5), timedelta(days=1), timedelta(days=4)]
Plain = dict[str, Any]


class Told(NamedTuple):
    """One event, and the same in plain words for the oracle. `stream`: its events arrive in order."""

    id: UUID
    stream: str
    at: datetime
    by: str
    event: Event
    plain: Plain


class Step(NamedTuple):
    """`arrives`: the number of what reaches views; else views looks, at `at`, and hears all or not."""

    arrives: int | None = None
    at: datetime = START
    heard: bool = False


@dataclass
class History:
    told: list[Told] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


class Teller:
    """Tells a history by chance alone; the same for the same chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.now, self.made = chance, START, History()
        self.consents: list[UUID] = []
        self.bases: list[UUID] = []
        self.joined: list[str] = []
        self.left: list[str] = []
        self.moments: list[datetime] = []
        self.contracts: list[Plain] = []
        self.seats: list[Plain] = []
        self.waiting: dict[str, list[int]] = {}

    def tell(self) -> History:
        for agency, purposes in PURPOSES.items():
            about: Plain = {"agency": agency, "name": agency, "kind": "x", "controller": "city"}
            event = r.AgencyRegistered(**about, purposes=purposes)
            self._say(f"agency/{agency}", event, kind="agency", agency=agency, purposes=purposes)
        visits = r.ProgrammeRegistered(programme="visits", name="visits")
        self._say("programme/visits", visits, kind="programme")
        for desk, programme in DESKS.items():
            of: Plain = {"desk": desk, "programme": programme}
            of["agency"] = None if programme else "shop"
            self._say(f"desk/{desk}", r.DeskRegistered(name=desk, **of), kind="desk", **of)
        for person in (HANA, KEN):
            joins = i.PersonJoined(case=CASE, person=person, relation="other")
            self._fact(f"case/{CASE}", joins, "lead", (person,), relation="contact")
        if self.chance.random() < 0.8:
            self._contract()
            for agency in AGENCIES[:3]:
                self._take_seat("visits-desk", agency)
        acts: list[Callable[[], None]] = [
            self._describe, self._describe, self._situation, self._situation, self._record,
            self._judgement, self._sealed, self._consent, self._consent, self._consent,
            self._consent, self._narrow, self._end_consent, self._tell_of_member, self._flag,
            self._join, self._leave, self._urgent, self._ground, self._review, self._end_basis,
            self._protect, self._protect, self._lift, self._contract, self._contract,
            self._end_contract, self._sit, self._sit, self._stand_up, self._close_desk,
        ]  # fmt: skip
        for _ in range(self.chance.randint(4, 20)):
            self.chance.choice(acts)()
            self._pass()
        while self.waiting:
            self._arrive()
        self._look(heard=True)
        return self.made

    def _pass(self) -> None:
        """Some of what is under way arrives, views may look, time goes on or leaps."""
        for _ in range(self.chance.choice((0, 0, 1, 1, 2, 6))):
            self._arrive()
        if self.chance.random() < 0.6:
            self._look(heard=self.chance.random() < 0.7)
        ahead = [moment for moment in self.moments if moment > self.now]
        if ahead and self.chance.random() < 0.25:
            self.now = min(ahead)
            self._look(heard=self.chance.random() < 0.7)
        self.now += self.chance.choice(WAITS) + timedelta(microseconds=1)

    def _arrive(self) -> None:
        if self.waiting:
            stream = self.chance.choice(sorted(self.waiting))
            self.made.steps.append(Step(self.waiting[stream].pop(0)))
            if not self.waiting[stream]:
                del self.waiting[stream]

    def _look(self, heard: bool) -> None:
        self.made.steps.append(Step(None, self.now, heard))

    def _say(self, stream: str, event: Event, by: str = "lead", **plain: Any) -> None:
        self.now += timedelta(seconds=1)
        number = len(self.made.told)
        id, who = uuid5(NAMES, f"event {number}"), self.chance.choice(STAFF)
        own = {"id": id, "at": self.now, "by": by, "by_whom": who}
        self.made.told.append(Told(id, stream, self.now, by, event, {**own, **plain}))
        self.waiting.setdefault(stream, []).append(number)

    def _fact(
        self, stream: str, event: Event, by: str, about: tuple[UUID, ...], **fields: str
    ) -> None:
        """`fields`: name and data class of each."""
        self._say(
            stream, event, by, kind="fact", about=about, fields=fields,
            not_to=getattr(event, "not_to", ()), newest=bool(event.SLOT),
            type=type(event).__name__, joins=isinstance(event, i.PersonJoined),
        )  # fmt: skip

    def _new(self) -> UUID:
        return uuid5(NAMES, f"stream {len(self.made.told)}")

    def _some(self, values: tuple[Any, ...], least: int = 0) -> tuple[Any, ...]:
        number = self.chance.randint(least, min(len(values), 3))
        return tuple(self.chance.sample(values, number))

    def _person(self) -> UUID:
        return self.chance.choice((HANA, HANA, KEN))

    def _recorder(self) -> str:
        return self.chance.choice((*AGENCIES, "care", "care"))

    def _mark(self) -> tuple[str, ...]:
        return self._some(AGENCIES, 1)[:1] if self.chance.random() < 0.2 else ()

    def _soon(self) -> datetime:
        moment = self.now + self.chance.choice((1, 3, 9)) * timedelta(days=1)
        self.moments.append(moment)
        return moment

    def _describe(self) -> None:
        person, who = self._person(), self._recorder()
        fields = dict.fromkeys(self._some(("name", "address", "phone"), 1), "contact")
        values: Any = {name: f"{name} {len(self.made.told)}" for name in fields}
        event = i.PersonDescribed(case=CASE, person=person, not_to=self._mark(), **values)
        self._fact(f"case/{CASE}", event, who, (person,), **fields)

    def _situation(self) -> None:
        person, who = self._person(), self._recorder()
        classes = {"health": "health_disability", "work": "work_school", "money": "money"}
        fields = {name: classes[name] for name in self._some(tuple(classes), 1)}
        values: Any = {name: f"{name} {len(self.made.told)}" for name in fields}
        values["source"], fields["source"] = "observation", "judgement"
        event = i.SituationRecorded(case=CASE, person=person, not_to=self._mark(), **values)
        self._fact(f"case/{CASE}", event, who, (person,), **fields)

    def _record(self) -> None:
        """A text about one, about both, or, where nobody is named, about the household."""
        id, about = self._new(), self._some((HANA, KEN))
        event = i.ContactRecorded(record=id, case=CASE, subjects=about, method="visit", text="x")
        fields = {"method": "life_history", "text": "life_history"}
        self._fact(f"record/{id}", event, self._recorder(), about, **fields)

    def _judgement(self) -> None:
        """What a worker thinks of it, or who told it: never by consent."""
        if self.chance.random() < 0.5:
            judged = i.UrgencyJudged(case=CASE, urgency="high")
            self._fact(f"case/{CASE}", judged, "lead", (), urgency="judgement")
        else:
            told = i.ReporterRecorded(case=CASE, route="agency")
            self._fact(f"case/{CASE}", told, "lead", (), route="reporter")

    def _sealed(self) -> None:
        """What was heard in a meeting, wherever it is typed."""
        person = self._person()
        event = i.SituationRecorded(
            case=CASE, person=person, money="x", source="meeting", matter=MATTER
        )
        fields = {"money": "sealed", "source": "sealed"}
        self._fact(f"case/{CASE}", event, self.chance.choice(AGENCIES), (person,), **fields)

    def _consent(self) -> None:
        id, chance = self._new(), self.chance
        terms: Plain = {
            "person": self._person(),
            "status": chance.choice(("granted", "granted", "granted", "refused", "undecided")),
            "classes": self._some(CLASSES, 1),
            "purposes": chance.choice((("consultation",), ("application", "consultation"))),
            "holders": self._some(NAMES_OF_HOLDERS),
            "group": chance.choice((None, GROUP)),
            "excluded": self._mark(),
            "begins": chance.choice((self.now, START, self._soon())),
            "until": chance.choice((None, None, self._soon() + timedelta(days=1))),
            "proxy": chance.choice((None, None, "curator")),
        }
        if terms["until"]:
            self.moments.append(terms["until"])
        event = i.ConsentRecorded(consent=id, case=CASE, medium="paper", text_version="1", **terms)
        self._say(f"consent/{id}", event, kind="consent", consent=id, **terms)
        self.consents.append(id)

    def _of(self, ids: list[UUID]) -> UUID | None:
        return self.chance.choice(ids) if ids else None

    def _narrow(self) -> None:
        if id := self._of(self.consents):
            less: Plain = {
                "excluded": self._some(NAMES_OF_HOLDERS), "dropped": self._some(CLASSES),
                "until": self.chance.choice((None, None, self._soon())),
            }  # fmt: skip
            event = i.ConsentNarrowed(consent=id, case=CASE, **less)
            self._say(f"consent/{id}", event, kind="narrowed", consent=id, **less)

    def _end_consent(self) -> None:
        if id := self._of(self.consents):
            how = self.chance.choice((i.ConsentWithdrawn, i.ConsentExpired))
            self._say(f"consent/{id}", how(consent=id, case=CASE), kind="ended", consent=id)

    def _tell_of_member(self) -> None:
        if id := self._of(self.consents):
            agency = self.chance.choice(AGENCIES)
            event = i.ConsentToldOfMember(consent=id, case=CASE, agency=agency)
            self._say(f"consent/{id}", event, kind="told", consent=id, agency=agency)

    def _flag(self) -> None:
        person = self._person()
        flags = self._some(("died", "abuse", "conflict_of_interest"))[:2]
        event = i.PersonFlagged(case=CASE, person=person, flags=flags)
        self._say(f"case/{CASE}", event, kind="flags", person=person, flags=flags)

    def _join(self) -> None:
        """Each agency joins the group and leaves it once at most."""
        if rest := [one for one in AGENCIES[1:] if one not in self.joined]:
            agency = self.chance.choice(rest)
            self.joined.append(agency)
            event = m.MemberNamed(body=GROUP, member=f"of-{agency}", agency=agency)
            self._say(f"body/{GROUP}", event, kind="joined", agency=agency)

    def _leave(self) -> None:
        if rest := [one for one in self.joined if one not in self.left]:
            agency = self.chance.choice(rest)
            self.left.append(agency)
            event = m.MemberLeft(body=GROUP, member=f"of-{agency}")
            self._say(f"body/{GROUP}", event, kind="left", agency=agency)

    def _contract(self) -> None:
        """Of an agency with the city: after all others, at once, or with a gap before it."""
        over = max((one["ends"] for one in self.contracts), default=self.now)
        begins = self.chance.choice((over, max(over, self.now), over + timedelta(days=1)))
        days = timedelta(days=self.chance.choice((2, 30, 30)))
        made: Plain = {
            "programme": "visits", "contract": self._new(), "begins": begins,
            "ends": begins + days, "agency": self.chance.choice(("care", "care", "clinic", "lead")),
        }  # fmt: skip
        self._say("programme/visits", r.ProgrammeContracted(**made), kind="contract", **made)
        self.contracts.append(made)
        self.moments += [begins, begins + days]

    def _end_contract(self) -> None:
        """Early: the last one, at once or within days, or before it began."""
        if self.contracts:
            last = self.contracts[-1]
            ends = self.now + self.chance.choice((0, 1, 3)) * timedelta(hours=20)
            ends = max(last["begins"], min(last["ends"], ends))
            about: Plain = {"contract": last["contract"], "ends": ends}
            event = r.ContractEnded(programme="visits", **about)
            self._say("programme/visits", event, kind="contract_ended", **about)
            last["ends"] = ends
            self.moments.append(ends)

    def _sit(self) -> None:
        """The same person of an agency may be named ahead of its contract, and to both desks."""
        self._take_seat(self.chance.choice(tuple(DESKS)), self.chance.choice(AGENCIES))

    def _take_seat(self, desk: str, agency: str) -> None:
        if all((one["desk"], one["agency"]) != (desk, agency) for one in self.seats):
            event = r.DeskMemberNamed(desk=desk, agency=agency, member=STAFF[0])
            seat: Plain = {"seat": self._new(), "desk": desk, "who": (agency, STAFF[0])}
            self._say(f"desk/{desk}", event, kind="seat", **seat)
            self.seats.append({**seat, "agency": agency})

    def _stand_up(self) -> None:
        if self.seats:
            seat = self.seats.pop(self.chance.randrange(len(self.seats)))
            desk, agency = seat["desk"], seat["agency"]
            event = r.DeskMemberLeft(desk=desk, agency=agency, member=STAFF[0])
            self._say(f"desk/{desk}", event, kind="stood_up", seat=seat["seat"])

    def _close_desk(self) -> None:
        if self.chance.random() < 0.2:
            desk = self.chance.choice(tuple(DESKS))
            self._say(f"desk/{desk}", r.DeskClosed(desk=desk), kind="desk_closed", desk=desk)

    def _terms(self) -> Plain:
        return {
            "persons": self._some((HANA, KEN), 1),
            "holders": self._some(NAMES_OF_HOLDERS, 1),
            "classes": self._some((*CLASSES, "judgement"), 1),
            "begins": self.now,
            "until": self._soon() + timedelta(days=2),
        }

    def _urgent(self) -> None:
        id, terms = self._new(), {**self._terms(), "review_by": self._soon()}
        self.moments.append(terms["until"])
        event = i.UrgentAsserted(
            basis=id, case=CASE, danger="life", reason="x", informed="sato", **terms
        )
        self._say(f"basis/{id}", event, kind="urgent", basis=id, **terms)
        self.bases.append(id)

    def _ground(self) -> None:
        id = self._new()
        terms = {**self._terms(), "provider": self.chance.choice(AGENCIES[:2])}
        self.moments.append(terms["until"])
        event = i.GroundRecorded(
            basis=id, case=CASE, ground="law", citation="x", reason="x", no_harm="x",
            approver="sato", **terms,
        )  # fmt: skip
        self._say(f"basis/{id}", event, kind="ground", basis=id, **terms)
        self.bases.append(id)

    def _review(self) -> None:
        if id := self._of(self.bases):
            event = i.BasisReviewed(basis=id, case=CASE)
            self._say(f"basis/{id}", event, kind="reviewed", basis=id)

    def _end_basis(self) -> None:
        if id := self._of(self.bases):
            self._say(f"basis/{id}", i.BasisEnded(basis=id, case=CASE), kind="over", basis=id)

    def _protect(self) -> None:
        person, named = self._person(), self._some(AGENCIES)
        item = self.chance.choice(("address", "address", "phone", "workplace", "school"))
        event = i.ItemProtected(case=CASE, person=person, item=item, named=named)
        self._say(f"case/{CASE}", event, kind="protected", person=person, item=item, named=named)

    def _lift(self) -> None:
        person = self._person()
        item = self.chance.choice(("address", "phone", "workplace", "school"))
        event = i.ProtectionLifted(case=CASE, person=person, item=item)
        self._say(f"case/{CASE}", event, kind="protected", person=person, item=item, named=None)


def history(seed: int, number: int) -> History:
    return Teller(random.Random(f"{seed}/{number}")).tell()
