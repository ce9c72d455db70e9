"""What an agency may hold: the examples of the rules, and properties against an oracle of its own."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from services.views.domain.document import Handles, canonical, content, padded
from shared.contracts import Event
from shared.contracts.intake import (
    BasisEnded,
    BasisReviewed,
    CaseScreened,
    ConsentToldOfMember,
    ContactCorrected,
    ContactRecorded,
    PersonDescribed,
    PersonJoined,
    PersonNoted,
    SituationRecorded,
)
from shared.contracts.meetings import (
    MatterEnded,
    MemberLeft,
    MemberNamed,
    MembersAsked,
)
from tests.unit._town import BODY, CASE, HANA, HOUR, KEN, MATTER, NAMES, START, Town, town


def test_a_pledge_holds_for_its_fiscal_year() -> None:
    case = town().matter().pledge("doctor", 2026)
    next_april = datetime(2027, 4, 1, tzinfo=UTC)
    assert case.opens("doctor", "clinic", next_april) == set()


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


@settings(max_examples=200)
@given(stories(), st.sampled_from(AGENCIES))
def test_every_agency_holds_exactly_what_the_oracle_says(story: Any, agency: str) -> None:
    """L1: not one fact more, not one less."""
    case, told, given_ = story
    shown = {(f, v) for f, v in case.values(agency) if f in CLASS_OF}
    assert shown == oracle(agency, told, given_)


@settings(max_examples=60)
@given(stories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(story: Any, shuffler: random.Random) -> None:
    """L19"""
    case, _, _ = story
    at = case.now()
    before = {agency: case.shown(agency, at) for agency in AGENCIES}
    shuffler.shuffle(case.events)
    assert {agency: case.shown(agency, at) for agency in AGENCIES} == before


def test_urgent_protection_gives_the_named_what_a_worker_judges_too() -> None:
    """L7, L22: classes of persons, until somebody ends it; a reporter never."""
    case = town().tell(
        SituationRecorded(case=CASE, person=HANA, health="倒れた", source="observation")
    )
    case.urgent("u", "clinic")
    assert case.values("clinic") == {("health", "倒れた"), ("source", "observation")}
    assert case.values("care") == set()
    assert case.shown("clinic").persons[HANA]["health_disability"] == "covered"
    assert case.on_basis("u", BasisEnded).values("clinic") == set()


def test_a_late_review_lets_it_flow_again_and_one_in_time_lets_it_flow_on() -> None:
    """L7: growth stops between the missed review and the late one."""
    for minutes in (30, 90):
        case = town().urgent("u", "clinic")
        asserted, worse = case.now(), SituationRecorded(case=CASE, person=HANA, health="骨折")
        reviewed = BasisReviewed(basis=uuid5(NAMES, "u"), case=CASE)
        case.tell(worse, at=asserted + timedelta(minutes=80))
        case.tell(reviewed, stream="basis/u", at=asserted + timedelta(minutes=minutes))
        before, after = (asserted + timedelta(minutes=m) for m in (85, 95))
        assert (("health", "骨折") in case.values("clinic", before)) == (minutes == 30)
        assert ("health", "骨折") in case.values("clinic", after)


def test_a_ground_gives_what_its_provider_recorded_and_no_more() -> None:
    """L8"""
    case = town().tell(SituationRecorded(case=CASE, person=HANA, money="年金"), agency="care")
    case.ground("g", "council", classes=("money", "health_disability"))
    assert case.values("council") == {("health", "ひざ"), ("money", "借金なし")}
    assert case.values("council", case.now() + 3 * HOUR) == set()


def test_whoever_held_what_is_protected_now_is_warned_in_its_place() -> None:
    """L11: its own record included; it comes back when the protection is lifted, and who comes to hold
    something later is told nothing.
    """
    case = town().consent("a", HANA, "care")
    case.protect(HANA, "address", "council").consent("b", HANA, "clinic")
    for agency in ("care", "lead"):
        assert ("address", "生駒市") not in case.values(agency)
        assert case.warnings(agency) == {"address"}
    assert case.warnings("clinic") == case.warnings("council") == set()
    made = content(Handles(b"k" * 32, "care"), case.shown("care"))
    (warning,) = [item for item in made["items"] if item["type"] == "warning.protected"]
    assert warning["value"] == "支援措置あり・照会前に個人情報担当へ"
    assert "生駒市" not in str(made)
    moved = PersonDescribed(case=CASE, person=HANA, address="奈良市")
    assert case.tell(moved).warnings("care") == {"address"}
    assert case.lift(HANA, "address").warnings("care") == set()
    assert ("address", "奈良市") in case.values("care")


def test_once_the_basis_ends_the_warning_goes_as_well() -> None:
    case = town().consent("a", HANA, "care").protect(HANA, "address").withdraw("a")
    assert case.shown("care").items == ()


def test_naming_an_agency_opens_and_a_new_list_closes_again() -> None:
    case = town().consent("a", HANA, "care").protect(HANA, "address")
    assert ("address", "生駒市") in case.protect(HANA, "address", "care").values("care")
    assert case.protect(HANA, "address", "lead").warnings("care") == {"address"}
    assert ("address", "生駒市") in case.values("lead")
