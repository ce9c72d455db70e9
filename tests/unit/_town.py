"""A household and the agencies around it, told event by event, as tests of sharing need them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from services.views.domain.disclose import Shown, disclose, matters, reading
from services.views.domain.facts import facts
from services.views.domain.grant import Bases
from shared.basis import world
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    BasisEnded,
    BasisReviewed,
    CaseOpened,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentWithdrawn,
    GroundRecorded,
    ItemProtected,
    PersonDescribed,
    PersonFlagged,
    PersonJoined,
    ProtectionLifted,
    SituationRecorded,
    UrgentAsserted,
)
from shared.contracts.meetings import (
    MaterialSubmitted,
    MatterSubmitted,
    MemberNamed,
    MemberPledged,
    MembersCalled,
)
from shared.contracts.referral import (
    AgencyRegistered,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
)

NAMES = UUID(int=1)
START = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CASE, HANA, KEN, MATTER = (uuid5(NAMES, name) for name in ("case", "hana", "ken", "matter"))
BODY = "shien-106-6"


@dataclass
class Town:
    """A case told event by event; each event one minute after the last."""

    events: list[Recorded] = field(default_factory=list)
    minutes: Any = field(default_factory=count)

    def tell(
        self,
        event: Event,
        agency: str = "lead",
        stream: str = "",
        at: datetime | None = None,
        actor: str = "x",
    ) -> "Town":
        n = next(self.minutes)
        at = at or START + timedelta(minutes=n)
        stream = stream or f"{event.STREAM}/{n}"
        version = 1 + sum(e.envelope.stream == stream for e in self.events)
        id = uuid5(NAMES, str(n))
        envelope = Envelope(id, stream, version, "", event.TYPE, at, at, actor, agency, id)
        self.events.append(Recorded(event, envelope, {}))
        return self

    def now(self) -> datetime:
        return START + timedelta(minutes=len(self.events))

    def agency(self, *codes: str, purposes: tuple[str, ...] = ("consultation",)) -> "Town":
        for code in codes:
            self.tell(
                AgencyRegistered(
                    agency=code, name=code, kind="x", controller="private", purposes=purposes
                ),
                stream=f"agency/{code}",
            )
        return self

    def household(self) -> "Town":
        self.tell(CaseOpened(case=CASE, household=CASE, lead="lead", route="family_visit"))
        self.tell(PersonJoined(case=CASE, person=HANA, relation="self"))
        described = PersonDescribed(
            case=CASE, person=HANA, name="花", address="生駒市", living_with=("child",)
        )
        self.tell(described)
        self.tell(PersonJoined(case=CASE, person=KEN, relation="child"))
        self.tell(PersonDescribed(case=CASE, person=KEN, name="健"))
        self.tell(SituationRecorded(case=CASE, person=HANA, health="ひざ", money="借金なし"))
        self.tell(SituationRecorded(case=CASE, person=KEN, money="借金", work="無職"))
        return self

    def consent(self, name: str, person: UUID, *holders: str, **terms: Any) -> "Town":
        terms = {
            "classes": ("contact", "health_disability"),
            "status": "granted",
            "purposes": ("consultation",),
            "begins": START,
            **terms,
        }
        id = uuid5(NAMES, name)
        return self.tell(
            ConsentRecorded(
                consent=id,
                case=CASE,
                person=person,
                medium="paper",
                holders=holders,
                text_version="1",
                **terms,
            ),
            stream=f"consent/{id}",
        )

    def withdraw(self, name: str) -> "Town":
        id = uuid5(NAMES, name)
        return self.tell(ConsentWithdrawn(consent=id, case=CASE), stream=f"consent/{id}")

    def narrow(self, name: str, **less: Any) -> "Town":
        id = uuid5(NAMES, name)
        return self.tell(ConsentNarrowed(consent=id, case=CASE, **less), stream=f"consent/{id}")

    def flag(self, person: UUID, *standing: str) -> "Town":
        return self.tell(
            PersonFlagged(case=CASE, person=person, flags=standing), stream=f"case/{CASE}"
        )

    def protect(self, person: UUID, item: str, *named: str) -> "Town":
        protected = ItemProtected(case=CASE, person=person, item=item, named=named)
        return self.tell(protected, stream=f"case/{CASE}")

    def lift(self, person: UUID, item: str) -> "Town":
        lifted = ProtectionLifted(case=CASE, person=person, item=item)
        return self.tell(lifted, stream=f"case/{CASE}")

    def urgent(self, name: str, *holders: str, **terms: Any) -> "Town":
        """Reviewed within an hour, over after two."""
        id, now = uuid5(NAMES, name), self.now()
        terms = {"persons": (HANA,), "classes": ("health_disability", "judgement"), **terms}
        asserted = UrgentAsserted(
            basis=id, case=CASE, holders=holders, danger="life", reason="倒れていた", informed="sato",
            begins=now, review_by=now + HOUR, until=now + 2 * HOUR, **terms,
        )  # fmt: skip
        return self.tell(asserted, stream=f"basis/{id}")

    def ground(self, name: str, *holders: str, provider: str = "lead", **terms: Any) -> "Town":
        id, now = uuid5(NAMES, name), self.now()
        terms = {"persons": (HANA,), "classes": ("health_disability", "judgement"), **terms}
        recorded = GroundRecorded(
            basis=id, case=CASE, ground="persons_interest", citation="", provider=provider,
            holders=holders, reason="不明", no_harm="ない", approver="sato",
            begins=now, until=now + 2 * HOUR, **terms,
        )  # fmt: skip
        return self.tell(recorded, stream=f"basis/{id}")

    def on_basis(self, name: str, event: type[BasisReviewed] | type[BasisEnded]) -> "Town":
        id = uuid5(NAMES, name)
        return self.tell(event(basis=id, case=CASE), stream=f"basis/{id}")

    def programme(self, code: str, *terms: tuple[str, datetime, datetime]) -> "Town":
        """With a desk of the same name and `-desk`; `terms`: agency, begin, end."""
        stream = f"programme/{code}"
        self.tell(ProgrammeRegistered(programme=code, name=code), stream=stream)
        for agency, begins, ends in terms:
            id = uuid5(NAMES, f"{agency} {begins}")
            made = ProgrammeContracted(
                programme=code, contract=id, agency=agency, begins=begins, ends=ends
            )
            self.tell(made, stream=stream)
        desk = DeskRegistered(desk=f"{code}-desk", name=code, programme=code)
        return self.tell(desk, stream=f"desk/{code}-desk")

    def seat(self, desk: str, agency: str, member: str) -> "Town":
        named = DeskMemberNamed(desk=desk, agency=agency, member=member)
        return self.tell(named, stream=f"desk/{desk}")

    def warnings(self, agency: str, at: datetime | None = None) -> set[str]:
        return {i.fact.field for i in self.shown(agency, at).items if i.warned}

    def shown(self, agency: str, at: datetime | None = None) -> Shown:
        return disclose(
            facts(self.events), Bases.of(self.events), world(self.events), agency, at or self.now()
        )

    def values(self, agency: str, at: datetime | None = None) -> set[tuple[str, Any]]:
        return {(i.fact.field, i.fact.value) for i in self.shown(agency, at).items if not i.warned}

    def opens(self, member: str, agency: str, at: datetime | None = None) -> set[Any]:
        items = reading(
            facts(self.events),
            matters(self.events),
            Bases.of(self.events),
            world(self.events),
            member,
            agency,
            at or self.now(),
        )
        return {item.fact.value for item in items if item.fact.field != "true_class"}

    def matter(self) -> "Town":
        for member, agency in (("doctor", "clinic"), ("clerk", "council")):
            self.tell(MemberNamed(body=BODY, member=member, agency=agency), stream=f"body/{BODY}")
        self.tell(MatterSubmitted(matter=MATTER, case=CASE, body=BODY, subjects=(KEN,)))
        self.tell(MembersCalled(matter=MATTER, case=CASE, members=("doctor", "clerk")))
        debt = MaterialSubmitted(
            matter=MATTER, case=CASE, person=KEN, true_class="money", text="三百万円"
        )
        return self.tell(debt)

    def pledge(self, member: str, year: int = 2026) -> "Town":
        pledged = MemberPledged(body=BODY, member=member, fiscal_year=year)
        return self.tell(pledged, stream=f"body/{BODY}")


def town() -> Town:
    return Town().agency("care", "clinic", "council", "job").household()
