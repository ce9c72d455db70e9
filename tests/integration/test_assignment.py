"""Inside an agency (L23): one's own cases, deputies by period, and staff for whom a case is not there."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from shared.staff import today
from tests.integration._service import Running, service_on

HANA = "019c0000-0000-7000-8000-000000000002"
LINE = {"method": "visit", "text": "玄関先", "next_action": {"text": "電話する"}}


class Office:
    """The city's workers, and the cases that they open."""

    def __init__(self, running: Running) -> None:
        self.running, self._seen = running, 0

    async def call(self, verb: str, path: str, who: str = "tanaka", **body: Any) -> Any:
        role, agency = body.pop("role", "intake_worker"), body.pop("agency", "city")
        client = self.running.client(agency, role, subject=who)
        answer = await client.request(verb, path, json=body if verb != "GET" else None)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def get(self, path: str, who: str = "tanaka", **more: Any) -> Any:
        answer = await self.call("GET", path, who, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, who: str = "tanaka", **body: Any) -> Any:
        answer = await self.call("POST", path, who, **body)
        assert answer.status_code in (200, 201), answer.text
        return answer

    async def open(self, who: str = "tanaka") -> str:
        people = [{"id": HANA, "name": "𠮷田 葛󠄀花", "kana": "ヨシダ ハナ"}]
        made = await self.post("/v1/cases", who, route="agency", people=people)
        return str(made.headers["location"])

    async def mine(self, who: str, what: str = "cases") -> list[str]:
        found = await self.get(f"/v1/{what}?mine=true", who)
        lines = found["items"] if what == "cases" else found
        return [f"/v1/cases/{line['id' if what == 'cases' else 'case']}" for line in lines]


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Office]:
    async with service_on(servers, "intake") as running:
        yield Office(running)


async def test_ones_own_cases_are_those_that_one_opened_or_was_assigned(office: Office) -> None:
    first, second = await office.open(), await office.open()
    await office.post(f"{first}/records", **LINE)
    await office.post(f"{first}/assignments", staff="sato")
    assert await office.mine("sato") == [first]
    assert await office.mine("sato", "next-actions") == [first]
    assert await office.mine("abe") == []
    assert await office.mine("tanaka") == [first, second]
    await office.post(f"{first}/assignments/relief", staff="sato")
    assert await office.mine("sato") == []
    assert len((await office.get("/v1/cases", "sato"))["items"]) == len({first, second})


async def test_a_deputy_has_them_for_the_period_and_no_longer(office: Office) -> None:
    path, day = await office.open(), today(office.running.rt)
    await office.post(f"{path}/assignments", staff="sato")
    later = {"begins": str(day + timedelta(1)), "until": str(day + timedelta(9))}
    await office.post("/v1/deputyships", "sato", deputy="abe", **later)
    assert await office.mine("abe") == []
    now = {"begins": str(day), "until": str(day)}
    made = await office.post("/v1/deputyships", "sato", deputy="abe", **now)
    assert await office.mine("abe") == await office.mine("sato") == [path]
    assert len(await office.get("/v1/deputyships")) == 2
    await office.post(f"{made.headers['location']}/ending", "sato")
    assert await office.mine("abe") == []
    for wrong in ({"deputy": "sato", **now}, {"deputy": "abe", **later, "until": str(day)}):
        assert (await office.call("POST", "/v1/deputyships", "sato", **wrong)).status_code == 422
    other = await office.call("POST", "/v1/deputyships", staff="sato", deputy="abe", **now)
    assert other.status_code == 403


async def test_for_a_blocked_member_of_staff_the_case_is_nowhere(office: Office) -> None:
    path = await office.open()
    line = (await office.post(f"{path}/records", **LINE)).headers["location"]
    await office.post(f"{line}/circulation", to=["sato"])
    await office.post(f"{path}/assignments", staff="sato")
    sent = await office.post("/v1/notices", kind="memo", text="折り返しを希望")
    notice = sent.headers["location"]
    await office.post(f"{notice}/taking", case=path.rsplit("/", 1)[1])
    terms = {"person": HANA, "classes": ["contact"], "purposes": ["coordination"], "group": "juso"}
    consent = await office.post(f"{path}/consents", text_version="2026-04", **terms)

    await office.post(f"{path}/blocks", staff="sato", reason="neighbour", note="隣の家")
    there = ("", "/records", "/records/print", "/sections/worries", "/bases", "/assignments")
    there = (*there, "/notices", "/lead-agency", "/assessments", "/readings")
    withdrawal = f"{consent.headers['location']}/withdrawal"
    for role in ("intake_worker", "coordinator", "supervisor"):
        for place in (*(f"{path}{place}" for place in there), line, notice):
            assert (await office.call("GET", place, "sato", role=role)).status_code == 404, place
        for place in (f"{path}/records", f"{path}/blocks/lifting", f"{line}/reading", withdrawal):
            answer = await office.call("POST", place, "sato", role=role, staff="sato")
            assert answer.status_code == 404, place
        for worklist in ("/v1/next-actions", "/v1/circulations"):
            assert await office.get(worklist, "sato", role=role) == []
        for query in ("", "?mine=true", "?q=よしだ"):
            assert (await office.get(f"/v1/cases{query}", "sato", role=role))["items"] == []

    assert len((await office.get("/v1/cases?q=よしだ"))["items"]) == 1
    shown = await office.get(f"{path}/assignments", role="supervisor")
    assert (shown["assigned"], shown["blocked"]) == (["tanaka"], ["sato"])
    assert (await office.get(f"{path}/assignments"))["blocked"] is None
    again = await office.call("POST", f"{path}/assignments", staff="sato")
    assert (again.status_code, again.json()["reason"]) == (409, "staff-is-blocked")
    assert (await office.call("POST", f"{path}/blocks/lifting", staff="sato")).status_code == 403
    await office.post(f"{path}/blocks/lifting", role="supervisor", staff="sato")
    assert (await office.call("GET", path, "sato")).status_code == 200


async def test_nor_is_it_told_through_another_case_of_the_household(office: Office) -> None:
    path = await office.open()
    household = (await office.get(f"{path}/household"))["id"]
    member = {"joined": [{"person": HANA, "since": "2020"}]}
    await office.post(f"{path}/household", **member)
    other = (await office.post("/v1/cases", route="agency", household=household)).headers[
        "location"
    ]
    for who, members, cases in (("sato", 1, 2), ("sato", 0, 1)):
        seen = await office.get(f"{other}/household", who)
        assert (len(seen["members"]), len(seen["cases"])) == (members, cases)
        await office.post(f"{path}/blocks", staff="sato", reason="neighbour")


async def test_an_assessment_is_partial_and_a_coordinator_is_named_by_the_lead(
    office: Office,
) -> None:
    path = await office.open()
    words = {"facts": "一人暮らし", "wishes": "家で暮らしたい", "challenges": ["isolation"]}
    await office.post(f"{path}/assessments", person=HANA, **words)
    await office.post(f"{path}/assessments", person=HANA, needs="見守り")
    first, second = await office.get(f"{path}/assessments")
    assert {k: first["values"][k] for k in words} == words
    assert second["values"]["needs"] == "見守り"
    for wrong in ({"person": HANA}, {"person": path.rsplit("/", 1)[1], "needs": "見守り"}):
        answer = await office.call("POST", f"{path}/assessments", **wrong)
        assert answer.status_code == 422

    named = {"coordinator": "abe"}
    refused = await office.call("POST", f"{path}/coordinator", **named)
    assert refused.status_code == 403
    await office.post(f"{path}/coordinator", role="supervisor", **named)
    assert (await office.get(path))["coordinator"] == "abe"
    await office.post(f"{path}/coordinator/relief", role="supervisor")
    assert (await office.get(path))["coordinator"] is None
    again = await office.call("POST", f"{path}/coordinator/relief", role="supervisor")
    assert (again.status_code, again.json()["reason"]) == (409, "not-the-coordinator")


async def test_an_anonymous_consultation_becomes_a_named_case_later(office: Office) -> None:
    made = await office.post("/v1/cases", route="person_phone")
    path = made.headers["location"]
    plan = {"kind": "visit_plan", "method": "phone", "next_action": {"text": "訪ねてみる"}}
    for line in (plan, {"kind": "outreach", "method": "absent"}):
        await office.post(f"{path}/records", **line)
    await office.post(f"{path}/screenings", outcome="not_yet_consented")
    assert (await office.get("/v1/cases?q=よしだ"))["items"] == []
    person = {"id": HANA, "name": "𠮷田 葛󠄀花", "kana": "ヨシダ ハナ"}
    saved = await office.call("PUT", f"{path}/sections/person", person=person)
    assert saved.status_code == 200, saved.text
    (found,) = (await office.get("/v1/cases?q=よしだ"))["items"]
    assert found["id"] == path.rsplit("/", 1)[1]
    assert [line["kind"] for line in await office.get(f"{path}/records")] == [
        "visit_plan",
        "outreach",
    ]
