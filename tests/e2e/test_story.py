"""One household's story over all services, told through the public HTTP APIs only."""

import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.calendar import TOKYO
from tests.conftest import City

PURPOSES = ["consultation", "coordination"]
BODY = "shien-106-6"
NAME, SON = "𠮷川 葛󠄀子", "𠮷川 健"


@dataclass
class Told:
    """The story as far as it goes: clients by agency, ids, and how to read what agencies hold."""

    city: City
    agencies: dict[str, str]
    case: str = ""
    hana: str = ""
    ken: str = ""
    seen: str = ""

    def at(self, service: str, who: str, *roles: str, subject: str = "") -> httpx.AsyncClient:
        agency = self.agencies[who]
        roles = roles or ("agency_worker", "intake_worker", "coordinator")
        return self.city.client(service, agency, *roles, subject=subject or f"{agency}-staff")

    async def write(
        self, client: httpx.AsyncClient, path: str, body: Any, expect: int = 200
    ) -> Any:
        """POST after everything seen so far; remembers the position for who asks next."""
        headers = {"Idempotency-Key": str(uuid4())}
        if self.seen:
            headers["Tsunagu-After"] = self.seen
        answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code in (expect, 201), answer.text
        self.seen = answer.headers["Tsunagu-Position"]
        await self.city.settle()
        return answer.json()

    async def appoint(self, *bodies: str) -> None:
        """A clerk of the window is the secretariat of these bodies."""
        operator = self.city.client("meetings", "ikoma-city", "operator", subject="operator")
        window = self.agencies["window"]
        for body in bodies:
            path, clerk = f"/v1/bodies/{body}/members/clerk-{window}", {"secretariat": True}
            answer = await operator.put(path, json={"agency": window, **clerk})
            assert answer.status_code == 200, answer.text
        await self.city.settle()

    async def documents(self, who: str) -> list[Any]:
        client = self.at("views", who)
        lines = (await client.get("/v1/views", params={"limit": 500})).json()["items"]
        return [(await client.get(f"/v1/views/{line['handle']}")).json() for line in lines]

    async def values(self, who: str) -> set[tuple[str, str]]:
        return {
            (item["field"], json.dumps(item["value"], ensure_ascii=False))
            for document in await self.documents(who)
            for item in document["items"]
        }

    async def holds(self, who: str, *fields: str) -> bool:
        return {field for field, _ in await self.values(who)} == set(fields)

    async def consent(self, person: str, *holders: str, classes: list[str], **terms: Any) -> Any:
        body = {
            "person": person,
            "classes": classes,
            "purposes": ["consultation"],
            "holders": [self.agencies[who] for who in holders],
            "text_version": "2026-04",
            **terms,
        }
        path = f"/v1/cases/{self.case}/consents"
        return await self.write(self.at("intake", "window"), path, body, 201)


@pytest.fixture
async def told(city: City) -> Told:
    """A household that came to the window, and four agencies in the directory."""
    mark = uuid4().hex[:8]
    kinds = {"window": "city", "care": "contractor", "clinic": "private", "council": "contractor"}
    story = Told(city, {who: f"{who}-{mark}" for who in kinds})
    operator = city.client("referral", "ikoma-city", "operator", subject="operator")
    for who, controller in kinds.items():
        body = {"name": who, "kind": who, "controller": controller, "purposes": PURPOSES}
        answer = await operator.put(f"/v1/agencies/{story.agencies[who]}", json=body)
        assert answer.status_code == 201, answer.text
    await city.settle()
    story.hana, story.ken = str(uuid4()), str(uuid4())
    sheet = {
        "route": "family_visit",
        "reporter": "近所の人",
        "people": [
            {"id": story.hana, "relation": "self", "name": NAME, "living_with": ["child"]},
            {"id": story.ken, "relation": "child", "name": SON},
        ],
        "situations": [
            {"person": story.hana, "health": "膝の痛み", "money": "年金のみ"},
            {"person": story.ken, "work": "二十年家にいる", "money": "借金三百万円"},
        ],
        "worries": {"concerns": ["care", "hikikomori"], "main_concern": "care", "text": "母と息子"},
    }
    opened = await story.write(story.at("intake", "window"), "/v1/cases", sheet, 201)
    story.case = opened["id"]
    return story


async def test_an_agency_holds_what_a_consent_gives_until_it_is_withdrawn(told: Told) -> None:
    """Examples 1, 2, 6 and 10 of the rules, L13, L14, L15."""
    consent = await told.consent(told.hana, "care", classes=["contact", "health_disability"])
    await told.consent(told.ken, "care", classes=["money"], status="refused")
    assert await told.holds("care", "name", "relation", "living_with", "health")
    assert ("name", json.dumps(NAME, ensure_ascii=False)) in await told.values("care")
    assert await told.values("clinic") == set()
    (document,) = await told.documents("care")
    assert len(document["persons"]) == 1
    assert document["persons"][0]["classes"]["money"] == "not_covered"

    done = await told.write(
        told.at("intake", "window"), f"/v1/consents/{consent['id']}/withdrawal", {}
    )
    assert done["agencies"] == [{"agency": told.agencies["care"], "state": "pending"}]
    (document,) = await told.documents("care")
    assert (document["items"], document["cause"]) == ([], "content_ended")

    await told.city.settle()
    window = told.at("views", "window")
    (retraction,) = (await window.get("/v1/retractions", params={"case": told.case})).json()[
        "items"
    ]
    assert retraction["state"] == "delivered"
    assert {item["field"] for item in retraction["items"]} >= {"name"}
    path = f"/v1/views/{document['handle']}/retraction-confirmation"
    care = told.at("views", "care")
    assert (await care.post(path, json={"document": document["document"]})).status_code == 200
    await told.city.settle()
    (retraction,) = (await window.get("/v1/retractions", params={"case": told.case})).json()[
        "items"
    ]
    assert retraction["state"] == "confirmed"
    assert await told.documents("care") == []


async def test_a_consent_with_an_end_expires_by_itself(told: Told) -> None:
    until = told.city.at + timedelta(days=1)
    await told.consent(told.hana, "care", classes=["contact"], until=until.isoformat())
    assert await told.values("care")
    await told.city.settle(until - timedelta(seconds=1))
    assert await told.values("care")
    await told.city.settle(until)
    assert await told.values("care") == set()


async def test_a_referral_needs_a_live_basis_and_walks_its_states(told: Told) -> None:
    window, care = told.at("referral", "window"), told.at("referral", "care")
    request = {
        "case": told.case,
        "person": told.hana,
        "receiver": told.agencies["care"],
        "classes": ["health_disability"],
        "need": "膝の相談に乗ってほしい",
    }
    refused = await window.post("/v1/referrals", json=request)
    assert (refused.status_code, refused.json()["reason"]) == (409, "no-live-basis")
    classes = ["contact", "health_disability", "life_history"]
    await told.consent(told.hana, "care", classes=classes)
    asked = await told.write(window, "/v1/referrals", request, 201)
    path = f"/v1/referrals/{asked['id']}"
    stranger = told.at("referral", "clinic")
    assert (await stranger.get(path)).status_code == 404
    early = await care.post(f"{path}/completion", json={"outcome": "helped"})
    assert (early.status_code, early.json()["state"]) == (409, "requested")
    for step, body in (
        ("receipt", {}),
        ("acceptance", {}),
        ("service-start", {"first_contact_on": str(told.city.at.date())}),
        ("completion", {"outcome": "helped"}),
    ):
        await told.write(care, f"{path}/{step}", body)
    shown = (await care.get(path)).json()
    assert (shown["status"], shown["outcome"]) == ("completed", "helped")
    assert "need" in {field for field, _ in await told.values("care")}


async def test_what_is_put_before_a_statutory_body_is_read_by_its_pledged_members(
    told: Told,
) -> None:
    """Examples 3, 4, 5 and 11, L5b, L20: over HTTP only, no document changes, wherever it is typed."""
    coordinator = told.at("meetings", "window", "coordinator")
    await told.appoint(BODY)
    doctor, clerk = (f"doctor-{told.agencies['clinic']}", f"clerk-{told.agencies['council']}")
    pool = f"/v1/bodies/{BODY}/members"
    for member, who in ((doctor, "clinic"), (clerk, "council")):
        answer = await coordinator.put(f"{pool}/{member}", json={"agency": told.agencies[who]})
        assert answer.status_code in (200, 201), answer.text
    await told.city.settle()
    submit = {"case": told.case, "body": BODY, "subjects": [told.ken]}
    matter = (await told.write(coordinator, "/v1/matters", submit, 201))["id"]
    path = f"/v1/matters/{matter}"
    await told.write(coordinator, f"{path}/members", {"members": [doctor, clerk]})
    before = await told.values("clinic"), await told.values("council"), await told.values("window")
    debt = {"person": told.ken, "true_class": "money", "text": "借金は三百万円"}
    material = await told.write(coordinator, f"{path}/materials", debt)

    reader = told.at("views", "clinic", subject=doctor)
    assert (await reader.get("/v1/sealed")).json() == []
    year = told.city.at.year - (told.city.at.month < 4)
    await told.write(coordinator, f"{pool}/{doctor}/pledge", {"fiscal_year": year})
    (openable,) = (await reader.get("/v1/sealed")).json()
    sealed = (await reader.get(f"/v1/views/{openable['handle']}/sealed")).json()
    assert "借金は三百万円" in {item["value"] for item in sealed["items"]}
    unpledged = told.at("views", "council", subject=clerk)
    assert (await unpledged.get("/v1/sealed")).json() == []
    colleague = told.at("views", "clinic", subject="another-doctor")
    answer = await colleague.get(f"/v1/views/{openable['handle']}/sealed")
    assert answer.status_code == 404
    after = await told.values("clinic"), await told.values("council"), await told.values("window")
    assert before == after

    nurse = f"nurse-{told.agencies['care']}"
    named = {"agency": told.agencies["care"]}
    assert (await coordinator.put(f"{pool}/{nurse}", json=named)).status_code in (200, 201)
    await told.city.settle()
    await told.write(coordinator, f"{path}/enquiries", {"members": [nurse]})
    asked = told.at("views", "care", subject=nurse)
    assert (await asked.get("/v1/sealed")).json() == []
    await told.write(coordinator, f"{pool}/{nurse}/pledge", {"fiscal_year": year})
    (openable_too,) = (await asked.get("/v1/sealed")).json()
    sealed = (await asked.get(f"/v1/views/{openable_too['handle']}/sealed")).json()
    assert [(item["field"], item["value"]) for item in sealed["items"]] == [("name", SON)], "L5b"

    await told.consent(told.hana, "clinic", classes=["contact"])
    please = {"case": told.case, "person": told.hana, "receiver": told.agencies["clinic"]}
    please |= {"classes": ["contact"], "need": "往診をお願いします"}
    await told.write(told.at("referral", "window"), "/v1/referrals", please, 201)
    heard = {
        "person": told.ken,
        "history": "会議で聞いたこと",
        "source": "meeting",
        "matter": matter,
    }
    note = {"situation": heard}
    typed = told.at("intake", "clinic", subject=doctor)
    answer = await typed.put(f"/v1/cases/{told.case}/sections/situation", json=note)
    assert answer.status_code == 200, answer.text
    await told.city.settle()
    file = (await typed.get(f"/v1/cases/{told.case}")).json()
    assert {fact["recorded_by"] for fact in file["facts"]} <= {told.agencies["clinic"]}, "L20"
    for who in ("clinic", "window", "council"):
        assert "会議で聞いたこと" not in str(await told.values(who))
    sealed = (await reader.get(f"/v1/views/{openable['handle']}/sealed")).json()
    assert "会議で聞いたこと" in {item["value"] for item in sealed["items"]}

    await told.consent(told.ken, "council", classes=["money"])
    promoted = {"material": material["id"], "person": told.ken, "money": "借金は三百万円"}
    await told.write(coordinator, f"{path}/promotions", promoted)
    assert ("money", '"借金は三百万円"') in await told.values("council")
    await told.write(coordinator, f"{path}/ending", {})
    assert (await reader.get("/v1/sealed")).json() == []


async def test_a_programme_passes_to_another_body_on_its_day_with_all_that_is_its_own(
    told: Told,
) -> None:
    """Example 12, L2, L3, L9, L15: the records pass, those of one's own stay; a consent goes on with the
    desk that it named, not with the body; the former body is asked to give back, the next leads the case.
    """
    care, council = told.agencies["care"], told.agencies["council"]
    visits, desk = f"visits-{care}", f"desk-{care}"
    operator = told.city.client("referral", "ikoma-city", "operator", subject="operator")
    today = told.city.at.astimezone(TOKYO).date()
    midnight = datetime.combine(today + timedelta(days=1), time(), TOKYO)
    contracts = f"/v1/programmes/{visits}/contracts"
    for method, path, body in (
        ("PUT", f"/v1/programmes/{visits}", {"name": "訪問事業"}),
        ("POST", contracts, {"agency": care, "begins_on": "2026-04-01", "last_on": str(today)}),
        ("PUT", f"/v1/desks/{desk}", {"name": "訪問窓口", "programme": visits}),
        ("PUT", f"/v1/desks/{desk}/members/visitor", {}),
        ("POST", contracts, {"agency": council, "begins_on": str(midnight.date()),
                             "last_on": str(today + timedelta(days=365))}),
    ):  # fmt: skip
        answer = await operator.request(method, path, json=body)
        assert answer.status_code in (200, 201), answer.text
        await told.city.settle()
    visitor = told.at("intake", "care", subject="visitor")
    sheet = {
        "route": "family_visit",
        "people": [{"id": told.hana, "relation": "self", "name": NAME, "address": "生駒市"}],
        "worries": {"concerns": ["care"], "main_concern": "care", "text": "訪問で聞いたこと"},
    }
    visited = f"/v1/cases/{(await told.write(visitor, '/v1/cases', sheet, 201))['id']}"
    own = {"situation": {"person": told.hana, "health": "自主事業の記録"}}
    answer = await told.at("intake", "care").put(f"{visited}/sections/situation", json=own)
    assert answer.status_code == 200, answer.text
    heard = {"holders": [told.agencies["clinic"]], "person": told.hana, "classes": ["contact"]}
    more = {"purposes": ["consultation"], "text_version": "2026-04"}
    await told.write(visitor, f"{visited}/consents", {**heard, **more}, 201)
    asked = {"case": visited.rsplit("/", 1)[-1], "person": told.hana, "classes": ["contact"]}
    sender = told.at("referral", "care", subject="visitor")
    asked |= {"receiver": told.agencies["clinic"], "need": "往診をお願いします"}
    sent = f"/v1/referrals/{(await told.write(sender, '/v1/referrals', asked, 201))['id']}"
    await told.consent(told.hana, "care", classes=["health_disability"])
    terms = {"holders": [desk], "person": told.hana, "classes": ["money"]}
    window = told.at("intake", "window")
    path = f"/v1/cases/{told.case}/consents"
    named = await told.write(window, path, {**terms, **more}, 201)

    programme = {"name", "address", "relation", "concerns", "main_concern", "text", "need"}
    by_body, by_desk, kept = ("health", '"膝の痛み"'), ("money", '"年金のみ"'), "自主事業の記録"

    async def fields(who: str) -> set[str]:
        return {field for field, _ in await told.values(who)}

    await told.city.settle(midnight - timedelta(seconds=1))
    assert programme <= await fields("care")
    assert {by_body, by_desk} <= await told.values("care")
    assert await told.values("council") == set()
    assert (await told.at("intake", "council").get(visited)).status_code == 404

    await told.city.settle(midnight)
    former, successor = await told.values("care"), await told.values("council")
    assert programme <= {field for field, _ in successor}
    assert not programme & {field for field, _ in former}
    assert [by_body in former, by_desk in former, kept in str(former)] == [True, False, True]
    assert [by_body in successor, by_desk in successor] == [False, True]
    assert kept not in str(successor)
    sources = {
        (basis["kind"], basis.get("programme"))
        for document in await told.documents("council")
        for item in document["items"]
        for basis in item["bases"]
    }
    assert sources == {("own_record", visits), ("consent", None)}

    follower = told.at("referral", "council")
    assert (await sender.get(sent)).status_code == 404
    assert (await follower.get(sent)).json()["need"] == asked["need"]
    await told.write(told.at("referral", "clinic"), f"{sent}/receipt", {})
    followed = (await follower.get("/v1/referrals")).json()["items"]
    assert [(one["status"], one["followed_by"]) for one in followed] == [("received", council)]

    next_worker = told.at("intake", "council")
    shown = (await next_worker.get(visited)).json()
    assert (shown["lead"], kept in json.dumps(shown, ensure_ascii=False)) == ("", False)
    assert (await visitor.get(visited)).json()["facts"] != shown["facts"]
    await told.write(next_worker, f"{visited}/lead-agency/acceptance", {})
    assert (await next_worker.get(visited)).json()["lead"] == council
    listed = told.at("views", "council")
    (retraction,) = (
        await listed.get("/v1/retractions", params={"case": visited.rsplit("/", 1)[-1]})
    ).json()["items"]
    assert (retraction["agency"], retraction["state"]) == (care, "delivered")
    assert {item["field"] for item in retraction["items"]} >= {"name", "address"}
    for document in await told.documents("care"):
        path = f"/v1/views/{document['handle']}/retraction-confirmation"
        answer = await told.at("views", "care").post(path, json={"document": document["document"]})
        assert answer.status_code in (200, 409), answer.text
    await told.city.settle()
    (retraction,) = (
        await listed.get("/v1/retractions", params={"case": visited.rsplit("/", 1)[-1]})
    ).json()["items"]
    assert retraction["state"] == "confirmed"
    done = await told.write(window, f"/v1/consents/{named['id']}/withdrawal", {})
    assert [one["agency"] for one in done["agencies"]] == [council]
    assert by_desk not in await told.values("council")


async def test_an_agenda_takes_consented_cases_only_and_loses_them_with_the_consent(
    told: Told,
) -> None:
    """L6"""
    coordinator = told.at("meetings", "window", "coordinator")
    await told.appoint("juso")
    convene = {
        "bodies": ["juso"],
        "local_name": "kasaneru",
        "planned_on": str((told.city.at + timedelta(days=14)).date()),
        "invited": [told.agencies["care"], told.agencies["council"]],
    }
    meeting = (await told.write(coordinator, "/v1/meetings", convene, 201))["id"]
    item = {"case": told.case, "body": "juso", "subjects": [told.hana]}
    path = f"/v1/meetings/{meeting}"
    refused = await coordinator.post(f"{path}/agenda", json=item)
    assert (refused.status_code, refused.json()["reason"]) == (409, "no-live-basis")
    consent = await told.consent(told.hana, "care", "council", classes=["contact", "life_history"])
    await told.write(coordinator, f"{path}/agenda", item)
    await told.write(told.at("intake", "window"), f"/v1/consents/{consent['id']}/withdrawal", {})
    shown = (await coordinator.get(path)).json()
    assert "removed" in json.dumps(shown)
    held = {"held_on": str(told.city.at.date()), "attended": [told.agencies["care"]]}
    await told.write(coordinator, f"{path}/holding", held)


async def test_a_stranger_and_a_case_that_is_not_there_look_alike(told: Told) -> None:
    """L14, and 404 before 403 and before bad input."""
    stranger = told.at("intake", "clinic")
    for id in (told.case, str(uuid4()), "not-an-id"):
        answers = [
            await stranger.get(f"/v1/cases/{id}"),
            await stranger.post(f"/v1/cases/{id}/closing", json={"nonsense": 1}),
            await stranger.post(f"/v1/cases/{id}/closing", content=b"no json"),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.text for answer in answers}) == 1


async def test_nobody_can_keep_a_fact_from_the_agency_that_records_it(told: Told) -> None:
    """L1: a mark *not to* an agency forbids whatever basis it has, its own record too."""
    window, agency = told.at("intake", "window"), told.agencies["window"]
    part = {"situation": {"person": told.hana, "money": "年金のみ", "not_to": [agency]}}
    answer = await window.put(f"/v1/cases/{told.case}/sections/situation", json=part)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.not_to")
    sheet = {"route": "family_visit", "people": [{"name": NAME, "not_to": [agency]}]}
    assert (await window.post("/v1/cases", json=sheet)).status_code == 422


async def test_a_protected_address_is_absent_and_a_referral_takes_nothing_from_a_consent(
    told: Told,
) -> None:
    """Examples 7 and 9; why, the window is told by the rules' numbers."""
    window, case = told.at("intake", "window"), f"/v1/cases/{told.case}"
    hana = {"id": told.hana, "relation": "self", "name": NAME, "address": "奈良県生駒市"}
    answer = await window.put(f"{case}/sections/person", json={"person": hana})
    assert answer.status_code == 200, answer.text
    address = {"person": told.hana, "item": "address", "named": [told.agencies["clinic"]]}
    await told.write(window, f"{case}/protections", address)
    await told.consent(told.hana, "care", "clinic", classes=["contact"])
    known = ("name", "relation", "living_with")
    assert await told.holds("care", *known)
    assert await told.holds("clinic", *known, "address")
    answer = await told.at("views", "window").get("/v1/reasons", params={"case": told.case})
    why = {
        (item["field"], one["agency"]): one["rule"]
        for item in answer.json()
        for one in item["agencies"]
        if item["person"] == told.hana
    }
    assert [why["address", told.agencies[who]] for who in ("care", "clinic")] == ["L11", "L3"]

    await told.consent(told.ken, "council", classes=["work_school", "money"])
    asked = {"case": told.case, "person": told.ken, "receiver": told.agencies["council"]}
    asked |= {"classes": ["work_school"], "need": "働きたい"}
    sent = await told.write(told.at("referral", "window"), "/v1/referrals", asked, 201)
    shown = (await told.at("referral", "council").get(f"/v1/referrals/{sent['id']}")).json()
    assert shown["classes"] == ["work_school"]
    held = {("work", '"二十年家にいる"'), ("money", '"借金三百万円"')}
    assert held <= await told.values("council")


async def test_an_urgent_basis_that_nobody_reviewed_keeps_what_it_gave_and_gives_nothing_new(
    told: Told,
) -> None:
    """Example 8: what was shown stays, a supervisor is called."""
    window, case = told.at("intake", "window"), f"/v1/cases/{told.case}"
    urgent = {
        "persons": [told.hana],
        "holders": [told.agencies["clinic"]],
        "classes": ["health_disability"],
        "reason": "倒れていた",
        "danger": "life",
        "informed": "the-second-person",
    }
    basis = (await told.write(window, f"{case}/urgent-bases", urgent, 201))["id"]
    had = {("health", '"膝の痛み"')}
    assert await told.values("clinic") == had
    supervisor = told.at("intake", "window", "supervisor")

    async def due() -> Any:
        listed = (await supervisor.get("/v1/reviews")).json()
        return next(one for one in listed if one["basis"] == basis)

    assert not (await due())["overdue"]
    await told.city.settle(datetime.fromisoformat((await due())["review_by"]))
    assert (await due())["overdue"]
    broken = {"situation": {"person": told.hana, "health": "骨折"}}
    assert (await window.put(f"{case}/sections/situation", json=broken)).status_code == 200
    await told.city.settle()
    assert await told.values("clinic") == had
    await told.write(supervisor, f"/v1/bases/{basis}/review", {})
    assert await told.values("clinic") == {("health", '"骨折"')}
