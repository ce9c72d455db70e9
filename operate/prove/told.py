"""A random history: what was told when, in which order it arrives, and when views looks at it."""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from shared.contracts import Event
from shared.contracts import intake as i
from shared.contracts import meetings as m
from shared.contracts import referral as r

NAMES, START = UUID(int=7), datetime(2026, 4, 1, tzinfo=UTC)
CASES = {
    uuid5(NAMES, case): tuple(uuid5(NAMES, name) for name in persons)
    for case, persons in {
        "case": ("hana", "ken"),
        "other": ("twin", "mei"),
        "third": ("x",),
    }.items()
}
"""Each with its people; a history is about the first one, two, or all."""
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
GROUP, BODY = "juso", "shien-106-6"
MEMBERS = {f"{agency}-{n}": agency for agency in AGENCIES for n in (1, 2)}
WAITS = [timedelta(minutes=7), timedelta(hours=5), timedelta(days=1), timedelta(days=4)]
Plain = dict[str, Any]


class Told(NamedTuple):
    """One event, and the same in plain words for the oracle. `stream`: its events arrive in order;
    `at`: when it was recorded, `happened`: when it took place.
    """

    id: UUID
    stream: str
    at: datetime
    happened: datetime
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
    """`bare`: so many events tell of the directory and the households; without them nothing is seen."""

    cases: tuple[UUID, ...] = ()
    told: list[Told] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    bare: int = 0


class Teller:
    """Tells a history by chance alone; the same for the same chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.now = chance, START
        number = chance.choice((1, 1, 1, 2, 2, 3))
        self.made = History(tuple(CASES)[:number])
        self.consents: dict[UUID, UUID] = {}
        self.bases: dict[UUID, UUID] = {}
        self.matters: dict[UUID, UUID] = {}
        self.here: dict[tuple[str, str], str] = {}
        self.mergeable = chance.sample(self.made.cases, number)
        self.merges: list[UUID] = []
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
        for case in self.made.cases:
            for person in CASES[case]:
                joins = i.PersonJoined(case=case, person=person, relation="other")
                self._fact(f"case/{case}", joins, "lead", (person,), relation="contact")
        self.made.bare = len(self.made.told)
        if self.chance.random() < 0.8:
            self._contract()
            for agency in AGENCIES[:3]:
                self._take_seat("visits-desk", agency)
        acts: list[Callable[[], None]] = [
            self._describe, self._describe, self._situation, self._situation, self._record,
            self._judgement, self._consent, self._consent, self._consent, self._consent,
            self._narrow, self._end_consent, self._tell_of_member, self._flag, self._urgent,
            self._ground, self._review, self._end_basis, self._protect, self._protect, self._lift,
            self._name, self._name, self._leave, self._pledge, self._pledge,
            self._submit, self._call, self._call, self._put_before, self._put_before, self._end_matter,
            self._contract, self._contract, self._end_contract, self._sit, self._sit,
            self._stand_up, self._close_desk,
        ]  # fmt: skip
        if len(self.made.cases) > 1:
            acts += [self._merge] * 4 + [self._confirm] * 4 + [self._undo]
        for _ in range(self.chance.randint(4, 20 + 6 * len(self.made.cases))):
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
        if self.chance.random() < 0.06:  # a clock is set back
            self.now -= self.chance.choice((timedelta(hours=1), timedelta(days=2)))
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
        dated = stream.partition("/")[0] not in ("desk", "programme")
        ago = self.chance.choice((1, 26, 100)) if dated and self.chance.random() < 0.1 else 0
        when = {"at": self.now, "happened": self.now - timedelta(hours=ago)}
        own = {**when, "id": id, "by": by, "by_whom": who}
        self.made.told.append(Told(id, stream, **when, by=by, event=event, plain={**own, **plain}))
        self.waiting.setdefault(stream, []).append(number)

    def _fact(
        self, stream: str, event: Event, by: str, about: tuple[UUID, ...], **fields: str
    ) -> None:
        """`fields`: name and data class of each."""
        sealed = "sealed" in fields.values()
        self._say(
            stream, event, by, kind="fact", case=getattr(event, "case"), about=about,  # noqa: B009
            fields=fields, not_to=getattr(event, "not_to", ()), newest=bool(event.SLOT),
            type=type(event).__name__, joins=isinstance(event, i.PersonJoined),
            matter=getattr(event, "matter", None) if sealed else None,
        )  # fmt: skip

    def _new(self) -> UUID:
        return uuid5(NAMES, f"stream {len(self.made.told)}")

    def _some(self, values: tuple[Any, ...], least: int = 0) -> tuple[Any, ...]:
        number = self.chance.randint(least, min(len(values), 3))
        return tuple(self.chance.sample(values, number))

    def _case(self) -> UUID:
        return self.chance.choice(self.made.cases)

    def _person(self) -> tuple[UUID, UUID]:
        """A case, and somebody in it, the first one more often."""
        people = CASES[case := self._case()]
        return case, self.chance.choice((people[0], *people))

    def _recorder(self) -> str:
        return self.chance.choice((*AGENCIES, "care", "care"))

    def _mark(self) -> tuple[str, ...]:
        return self._some(AGENCIES, 1)[:1] if self.chance.random() < 0.2 else ()

    def _soon(self) -> datetime:
        moment = self.now + self.chance.choice((1, 3, 9)) * timedelta(days=1)
        self.moments.append(moment)
        return moment

    def _describe(self) -> None:
        (case, person), who = self._person(), self._recorder()
        fields = dict.fromkeys(self._some(("name", "kana", "address", "phone"), 1), "contact")
        values: Any = {name: f"{name} {len(self.made.told)}" for name in fields}
        event = i.PersonDescribed(case=case, person=person, not_to=self._mark(), **values)
        self._fact(f"case/{case}", event, who, (person,), **fields)

    def _situation(self) -> None:
        (case, person), who = self._person(), self._recorder()
        classes = {"health": "health_disability", "work": "work_school", "money": "money"}
        fields = {name: classes[name] for name in self._some(tuple(classes), 1)}
        values: Any = {name: f"{name} {len(self.made.told)}" for name in fields}
        values["source"], fields["source"] = "observation", "judgement"
        event = i.SituationRecorded(case=case, person=person, not_to=self._mark(), **values)
        self._fact(f"case/{case}", event, who, (person,), **fields)

    def _record(self) -> None:
        """A text about one, about both, or, where nobody is named, about the household."""
        id, case = self._new(), self._case()
        about = self._some(CASES[case])
        event = i.ContactRecorded(record=id, case=case, subjects=about, method="visit", text="x")
        fields = {"method": "life_history", "text": "life_history"}
        self._fact(f"record/{id}", event, self._recorder(), about, **fields)

    def _judgement(self) -> None:
        """What a worker thinks of it, or who told it: never by consent."""
        case = self._case()
        if self.chance.random() < 0.5:
            judged = i.UrgencyJudged(case=case, urgency="high")
            self._fact(f"case/{case}", judged, "lead", (), urgency="judgement")
        else:
            told = i.ReporterRecorded(case=case, route="agency")
            self._fact(f"case/{case}", told, "lead", (), route="reporter")

    def _consent(self) -> None:
        id, chance = self._new(), self.chance
        case, person = self._person()
        terms: Plain = {
            "person": person,
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
        event = i.ConsentRecorded(consent=id, case=case, medium="paper", text_version="1", **terms)
        self._say(f"consent/{id}", event, kind="consent", consent=id, case=case, **terms)
        self.consents[id] = case

    def _of(self, ids: Collection[UUID]) -> UUID | None:
        return self.chance.choice(list(ids)) if ids else None

    def _narrow(self) -> None:
        if id := self._of(self.consents):
            less: Plain = {
                "excluded": self._some(NAMES_OF_HOLDERS), "dropped": self._some(CLASSES),
                "until": self.chance.choice((None, None, self._soon())),
            }  # fmt: skip
            event = i.ConsentNarrowed(consent=id, case=self.consents[id], **less)
            self._say(f"consent/{id}", event, kind="narrowed", consent=id, **less)

    def _end_consent(self) -> None:
        if id := self._of(self.consents):
            how = self.chance.choice((i.ConsentWithdrawn, i.ConsentExpired))
            self._say(
                f"consent/{id}", how(consent=id, case=self.consents[id]), kind="ended", consent=id
            )

    def _tell_of_member(self) -> None:
        if id := self._of(self.consents):
            agency = self.chance.choice(AGENCIES)
            event = i.ConsentToldOfMember(consent=id, case=self.consents[id], agency=agency)
            self._say(f"consent/{id}", event, kind="told", consent=id, agency=agency)

    def _flag(self) -> None:
        case, person = self._person()
        flags = self._some(("died", "abuse", "conflict_of_interest"))[:2]
        event = i.PersonFlagged(case=case, person=person, flags=flags)
        self._say(f"case/{case}", event, kind="flags", case=case, person=person, flags=flags)

    def _name(self, body: str = GROUP) -> None:
        """Somebody joins a pool, comes back to it, goes to another agency, or to the office (L5a)."""
        member = self.chance.choice([*MEMBERS])
        agency = MEMBERS[member] if self.chance.random() < 0.9 else self.chance.choice(AGENCIES)
        office = self.chance.random() < 0.2
        self.here[body, member] = agency
        event = m.MemberNamed(body=body, member=member, agency=agency, secretariat=office)
        said: Plain = {"what": "named", "agency": agency, "office": office}
        self._say(f"body/{body}", event, kind="pool", body=body, member=member, **said)
        if body == BODY and self.chance.random() < 0.8:
            self._pledge()

    def _leave(self) -> None:
        if self.here:
            body, member = self.chance.choice([*self.here])
            del self.here[body, member]
            event = m.MemberLeft(body=body, member=member)
            self._say(f"body/{body}", event, kind="pool", body=body, member=member, what="left")

    def _pledge(self) -> None:
        if members := [member for body, member in self.here if body == BODY]:
            member, year = self.chance.choice(members), self.chance.choice((2026, 2026, 2026, 2027))
            event = m.MemberPledged(body=BODY, member=member, fiscal_year=year)
            said: Plain = {"what": "pledged", "year": year}
            self._say(f"body/{BODY}", event, kind="pool", body=BODY, member=member, **said)

    def _submit(self) -> None:
        id, case = self._new(), self._case()
        subjects = self._some(CASES[case], 1)
        event = m.MatterSubmitted(matter=id, case=case, body=BODY, subjects=subjects)
        said: Plain = {"matter": id, "case": case, "body": BODY, "subjects": subjects}
        self._say(f"matter/{id}", event, kind="matter", **said)
        self.matters[id] = case
        self._name(BODY)
        self._call()
        self._put_before()

    def _call(self) -> None:
        if id := self._of(self.matters):
            how = self.chance.choice((m.MembersCalled, m.MembersCalled, m.MembersAsked))
            here = [member for body, member in self.here if body == BODY]
            members = (*here[-2:], *self.chance.sample([*MEMBERS], 2))
            event = how(matter=id, case=self.matters[id], members=members)
            kind = "called" if how is m.MembersCalled else "asked"
            self._say(f"matter/{id}", event, kind=kind, matter=id, members=members)

    def _put_before(self) -> None:
        """L12: sealed, wherever it is typed; what is promoted is an ordinary fact."""
        if not (id := self._of(self.matters)):
            return
        case, who = self.matters[id], self.chance.choice(AGENCIES)
        of: Plain = {"matter": id, "case": case}
        person = self.chance.choice(CASES[case])
        material = m.MaterialSubmitted(**of, person=person, true_class="money", text="x")
        put: list[tuple[str, Event, tuple[UUID, ...], dict[str, str]]] = [
            (f"matter/{id}", material, (person,), {"true_class": "sealed", "text": "sealed"}),
            (f"matter/{id}", m.MatterDecided(**of, text="x"), (), {"text": "sealed"}),
            (
                f"case/{case}",
                i.SituationRecorded(**of, person=person, work="x", source="meeting"),
                (person,),
                {"work": "sealed", "source": "sealed"},
            ),
            (
                f"matter/{id}",
                m.FactPromoted(**of, person=person, material=id, work="x"),
                (person,),
                {"work": "work_school"},
            ),
        ]
        stream, event, about, fields = self.chance.choice(put)
        self._fact(stream, event, who, about, **fields)

    def _end_matter(self) -> None:
        if id := self._of(self.matters):
            event = m.MatterEnded(matter=id, case=self.matters[id])
            self._say(f"matter/{id}", event, kind="matter_ended", matter=id)

    def _merge(self) -> None:
        """Each case goes on in one that stands further on in a row drawn before, once at most."""
        if len(self.mergeable) > 1:
            merged = self.mergeable.pop(0)
            id, into = self._new(), self.chance.choice(self.mergeable)
            same = tuple(zip(CASES[merged], CASES[into], strict=False))
            same = same[: self.chance.choice((0, 1, 1, 2))]
            said: Plain = {"merge": id, "merged": merged, "into": into, "same": same}
            self._say(f"merge/{id}", i.CasesMerged(**said), kind="merged", **said)
            self.merges.append(id)

    def _confirm(self) -> None:
        merge, consent = self._of(self.merges), self._of(self.consents)
        if merge and consent:
            event = i.ConsentConfirmed(merge=merge, consent=consent)
            self._say(f"merge/{merge}", event, kind="confirmed", merge=merge, consent=consent)

    def _undo(self) -> None:
        if merge := self._of(self.merges):
            self.merges.remove(merge)
            event = i.MergeUndone(merge=merge, reason="x")
            self._say(f"merge/{merge}", event, kind="undone", merge=merge)

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

    def _terms(self, case: UUID) -> Plain:
        return {
            "persons": self._some(CASES[case], 1),
            "holders": self._some(NAMES_OF_HOLDERS, 1),
            "classes": self._some((*CLASSES, "judgement"), 1),
            "begins": self.now,
            "until": self._soon() + timedelta(days=2),
        }

    def _urgent(self) -> None:
        id, case = self._new(), self._case()
        terms = {**self._terms(case), "review_by": self._soon()}
        self.moments.append(terms["until"])
        event = i.UrgentAsserted(
            basis=id, case=case, danger="life", reason="x", informed="sato", **terms
        )
        self._say(f"basis/{id}", event, kind="urgent", basis=id, case=case, **terms)
        self.bases[id] = case

    def _ground(self) -> None:
        id, case = self._new(), self._case()
        terms = {**self._terms(case), "provider": self.chance.choice(AGENCIES[:2])}
        self.moments.append(terms["until"])
        event = i.GroundRecorded(
            basis=id, case=case, ground="law", citation="x", reason="x", no_harm="x",
            approver="sato", **terms,
        )  # fmt: skip
        self._say(f"basis/{id}", event, kind="ground", basis=id, case=case, **terms)
        self.bases[id] = case

    def _review(self) -> None:
        if id := self._of(self.bases):
            event = i.BasisReviewed(basis=id, case=self.bases[id])
            self._say(f"basis/{id}", event, kind="reviewed", basis=id)

    def _end_basis(self) -> None:
        if id := self._of(self.bases):
            event = i.BasisEnded(basis=id, case=self.bases[id])
            self._say(f"basis/{id}", event, kind="over", basis=id)

    def _protect(self) -> None:
        (case, person), named = self._person(), self._some(AGENCIES)
        item = self.chance.choice(("address", "address", "phone", "workplace", "school"))
        event = i.ItemProtected(case=case, person=person, item=item, named=named)
        self._protection(event, case=case, person=person, item=item, named=named)

    def _lift(self) -> None:
        case, person = self._person()
        item = self.chance.choice(("address", "phone", "workplace", "school"))
        event = i.ProtectionLifted(case=case, person=person, item=item)
        self._protection(event, case=case, person=person, item=item, named=None)

    def _protection(self, event: Event, case: UUID, **said: Any) -> None:
        self._say(f"case/{case}", event, kind="protected", case=case, **said)


def history(seed: int, number: int) -> History:
    return Teller(random.Random(f"{seed}/{number}")).tell()
