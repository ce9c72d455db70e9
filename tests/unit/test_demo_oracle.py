"""The oracle against the examples of lawful-sharing.md: Hana, 82, and her son Ken, 55."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from operate.chaos.leaks import Then
from operate.demo.content import Content, difference
from operate.demo.intent import Actor, Intent
from operate.demo.ledger import Done
from operate.demo.oracle import Oracle
from operate.demo.workdays import TOKYO

START = datetime(2026, 4, 1, 9, tzinfo=TOKYO)
LATE = datetime(2027, 3, 31, 17, tzinfo=TOKYO)
WINDOW, CARE, COUNCIL, JOBS = "window", "care-centre", "council", "job-centre"
HOUR = timedelta(hours=1)
BOTH = ["consultation", "coordination"]


class Told:
    """Acknowledged intents, an hour apart, in the order of telling."""

    def __init__(self) -> None:
        self.done: list[Done] = []
        for code in (WINDOW, CARE, COUNCIL, JOBS):
            self.tell("agency", {"purposes": BOTH}, id_=code)
        case = {
            "route": "person_visit",
            "reporter": "the neighbour",
            "people": [
                {"id": "hana", "relation": "self", "name": "花", "living_with": ["child"]},
                {"id": "ken", "relation": "child", "name": "健"},
            ],
            "situations": [
                {"person": "hana", "health": "膝", "money": "借金"},
                {"person": "ken", "work": "無職"},
            ],
            "worries": {"subjects": [], "concerns": ["care"], "text": "二人のこと"},
        }
        self.tell("case", case, id_="case")

    def tell(
        self, kind: str, body: dict[str, Any], by: str = WINDOW, *, id_: str = "", path: str = "",
        effects: int = 1, **places: str,
    ) -> str:  # fmt: skip
        number = len(self.done)
        at = START + number * HOUR
        actor = Actor(by, f"{by}.worker-1", ("intake_worker",))
        intent = Intent(f"{number}", at, kind, "", "POST", path, body, actor, "", effects=effects)
        id_ = id_ or f"{kind}-{number}"
        self.done.append(Done(intent, body, places, at, id_, "", 1))
        return id_

    def consent(self, person: str, *classes: str, **more: Any) -> str:
        terms = {"person": person, "status": "granted", "classes": classes, "purposes": BOTH,
                 "holders": [CARE], "group": None, "excluded": [], **more}  # fmt: skip
        return self.tell("consent", terms, case="case")

    def shown(self, agency: str, at: datetime = LATE) -> dict[str, Any]:
        """By type and field, the value shown."""
        found = Oracle(self.done, at).held(agency).get("case", Content((), ""))
        return {f"{item.type}.{item.field}": item.value for item in found.items}


@pytest.fixture
def told() -> Told:
    return Told()


def test_1_consent_covers_its_classes_of_its_subject_only(told: Told) -> None:
    told.consent("hana", "contact", "health_disability")
    assert told.shown(CARE) == {
        "case.person_joined.relation": '"self"',
        "case.person_described.name": '"花"',
        "case.person_described.living_with": '["child"]',
        "case.situation_recorded.health": '"膝"',
    }


def test_2_a_refusal_shows_nowhere(told: Told) -> None:
    told.consent("hana", "contact")
    before = told.shown(CARE)
    told.consent("ken", "contact", status="refused")
    assert told.shown(CARE) == before


def test_3_what_is_put_before_a_body_is_on_no_document(told: Told) -> None:
    told.consent("ken", "money", "work_school")
    before = {agency: told.shown(agency) for agency in (WINDOW, CARE, COUNCIL)}
    matter = told.tell("matter", {"case": "case", "body": "shien-106-6"})
    told.tell(
        "matter-materials", {"person": "ken", "true_class": "money", "text": "債務"}, matter=matter
    )
    assert {agency: told.shown(agency) for agency in before} == before


def test_5_a_promoted_fact_is_an_ordinary_one(told: Told) -> None:
    matter = told.tell("matter", {"case": "case", "body": "shien-106-6"})
    told.consent("ken", "money", holders=[COUNCIL])
    told.tell(
        "matter-promotions", {"person": "ken", "material": "m", "money": "債務"}, matter=matter
    )
    assert told.shown(COUNCIL) == {"matter.fact_promoted.money": '"債務"'}


def test_6_a_withdrawal_empties_the_document(told: Told) -> None:
    consent = told.consent("hana", "contact", "money")
    assert told.shown(CARE)
    told.tell("withdrawal", {}, consent=consent)
    assert not told.shown(CARE)
    assert told.shown(CARE, told.done[-2].occurred)


def test_9_a_referral_lies_in_the_class_of_its_need(told: Told) -> None:
    told.consent("ken", "work_school", "life_history", holders=[JOBS])
    asked = {"case": "case", "person": "ken", "receiver": JOBS, "classes": ["work_school"],
             "need": "面談", "urgency": "standard"}  # fmt: skip
    told.tell("referral", asked)
    assert told.shown(JOBS) == {
        "case.situation_recorded.work": '"無職"',
        "referral.requested.need": '"面談"',
        "referral.requested.urgency": '"standard"',
    }


def test_10_a_text_about_both_needs_both(told: Told) -> None:
    told.consent("hana", "life_history")
    assert not told.shown(CARE)
    told.consent("ken", "life_history")
    assert told.shown(CARE)["case.worries_recorded.text"] == '"二人のこと"'


def test_10b_somebody_who_joins_later_is_asked_too(told: Told) -> None:
    told.consent("hana", "life_history")
    told.consent("ken", "life_history")
    new = {"person": {"id": "emi", "relation": "grandchild", "name": "絵美"}}
    told.tell("section-person", new, case="case", effects=2)
    assert "case.worries_recorded.text" not in told.shown(CARE)


def test_11_what_was_heard_at_a_meeting_is_sealed_even_to_its_writer(told: Told) -> None:
    before = told.shown(WINDOW)
    heard = {"person": "ken", "history": "聞いた", "source": "meeting", "matter": "matter"}
    told.tell("section-situation", {"situation": heard}, case="case")
    assert told.shown(WINDOW) == before


def test_own_records_are_held_whatever_their_class(told: Told) -> None:
    told.tell("screening", {"outcome": "continue_single_agency", "note": "要観察"}, case="case")
    shown = told.shown(WINDOW)
    assert shown["case.opened.reporter"] == '"the neighbour"'
    assert shown["case.screened.note"] == '"要観察"'
    told.consent("hana", "contact", "life_history")
    assert "case.screened.note" not in told.shown(CARE)


def test_the_newest_value_shows_by_the_time_it_happened(told: Told) -> None:
    told.consent("hana", "money")
    told.tell("section-situation", {"situation": {"person": "hana", "money": "完済"}}, case="case")
    assert told.shown(CARE)["case.situation_recorded.money"] == '"完済"'


def test_a_mark_keeps_a_fact_from_one_agency(told: Told) -> None:
    told.consent("hana", "money", holders=[CARE, COUNCIL])
    part = {"person": "hana", "money": "完済", "not_to": [CARE]}
    told.tell("section-situation", {"situation": part}, case="case")
    assert told.shown(CARE)["case.situation_recorded.money"] == '"借金"'
    assert told.shown(COUNCIL)["case.situation_recorded.money"] == '"完済"'


def test_purposes_must_meet(told: Told) -> None:
    told.consent("hana", "contact", purposes=["application"])
    assert not told.shown(CARE)


def test_a_group_is_its_pool_at_the_beginning_and_whom_the_person_was_told_of(told: Told) -> None:
    path = "/v1/bodies/juso/members/{}"
    told.tell("member", {"agency": CARE}, path=path.format("care.member"))
    consent = told.consent("hana", "contact", holders=[], group="juso", excluded=[JOBS])
    told.tell("member", {"agency": COUNCIL}, path=path.format("council.member"))
    told.tell("member", {"agency": JOBS}, path=path.format("jobs.member"))
    assert told.shown(CARE)
    assert not told.shown(COUNCIL)
    told.tell("told", {"agency": COUNCIL}, consent=consent)
    told.tell("told", {"agency": JOBS}, consent=consent)
    assert told.shown(COUNCIL)
    assert not told.shown(JOBS)
    told.tell("leaving", {}, path=path.format("care.member") + "/leaving")
    assert not told.shown(CARE)


def test_a_consent_ends_at_its_date(told: Told) -> None:
    until = START + timedelta(days=30)
    told.consent("hana", "contact", until=until.isoformat())
    assert told.shown(CARE, until - timedelta(seconds=1))
    assert not told.shown(CARE, until)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("withdrawal", {}),
        ("narrowing", {"dropped": ["health_disability"]}),
        ("narrowing", {"excluded": [CARE]}),
    ],
)
def test_a_leak_is_what_no_basis_gave_at_that_moment_or_where_a_clock_jumped_just_before(
    told: Told, kind: str, body: dict[str, list[str]]
) -> None:
    consent = told.consent("hana", "health_disability")
    (item,) = Oracle(told.done, LATE).document(CARE, "case").items
    given = told.done[-1].at
    told.tell(kind, body, consent=consent)
    assert not Oracle(told.done, LATE).held(CARE)
    ended = told.done[-1].at
    then = Then(told.done, LATE, {given: given - HOUR, ended + HOUR: ended})
    for at, leaked in (
        (given - HOUR, 1),
        (given, 0),
        (ended, 0),
        (ended + HOUR, 0),
        (ended + 2 * HOUR, 1),
    ):
        assert then.leaked(CARE, "case", [item], at) == leaked


def document(*values: str) -> Content:
    items = [
        {"type": "case.person_described", "field": "name", "class": "contact", "value": value,
         "person": f"handle of {value}", "occurred_at": START.isoformat(), "recorded_by": None,
         "bases": [{"kind": "consent", "id": "x"}]}
        for value in values
    ]  # fmt: skip
    classes = {"contact": "covered", "money": "not_covered"}
    persons = [{"person": item["person"], "classes": classes} for item in items]
    return Content.held({"items": items, "persons": persons})


def test_copies_are_compared_by_content_whatever_the_handles() -> None:
    assert difference([document("a", "b")], [document("b", "a")]).none
    assert difference([document("a"), document("b")], [document("a")]).missing == 1
    assert difference([document("a")], [document("a", "b")]).surplus == 1
    assert difference([document("a")], [document("a"), document("a")]).doubled == 1
    assert difference([document("a", "b")], [document("a"), document("b")]).documents == 3


def test_12_a_programmes_records_pass_with_its_contract(told: Told) -> None:
    """Those of its desk; what the body recorded before it was seated there is its own."""
    told.tell("record", {"method": "phone", "text": "自主"}, CARE, case="case")
    for agency, begins, ends in (
        (CARE, "2026-04-01", "2026-09-30"), (COUNCIL, "2026-10-02", "2027-03-31"),
    ):  # fmt: skip
        terms = {"agency": agency, "begins_on": begins, "last_on": ends}
        told.tell("contract", terms, path="/v1/programmes/homon/contracts")
    told.tell("desk", {"programme": "homon"}, path="/v1/desks/madoguchi")
    seat = f"/v1/desks/madoguchi/members/{CARE}.worker-1"
    told.tell("seat", {"agency": CARE}, path=seat)
    told.tell("record", {"method": "visit", "text": "訪問"}, CARE, case="case")

    def texts(at: datetime) -> list[str]:
        found = [Oracle(told.done, at).held(agency) for agency in (CARE, COUNCIL)]
        shown = [one.get("case", Content((), "")).items for one in found]
        return [" ".join(sorted(i.value for i in items if i.field == "text")) for items in shown]

    midnight = datetime(2026, 10, 1, tzinfo=TOKYO)
    assert texts(midnight - timedelta(seconds=1)) == ['"自主" "訪問"', ""]
    assert texts(midnight) == ['"自主"', ""]
    assert texts(midnight + timedelta(days=1)) == ['"自主"', '"訪問"']
