"""What an agency may hold: the examples of the rules, and properties against an oracle of its own."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from services.views.domain.disclose import Shown, disclose, matters, reading
from services.views.domain.document import Handles, canonical, content, padded
from services.views.domain.facts import facts
from shared.basis import consents, world
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    CaseOpened,
    CaseScreened,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentToldOfMember,
    ConsentWithdrawn,
    ContactCorrected,
    ContactRecorded,
    PersonDescribed,
    PersonFlagged,
    PersonJoined,
    PersonNoted,
    SituationRecorded,
    WorriesRecorded,
)
from shared.contracts.meetings import (
    FactPromoted,
    MaterialSubmitted,
    MatterEnded,
    MatterSubmitted,
    MemberLeft,
    MemberNamed,
    MemberPledged,
    MembersAsked,
    MembersCalled,
)
from shared.contracts.referral import AgencyRegistered

NAMES = UUID(int=1)
START = datetime(2026, 4, 1, tzinfo=UTC)
CASE, HANA, KEN, MATTER = (uuid5(NAMES, name) for name in ("case", "hana", "ken", "matter"))
BODY = "shien-106-6"


@dataclass
class Town:
    """A case told event by event; each event one minute after the last."""

    events: list[Recorded] = field(default_factory=list)
    minutes: Any = field(default_factory=count)

    def tell(self, event: Event, agency: str = "lead", stream: str = "") -> "Town":
        n = next(self.minutes)
        at = START + timedelta(minutes=n)
        stream = stream or f"{event.STREAM}/{n}"
        version = 1 + sum(e.envelope.stream == stream for e in self.events)
        id = uuid5(NAMES, str(n))
        envelope = Envelope(id, stream, version, "", event.TYPE, at, at, "x", agency, id)
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

    def shown(self, agency: str, at: datetime | None = None) -> Shown:
        found, given_ = facts(self.events), consents(self.events)
        return disclose(found, given_, world(self.events), agency, at or self.now())

    def values(self, agency: str, at: datetime | None = None) -> set[tuple[str, Any]]:
        return {(i.fact.field, i.fact.value) for i in self.shown(agency, at).items}

    def opens(self, member: str, agency: str, at: datetime | None = None) -> set[Any]:
        items = reading(
            facts(self.events),
            matters(self.events),
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


def test_example_1_consent_covers_one_person_in_the_consented_classes() -> None:
    """L3, L4"""
    assert town().consent("a", HANA, "care").values("care") == {
        ("name", "花"),
        ("address", "生駒市"),
        ("living_with", ("child",)),
        ("relation", "self"),
        ("health", "ひざ"),
    }


def test_example_2_a_refusal_shows_nowhere() -> None:
    before = town().consent("a", HANA, "care")
    held = before.values("care")
    after = before.consent("b", KEN, "care", status="refused")
    assert after.values("care") == held
    assert set(after.shown("care").persons) == {HANA}


def test_example_3_what_is_put_before_a_body_is_open_to_its_pledged_members_only() -> None:
    """L5, L12: no document changes."""
    case = town().consent("a", HANA, "care")
    before = {agency: case.values(agency) for agency in ("care", "clinic", "council", "lead")}
    case.matter().pledge("doctor").pledge("clerk")
    assert case.opens("doctor", "clinic") == {"三百万円"} == case.opens("clerk", "council")
    assert {agency: case.values(agency) for agency in before} == before


def test_example_4_no_pledge_no_opening() -> None:
    assert town().matter().pledge("clerk").opens("doctor", "clinic") == set()


def test_a_pledge_holds_for_its_fiscal_year() -> None:
    case = town().matter().pledge("doctor", 2026)
    next_april = datetime(2027, 4, 1, tzinfo=UTC)
    assert case.opens("doctor", "clinic", next_april) == set()


def test_example_5_a_promoted_fact_is_ordinary_and_the_matter_goes_on() -> None:
    case = town().matter().pledge("doctor").consent("k", KEN, "council", classes=("money",))
    case.tell(FactPromoted(matter=MATTER, case=CASE, person=KEN, material=MATTER, money="三百万円"))
    assert ("money", "三百万円") in case.values("council")
    assert case.opens("doctor", "clinic") == {"三百万円"}


def test_example_6_a_withdrawal_empties_the_document() -> None:
    assert town().consent("a", HANA, "care").withdraw("a").values("care") == set()


def test_example_10_text_about_two_needs_the_consent_of_both() -> None:
    """L4"""
    text = WorriesRecorded(case=CASE, concerns=("care",), text="母と息子")
    case = town().tell(text).consent("a", HANA, "care", classes=("life_history",))
    assert ("text", "母と息子") not in case.values("care")
    case.consent("b", KEN, "care", classes=("life_history",))
    assert ("text", "母と息子") in case.values("care")


def test_example_11_what_was_heard_in_a_meeting_is_sealed_wherever_it_is_typed() -> None:
    """L12"""
    case = town().matter().pledge("doctor").consent("k", KEN, "clinic", classes=("money",))
    heard = SituationRecorded(
        case=CASE, person=KEN, money="会議で聞いた", source="meeting", matter=MATTER
    )
    case.tell(heard, agency="clinic")
    for agency in ("clinic", "lead", "council"):
        assert "会議で聞いた" not in {value for _, value in case.values(agency)}
    assert "会議で聞いた" in case.opens("doctor", "clinic")


def test_a_matter_that_ended_and_a_member_who_left_open_nothing() -> None:
    ended = town().matter().pledge("doctor").pledge("clerk")
    ended.tell(MemberLeft(body=BODY, member="doctor"), stream=f"body/{BODY}")
    assert ended.opens("doctor", "clinic") == set()
    assert ended.opens("clerk", "council") == {"三百万円"}
    ended.tell(MatterEnded(matter=MATTER, case=CASE))
    assert ended.opens("clerk", "council") == set()


def test_the_secretariat_holds_the_file_without_being_called() -> None:
    """L5a"""
    case = town().matter()
    named = MemberNamed(body=BODY, member="office", agency="lead", secretariat=True)
    case.tell(named, stream=f"body/{BODY}").pledge("office")
    assert case.opens("office", "lead") == {"三百万円"}


def test_members_who_are_asked_see_the_minimum_that_identifies_the_person() -> None:
    """L5b: once pledged, and nothing of the rest of the household."""
    case = town().matter()
    case.tell(MemberNamed(body=BODY, member="boss", agency="job"), stream=f"body/{BODY}")
    case.tell(MembersAsked(matter=MATTER, case=CASE, members=("boss",)))
    assert case.opens("boss", "job") == set()
    assert case.pledge("boss").opens("boss", "job") == {"健"}


def test_own_records_are_held_whatever_anybody_consents_to() -> None:
    """L2, L22: judgement and reporter stay with who recorded them."""
    case = town().tell(CaseScreened(case=CASE, outcome="linked_elsewhere", note="心配"))
    case.consent("a", HANA, "care").consent("b", KEN, "care")
    assert ("note", "心配") in case.values("lead")
    assert ("note", "心配") not in case.values("care")
    assert ("route", "family_visit") not in case.values("care")
    seen = ContactRecorded(record=MATTER, case=CASE, method="visit", text="会った")
    assert ("text", "会った") in case.tell(seen, agency="clinic").values("clinic")


def test_a_corrected_line_replaces_every_field_of_the_line_before() -> None:
    """L17: also a field that the correction leaves out; the reason stays with who recorded it."""
    line = f"record/{MATTER}"
    of: dict[str, Any] = {"record": MATTER, "case": CASE}
    classes = ("contact", "life_history")
    case = town().consent("a", HANA, "care", classes=classes)
    case.consent("b", KEN, "care", classes=classes)
    case.tell(ContactRecorded(**of, method="visit", text="誤記"), stream=line)
    assert ("text", "誤記") in case.values("care")
    case.tell(PersonNoted(**of, person=HANA, text="眠れない"), stream=line)
    right = ContactCorrected(**of, method="phone", reason="別人の話")
    case.tell(right, stream=line).tell(PersonNoted(**of, person=HANA), stream=line)
    seen = case.values("care")
    assert ("method", "phone") in seen
    assert not {("method", "visit"), ("text", "誤記"), ("text", "眠れない")} & seen
    assert ("reason", "別人の話") not in seen
    assert ("reason", "別人の話") in case.values("lead")


def test_a_fact_marked_not_to_an_agency_stays_away_from_it() -> None:
    """L1: whatever basis it would have."""
    marked = SituationRecorded(case=CASE, person=HANA, health="秘密", not_to=("care",))
    case = town().consent("a", HANA, "care", "clinic").tell(marked)
    assert ("health", "秘密") not in case.values("care")
    assert ("health", "秘密") in case.values("clinic")
    own = SituationRecorded(case=CASE, person=HANA, work="秘密", not_to=("clinic",))
    assert ("work", "秘密") not in case.tell(own, agency="clinic").values("clinic")


def test_purposes_must_meet_and_strangers_hold_nothing() -> None:
    case = town().agency("shop", purposes=("application",))
    case.consent("a", HANA, "shop", "unknown")
    assert case.values("shop") == set() == case.values("unknown") == case.values("job")


def test_a_group_covers_its_members_of_the_day_and_later_ones_once_told() -> None:
    """L3"""
    case = town()
    case.tell(MemberNamed(body="juso", member="m1", agency="care"), stream="body/juso")
    case.consent("g", HANA, group="juso", excluded=("clinic",), begins=case.now())
    for member, agency in (("m2", "job"), ("m3", "clinic")):
        case.tell(MemberNamed(body="juso", member=member, agency=agency), stream="body/juso")
    assert case.values("care")
    assert case.values("job") == set()
    id = uuid5(NAMES, "g")
    for agency in ("job", "clinic"):
        told = ConsentToldOfMember(consent=id, case=CASE, agency=agency)
        case.tell(told, stream=f"consent/{id}")
    assert case.values("job")
    assert case.values("clinic") == set()


def test_a_narrowed_consent_gives_less_from_then_on() -> None:
    """L3: fewer classes, then one agency less; the others go on."""
    case = town().consent("a", HANA, "care", "clinic")
    case.narrow("a", dropped=("contact",))
    assert ("health", "ひざ") in case.values("care")
    assert ("name", "花") not in case.values("care")
    before = case.now()
    case.narrow("a", excluded=("care",))
    assert case.values("care") == set() != case.values("clinic")
    assert ("health", "ひざ") in case.values("care", before - timedelta(seconds=1))


def test_after_a_death_what_is_shown_stays_and_nothing_new_flows() -> None:
    """L4a: not by that consent to anybody it did not reach, not what is recorded since; a living
    subject's consent goes on. That it stands still, the document does not tell.
    """
    case = town().tell(MemberNamed(body="juso", member="j", agency="job"), stream="body/juso")
    case.consent("a", HANA, group="juso", begins=case.now()).consent("k", KEN, "clinic")
    before = case.shown("job")
    case.flag(HANA, "died")
    case.tell(MemberNamed(body="juso", member="c", agency="clinic"), stream="body/juso")
    case.tell(ConsentToldOfMember(consent=uuid5(NAMES, "a"), case=CASE, agency="clinic"))
    case.tell(SituationRecorded(case=CASE, person=HANA, health="最期のこと"))
    assert case.shown("job") == before
    assert before.items
    assert {item.fact.person for item in case.shown("clinic").items} == {KEN}
    case.consent("later", HANA, "clinic")
    assert {item.fact.person for item in case.shown("clinic").items} == {KEN}
    assert case.withdraw("a").values("job") == set()


def test_an_abuse_flag_freezes_what_a_proxy_consented_to() -> None:
    """L22: and nothing else; once it is lifted all flows again."""
    case = town().consent("p", HANA, "care", proxy="parental").consent("o", HANA, "clinic")
    case.flag(HANA, "abuse").tell(SituationRecorded(case=CASE, person=HANA, health="あざ"))
    assert ("health", "ひざ") in case.values("care")
    assert ("health", "あざ") in case.values("clinic")
    assert ("health", "あざ") in case.flag(HANA).values("care")


def test_a_consent_lives_from_its_beginning_until_before_its_end() -> None:
    begins, until = START + timedelta(days=1), START + timedelta(days=2)
    case = town().consent("a", HANA, "care", begins=begins, until=until)
    tick = timedelta(microseconds=1)
    assert case.values("care", begins - tick) == set()
    assert case.values("care", begins)
    assert case.values("care", until - tick)
    assert case.values("care", until) == set()


def test_each_person_shown_has_all_six_classes_whatever_facts_exist() -> None:
    """L13"""
    persons = town().consent("a", HANA, "care").shown("care").persons
    assert persons == {
        HANA: {
            "contact": "covered",
            "health_disability": "covered",
            "work_school": "not_covered",
            "money": "not_covered",
            "welfare_use": "not_covered",
            "life_history": "not_covered",
        }
    }


def test_handles_of_two_agencies_cannot_be_joined_and_documents_come_in_steps() -> None:
    """L14, L16"""
    case = town().consent("a", HANA, "care", "clinic")
    made = {
        agency: content(Handles(b"k" * 32, agency), case.shown(agency))
        for agency in ("care", "clinic")
    }
    ids = {
        agency: {i["item"] for i in c["items"]}
        | {i["person"] for i in c["items"]}
        | {b["id"] for i in c["items"] for b in i["bases"]}
        for agency, c in made.items()
    }
    assert not ids["care"] & ids["clinic"]
    assert str(CASE) not in str(made)
    assert str(HANA) not in str(made)
    assert len(padded(canonical(made["care"]))) % 4096 == 0


AGENCIES = ("lead", "care", "clinic", "job")
CLASS_OF = {
    "name": "contact",
    "health": "health_disability",
    "work": "work_school",
    "money": "money",
    "text": "life_history",
}


@st.composite
def stories(draw: st.DrawFn) -> tuple[Town, list[dict[str, Any]], list[dict[str, Any]]]:
    """A random case, with what was told written down a second time for the oracle."""
    case = Town().agency(*AGENCIES)
    case.tell(PersonJoined(case=CASE, person=HANA, relation="self"))
    case.tell(PersonJoined(case=CASE, person=KEN, relation="child"))
    told: list[dict[str, Any]] = []
    given_: list[dict[str, Any]] = []
    for n in range(draw(st.integers(1, 14))):
        agency = draw(st.sampled_from(AGENCIES))
        person = draw(st.sampled_from((HANA, KEN)))
        not_to = draw(st.sets(st.sampled_from(AGENCIES), max_size=1))
        match draw(st.sampled_from(("name", "situation", "record", "consent", "withdraw"))):
            case "name":
                event: Event = PersonDescribed(
                    case=CASE, person=person, name=f"n{n}", not_to=tuple(not_to)
                )
                told.append(
                    {"f": "name", "v": f"n{n}", "s": {person}, "by": agency, "not": not_to,
                     "slot": ("name", person), "n": n}
                )  # fmt: skip
                case.tell(event, agency)
            case "situation":
                fields = draw(st.sets(st.sampled_from(("health", "work", "money")), min_size=1))
                values: Any = {name: f"{name}{n}" for name in fields}
                case.tell(
                    SituationRecorded(case=CASE, person=person, not_to=tuple(not_to), **values),
                    agency,
                )
                told += [
                    {"f": name, "v": value, "s": {person}, "by": agency, "not": not_to,
                     "slot": (name, person), "n": n}
                    for name, value in values.items()
                ]  # fmt: skip
            case "record":
                about = draw(st.sets(st.sampled_from((HANA, KEN))))
                id = uuid5(NAMES, f"record{n}")
                case.tell(
                    ContactRecorded(
                        record=id, case=CASE, subjects=tuple(about), method="phone", text=f"t{n}"
                    ),
                    agency,
                )
                told.append(
                    {"f": "text", "v": f"t{n}", "s": about or {HANA, KEN}, "by": agency,
                     "not": set(), "slot": ("text", n), "n": n}
                )  # fmt: skip
            case "consent":
                classes = draw(st.sets(st.sampled_from(sorted(CLASS_OF.values())), min_size=1))
                holders = draw(st.sets(st.sampled_from(AGENCIES), min_size=1))
                status = draw(st.sampled_from(("granted", "granted", "refused", "undecided")))
                case.consent(f"c{n}", person, *holders, classes=tuple(classes), status=status)
                given_.append(
                    {"name": f"c{n}", "p": person, "to": holders, "classes": classes,
                     "live": status == "granted"}
                )  # fmt: skip
            case _:
                if given_:
                    ended = draw(st.sampled_from(given_))
                    case.withdraw(ended["name"])
                    ended["live"] = False
    return case, told, given_


def oracle(
    agency: str, told: list[dict[str, Any]], given_: list[dict[str, Any]]
) -> set[tuple[str, str]]:
    """Written from the rules' text, not from the code: start from nothing and add by hand."""
    newest: dict[Any, dict[str, Any]] = {}
    for fact in told:
        if agency in fact["not"]:
            continue
        own = fact["by"] == agency
        consented = all(
            any(
                c["live"] and c["p"] == person and agency in c["to"]
                and CLASS_OF[fact["f"]] in c["classes"]
                for c in given_
            )
            for person in fact["s"]
        )  # fmt: skip
        if own or consented:
            newest[fact["slot"]] = fact
    return {(fact["f"], fact["v"]) for fact in newest.values()}


@settings(max_examples=200, deadline=None)
@given(stories(), st.sampled_from(AGENCIES))
def test_every_agency_holds_exactly_what_the_oracle_says(story: Any, agency: str) -> None:
    """L1: not one fact more, not one less."""
    case, told, given_ = story
    shown = {(f, v) for f, v in case.values(agency) if f in CLASS_OF}
    assert shown == oracle(agency, told, given_)


@settings(max_examples=60, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(story: Any, shuffler: random.Random) -> None:
    """L19"""
    case, _, _ = story
    at = case.now()
    before = {agency: case.shown(agency, at) for agency in AGENCIES}
    shuffler.shuffle(case.events)
    assert {agency: case.shown(agency, at) for agency in AGENCIES} == before
