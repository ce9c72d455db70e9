"""Bases over random histories against a model that shares no code with them: it lives through the days,
lets flow what may flow, and keeps what it let flow for as long as it may be kept.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from hypothesis import event as seen
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.api.bases import PersonBases, of_person
from services.intake.domain import basis, case, consent
from services.views.domain.disclose import disclose
from services.views.domain.facts import Fact
from services.views.domain.grant import Bases
from shared.basis import Consent, World, consents, world
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    CaseOpened,
    ConsentRecorded,
    GroundRecorded,
    ItemProtected,
    PersonDescribed,
    PersonFlagged,
    PersonJoined,
    ProtectionLifted,
    UrgentAsserted,
)
from shared.contracts.meetings import MemberLeft, MemberNamed
from shared.contracts.referral import AgencyRegistered
from shared.decider import Refused
from shared.grounds import Ground, grounds

NAMES, START = UUID(int=1), datetime(2026, 4, 1, tzinfo=UTC)
CASE, HANA, KEN = (uuid5(NAMES, name) for name in ("case", "hana", "ken"))
AGENCIES = ("lead", "care", "clinic", "npo")
CLASSES = ("contact", "money", "judgement")
DECIDERS = {"case": case.DECIDER, "consent": consent.DECIDER, "basis": basis.DECIDER}
Step = tuple[str, dict[str, Any]]

person = st.sampled_from((HANA, KEN))
agencies = st.sampled_from(((), ("care",), ("clinic",), ("care", "clinic"), ("care", "npo")))
classes = st.sampled_from((("contact",), ("money",), ("contact", "money"), CLASSES))
nth = st.integers(0, 2)


def step(kind: str, **drawn: Any) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(kind), st.fixed_dictionaries(drawn))


consents_ = step(
    "consent", person=person, holders=agencies, classes=classes, group=st.booleans(),
    status=st.sampled_from(("granted", "granted", "granted", "refused")), proxy=st.booleans(),
    begins=st.sampled_from((0, 0, 0, 2)), until=st.sampled_from((None, None, 4, 9)),
)  # fmt: skip
narrowings = step(
    "narrow", nth=nth, excluded=agencies, dropped=st.sampled_from(((), ("money",))),
    until=st.sampled_from((None, 3)),
)  # fmt: skip
some_flags = st.sampled_from(((), ("died",), ("abuse",), ("abuse", "died")))
urgents = step("urgent", person=person, holders=agencies, classes=classes)
grounds_ = step("ground", person=person, holders=agencies, classes=classes)
steps = st.one_of(
    consents_,
    consents_,
    narrowings,
    step("tell", nth=nth, agency=st.sampled_from(("care", "npo"))),
    step("withdraw", nth=nth),
    step("flag", person=person, flags=some_flags),
    urgents,
    grounds_,
    step("review", nth=nth),
    step("end", nth=nth),
    step("protect", person=person, named=agencies),
    step("lift", person=person),
    step("join", agency=st.sampled_from(("care", "npo"))),
    step("leave", agency=st.sampled_from(("care", "npo"))),
    step("fact", person=person, name=st.sampled_from(CLASSES), by=st.sampled_from(AGENCIES[:2])),
    step("fact", person=person, name=st.just("contact"), by=st.just("lead")),
)


@dataclass
class History:
    """Commands as they were decided by the real deciders; each half a day and a bit after the last."""

    events: list[Recorded] = field(default_factory=list)
    world_events: list[Recorded] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    done: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)
    streams: dict[str, list[UUID]] = field(default_factory=lambda: {"consent": [], "basis": []})

    def now(self) -> datetime:
        return START + timedelta(hours=13, minutes=7) * len(self.done)

    def do(self, kind: str, terms: dict[str, Any]) -> None:
        now, name = self.now(), uuid5(NAMES, f"stream {len(self.done)}")
        self.done.append((now, "nothing", {}))
        if kind == "fact":
            known = {"event": name, "field": "address" if terms["name"] == "contact" else "text"}
            self.facts.append(
                Fact(**known, case=NAMES, type=PersonDescribed.TYPE, data_class=terms["name"], value="x",
                     subjects=frozenset((terms["person"],)), recorded_by=terms["by"],
                     occurred_at=now, at=now)  # type: ignore[arg-type]
            )  # fmt: skip
            self.done[-1] = now, kind, {**terms, "id": name}
        elif kind in ("join", "leave"):
            self._pool(kind, terms["agency"], now)
            self.done[-1] = now, kind, terms
        elif made := self._command(kind, terms, now, name):
            stream, command = made
            if self._decide(stream, command, now):
                new = kind in ("consent", "urgent", "ground")
                self.done[-1] = now, kind, {**terms, "id": name if new else stream[1]}
                if new:
                    self.streams[stream[0]].append(name)

    def _pool(self, kind: str, agency: str, now: datetime) -> None:
        """Each time another person of the agency is named; who leaves, leaves for all of them."""
        named = [e.event for e in self.world_events if isinstance(e.event, MemberNamed)]
        mine = [event.member for event in named if event.agency == agency]
        told: list[Event] = [MemberLeft(body="juso", member=member) for member in mine]
        if kind == "join":
            told = [MemberNamed(body="juso", member=f"{agency}-{len(mine)}", agency=agency)]
        for event in told:
            self.world_events.append(recorded(event, "body/juso", len(self.world_events), now))

    def _decide(self, stream: tuple[str, UUID], command: Any, now: datetime) -> bool:
        kind, id = stream
        path, decider = f"{kind}/{id}", DECIDERS[kind]
        past = [e.event for e in self.events if e.envelope.stream == path]
        try:
            written = decider.decide(decider.fold(past), command)
        except Refused:
            return False
        for event in written:
            past.append(event)
            self.events.append(recorded(event, path, len(past), now))
        return True

    def _command(
        self, kind: str, terms: dict[str, Any], now: datetime, id: UUID
    ) -> tuple[tuple[str, UUID], Any] | None:
        of: str = "basis" if kind in ("review", "end") else "consent"
        nth_ = terms.get("nth")
        if nth_ is not None and nth_ >= len(self.streams[of]):
            return None
        target = (of, self.streams[of][nth_]) if nth_ is not None else ("case", CASE)
        without = {
            "basis": id, "case": CASE, "persons": (terms.get("person", HANA),), "begins": now,
            "holders": terms.get("holders", ()), "classes": terms.get("classes", ()),
            "reason": "x", "until": days(now, 14),
        }  # fmt: skip
        match kind:
            case "open":
                opened = CaseOpened(case=CASE, household=CASE, lead="lead", route="agency")
                people = [PersonJoined(case=CASE, person=p, relation="other") for p in (HANA, KEN)]
                return target, case.OpenCase(opened, tuple(people))
            case "consent":
                said = ConsentRecorded(
                    consent=id, case=CASE, person=terms["person"], status=terms["status"],
                    classes=terms["classes"], purposes=("consultation",), medium="paper",
                    holders=terms["holders"], group="juso" if terms["group"] else None,
                    begins=days(now, terms["begins"]), text_version="1",
                    until=days(now, terms["until"]) if terms["until"] else None,
                    proxy="curator" if terms["proxy"] else None,
                )  # fmt: skip
                return ("consent", id), consent.Record(said)
            case "narrow":
                until = days(now, terms["until"]) if terms["until"] else None
                return target, consent.Narrow(terms["excluded"], terms["dropped"], until)
            case "tell":
                return target, consent.TellOfMember(terms["agency"])
            case "withdraw":
                return target, consent.Withdraw()
            case "flag":
                flagged = PersonFlagged(case=CASE, person=terms["person"], flags=terms["flags"])
                return target, case.Safeguard(flagged)
            case "protect":
                protected = ItemProtected(
                    case=CASE, person=terms["person"], item="address", named=terms["named"]
                )
                return target, case.Safeguard(protected)
            case "lift":
                lifted = ProtectionLifted(case=CASE, person=terms["person"], item="address")
                return target, case.Safeguard(lifted)
            case "urgent":
                more = {"danger": "life", "informed": "sato", "review_by": days(now, 3)}
                return ("basis", id), UrgentAsserted(**without, **more)
            case "ground":
                more = {"ground": "law", "citation": "", "provider": "lead", "no_harm": "x"}
                return ("basis", id), GroundRecorded(**without, **more, approver="sato")
            case "review":
                return target, basis.Review()
            case _:
                return target, basis.End()


def days(at: datetime, number: int) -> datetime:
    return at if not number else at.replace(hour=0, minute=0) + timedelta(days=number)


def recorded(event: Event, stream: str, version: int, at: datetime) -> Recorded:
    id = uuid5(NAMES, f"{stream}@{version}")
    return Recorded(
        event, Envelope(id, stream, version, "", event.TYPE, at, at, "a", "lead", id), {}
    )


@dataclass
class Alive:
    """A basis as the model sees it: what it is now, and what it lets each agency have."""

    kind: str
    terms: dict[str, Any]
    begins: datetime
    ends: datetime | None
    holders: set[str]
    classes: set[str]
    excluded: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    first: set[str] | None = None  # in the group when it began
    reviewed: bool = False
    flowing: dict[str, set[UUID]] = field(default_factory=dict)


class Model:
    """Lives through the moments in their order; keeps no intervals and never looks back."""

    def __init__(self) -> None:
        self.bases: dict[UUID, Alive] = {}
        self.facts: list[dict[str, Any]] = []
        self.flags: dict[UUID, set[str]] = {}
        self.pool: set[str] = set()
        self.named: dict[UUID, set[str]] = {}
        self.before: dict[str, set[UUID]] = {agency: set() for agency in AGENCIES}
        self.shown: dict[str, set[tuple[UUID, bool]]] = {agency: set() for agency in AGENCIES}

    def take(self, now: datetime, kind: str, terms: dict[str, Any]) -> None:
        of = self.bases.get(terms.get("id", NAMES))
        match kind:
            case "consent" if terms["status"] == "granted":
                until = days(now, terms["until"]) if terms["until"] else None
                self.bases[terms["id"]] = Alive(
                    kind, terms, days(now, terms["begins"]), until,
                    set(terms["holders"]), set(terms["classes"]) - {"judgement"},
                )  # fmt: skip
            case "urgent" | "ground":
                self.bases[terms["id"]] = Alive(
                    kind, {**terms, "due": days(now, 3)}, now, days(now, 14),
                    set(terms["holders"]), set(terms["classes"]),
                )  # fmt: skip
            case "narrow" if of:
                of.excluded |= set(terms["excluded"])
                of.classes -= set(terms["dropped"])
                if terms["until"]:
                    of.ends = days(now, terms["until"])
            case "tell" if of:
                of.told.add(terms["agency"])
            case "withdraw" | "end" if of:
                of.ends = now
            case "review" if of:
                of.reviewed = True
            case "flag":
                self.flags[terms["person"]] = set(terms["flags"])
            case "protect":
                self.named[terms["person"]] = set(terms["named"])
            case "lift":
                self.named.pop(terms["person"], None)
            case "join":
                self.pool.add(terms["agency"])
            case "leave":
                self.pool.discard(terms["agency"])
            case "fact":
                self.facts.append(terms)

    def live(self, now: datetime) -> None:
        """One moment: let flow, keep, forget; then what each agency sees, real or as a warning."""
        for one in self.bases.values():
            if one.begins <= now and one.first is None:
                one.first = set(self.pool)
            for agency in AGENCIES:
                one.flowing[agency] = self._flow(one, agency, now)
        for agency in AGENCIES:
            own = {fact["id"] for fact in self.facts if fact["by"] == agency}
            covered = own.union(*(one.flowing[agency] for one in self.bases.values()))
            self.shown[agency] = set()
            for fact in self.facts:
                id = fact["id"]
                if not self._hidden(fact, agency):
                    self.before[agency] -= {id}
                    self.before[agency] |= {id} & covered
                if id in covered:
                    hidden = self._hidden(fact, agency)
                    if not hidden or id in own | self.before[agency]:
                        self.shown[agency].add((id, hidden))

    def held(self, person: UUID, now: datetime) -> set[tuple[Any, ...]]:
        """The live bases of a person: whom they name, for what, and whether nothing new flows by them."""
        return {
            (
                id,
                frozenset(one.holders - one.excluded),
                frozenset(one.classes),
                self._stands(one, now),
            )
            for id, one in self.bases.items()
            if one.terms["person"] == person
            and one.begins <= now
            and (one.ends is None or now < one.ends)
        }

    def _stands(self, one: Alive, now: datetime) -> bool:
        standing = self.flags.get(one.terms["person"], set())
        if one.kind == "consent":
            return "died" in standing or bool(one.terms["proxy"] and standing)
        return one.kind == "urgent" and now >= one.terms["due"] and not one.reviewed

    def _hidden(self, fact: dict[str, Any], agency: str) -> bool:
        named = self.named.get(fact["person"])
        return fact["name"] == "contact" and named is not None and agency not in named

    def _flow(self, one: Alive, agency: str, now: datetime) -> set[UUID]:
        if now < one.begins or (one.ends and now >= one.ends) or agency in one.excluded:
            return set()
        by_group = one.terms.get("group") and agency in self.pool
        reached = agency in one.holders or (
            by_group and (agency in one.told or agency in (one.first or ()))
        )
        if not reached:
            return set()
        fits = {
            fact["id"]
            for fact in self.facts
            if fact["person"] == one.terms["person"]
            and fact["name"] in one.classes
            and (one.kind != "ground" or fact["by"] == "lead")
        }
        return fits & one.flowing.get(agency, set()) if self._stands(one, now) else fits


def directory() -> list[Recorded]:
    about: dict[str, Any] = {"kind": "", "controller": "city", "purposes": ("consultation",)}
    return [
        recorded(AgencyRegistered(agency=a, name=a, **about), f"agency/{a}", 1, START)
        for a in AGENCIES
    ]


def given_in(events: list[Recorded]) -> list[Consent | Ground]:
    return [*consents(events).values(), *grounds(events).values()]


def told_of(shown: PersonBases) -> set[tuple[Any, ...]]:
    """What `GET /v1/cases/{id}/bases?at=` says is live, as the model says it."""
    live = [basis for basis in shown.bases if basis.live]
    by_consent = any(basis.kind == "consent" for basis in live)
    assert (shown.mark == "【本人同意あり】") == by_consent
    return {
        (
            basis.id,
            frozenset(basis.holders),
            frozenset(basis.classes) - ({"judgement"} if basis.kind == "consent" else set()),
            basis.stopped_at is not None,
        )
        for basis in live
    }


@settings(max_examples=250)
@given(st.lists(steps, min_size=8, max_size=24))
def test_at_every_moment_each_agency_holds_what_the_model_lets_flow(drawn: list[Step]) -> None:
    """L2, L3, L4a, L7, L8, L11, L22; and the bases of each person, asked of any date, are those that the
    model holds alive. Real deciders decide, the whole history is folded once and asked of
    every moment; the model goes through the moments one by one.
    """
    history = History()
    history.do("open", {})
    for kind, terms in drawn:
        history.do(kind, terms)
    known: World = world([*directory(), *history.world_events])
    bases = Bases.of(history.events)
    assert Bases.of([*reversed(history.events), *history.events]) == bases  # L19
    model, last = Model(), history.now()
    moments = {at for at, _, _ in history.done} | {START + timedelta(days=n) for n in range(26)}
    commands = {at: (kind, terms) for at, kind, terms in history.done}
    flowed = 0
    for now in sorted(moments):
        if now in commands:
            model.take(now, *commands[now])
        model.live(now)
        told = [fact for fact in history.facts if fact.at <= now]
        for agency in AGENCIES:
            items = disclose(told, bases, known, agency, now).items
            assert {(i.fact.event, i.warned) for i in items} == model.shown[agency], (agency, now)
            flowed += any(i.bases[0].kind != "own_record" for i in items)
        for one in (HANA, KEN):
            shown = of_person(history.events, one, given_in(history.events), known, now)
            assert told_of(shown) == model.held(one, now), (one, now)
            assert set(shown.flags) == model.flags.get(one, set())
    seen("something flowed" if flowed else "nothing flowed")
    assert last > START
