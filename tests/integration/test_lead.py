"""The lead agency is handed over: by who has it, to who was asked and has a basis, and accepts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest_asyncio

from operate.stack import Stack
from shared.contracts.referral import (
    AgencyRegistered,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
)
from tests.integration._service import Running, service_on

HANA = "019c0000-0000-7000-8000-000000000002"


@pytest_asyncio.fixture
async def intake(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "intake") as running:
        for code in ("city", "shakyo", "clinic"):
            await running.tell(
                AgencyRegistered(
                    agency=code,
                    name=code,
                    kind="window",
                    controller="city",
                    purposes=("coordination",),
                )
            )
        yield running


class Handover:
    def __init__(self, running: Running) -> None:
        self.running, self.path, self._seen = running, "", 0

    async def call(self, agency: str, method: str, path: str = "", **body: Any) -> Any:
        client = self.running.client(agency, "intake_worker")
        json = body if method != "GET" else None
        answer = await client.request(method, f"{self.path}{path}", json=json)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def open(self) -> None:
        people = [{"id": HANA, "name": "𠮷田 葛󠄀花"}]
        made = await self.call("city", "POST", "/v1/cases", route="agency", people=people)
        self.path = made.headers["location"]

    async def consent(self, *classes: str) -> None:
        terms = {"person": HANA, "classes": classes, "purposes": ["coordination"]}
        more = {"holders": ["shakyo"], "text_version": "2026-04"}
        made = await self.call("city", "POST", "/consents", **terms, **more)
        assert made.status_code == 201, made.text

    async def offer(self, to: str = "shakyo", by: str = "city") -> Any:
        return await self.call(by, "POST", "/lead-agency", to=to, note="支援の中心が移った")

    async def accept(self, by: str = "shakyo") -> Any:
        return await self.call(by, "POST", "/lead-agency/acceptance")

    async def facts(self, agency: str) -> set[str]:
        answer = await self.call(agency, "GET")
        assert answer.status_code == 200, answer.text
        return {fact["type"].split(".", 2)[2].rsplit(".", 1)[0] for fact in answer.json()["facts"]}


@pytest_asyncio.fixture
async def case(intake: Running) -> Handover:
    found = Handover(intake)
    await found.open()
    return found


async def test_it_passes_when_the_other_accepts(case: Handover) -> None:
    await case.consent("contact", "life_history")
    assert (await case.offer()).status_code == 200
    lead = (await case.call("city", "GET", "/lead-agency")).json()
    assert lead == {"lead": "city", "offered": "shakyo"}
    assert (await case.accept()).status_code == 200
    lead = (await case.call("shakyo", "GET", "/lead-agency")).json()
    assert lead == {"lead": "shakyo", "offered": None}
    lines = (await case.running.client("shakyo", "intake_worker").get("/v1/cases")).json()["items"]
    assert [line["lead"] for line in lines] == ["shakyo"]


async def test_without_a_basis_for_the_minimum_it_is_refused(case: Handover) -> None:
    assert (await case.offer()).json()["reason"] == "no-live-basis"
    await case.consent("contact")
    refused = await case.offer()
    assert (refused.status_code, refused.json()["reason"]) == (409, "no-live-basis")


async def test_urgent_protection_gives_the_minimum_too(case: Handover) -> None:
    """L9: by a live basis, of whatever kind."""
    client = case.running.client("city", "intake_worker")
    asserted = {
        "persons": [HANA], "holders": ["shakyo"], "classes": ["contact", "life_history"],
        "danger": "life", "reason": "自宅で倒れていた", "informed": "sato",
    }  # fmt: skip
    made = await client.post(f"{case.path}/urgent-bases", json=asserted)
    assert made.status_code == 201, made.text
    await case.running.apply((await case.running.own())[case._seen :])
    assert (await case.offer()).status_code == 200
    assert (await case.accept()).status_code == 200


async def test_a_basis_that_ends_before_the_acceptance_holds_it_up(case: Handover) -> None:
    await case.consent("contact", "life_history")
    assert (await case.offer()).status_code == 200
    (hana,) = (await case.call("city", "GET", "/bases")).json()
    (consent,) = hana["bases"]
    client = case.running.client("city", "intake_worker")
    ended = await client.post(f"/v1/consents/{consent['id']}/withdrawal", json={})
    assert ended.status_code == 200
    refused = await case.accept()
    assert (refused.status_code, refused.json()["reason"]) == (409, "no-live-basis")
    assert (await case.call("city", "GET", "/lead-agency")).json()["lead"] == "city"


async def test_only_the_lead_offers_and_only_who_was_asked_answers(case: Handover) -> None:
    await case.consent("contact", "life_history")
    assert (await case.offer()).status_code == 200
    assert (await case.offer(by="shakyo", to="clinic")).status_code == 403
    assert (await case.accept(by="clinic")).status_code == 404
    assert (await case.accept(by="city")).json()["reason"] == "no-offer-to-this-agency"
    assert (await case.call("shakyo", "POST", "/lead-agency/decline")).status_code == 200
    assert (await case.accept()).status_code == 409
    assert (await case.offer(to="nobody")).status_code == 422


async def test_the_new_lead_sees_what_comes_after_and_not_what_came_before(case: Handover) -> None:
    """What came before, its document shows: exactly what the basis covers (L20)."""
    await case.consent("contact", "life_history")
    await case.offer()
    assert await case.facts("shakyo") == set()
    await case.accept()
    worries = {"concerns": ["care"]}
    saved = await case.call("city", "PUT", "/sections/worries", worries=worries)
    assert saved.status_code == 200
    assert await case.facts("shakyo") == {"case.lead_accepted", "case.worries_recorded"}
    assert "case.person_described" in await case.facts("city")


async def test_who_led_it_under_a_programme_that_passed_is_a_stranger_and_the_next_takes_it_over(
    intake: Running,
) -> None:
    """L2, L9"""
    rt, case = intake.rt, Handover(intake)
    now = rt.clock.now()
    over = now + timedelta(days=1)
    terms = (("city", now - timedelta(days=9), over), ("shakyo", over, over + timedelta(days=9)))
    about = {"desk": "visits-desk", "programme": "visits"}
    for event in (
        ProgrammeRegistered(programme="visits", name="訪問"),
        *(
            ProgrammeContracted(
                programme="visits", contract=uuid4(), agency=agency, begins=begins, ends=ends
            )
            for agency, begins, ends in terms
        ),
        DeskRegistered(name="窓口", **about),
        DeskMemberNamed(desk="visits-desk", agency="city", member="tanaka"),
    ):
        await intake.tell(event, at=now - timedelta(days=8))
    worries = {"concerns": ["care"], "text": "訪問で聞いたこと"}
    people = [{"id": HANA, "name": "𠮷田 葛󠄀花"}]
    made = await case.call(
        "city", "POST", "/v1/cases", route="agency", people=people, worries=worries
    )
    case.path = made.headers["location"]
    planned = {"text": "電話で確かめる", "on": "2026-04-09"}
    visit = {"method": "visit", "text": "様子を見た", "next_action": planned}
    line = await intake.client("city", "intake_worker").post(f"{case.path}/records", json=visit)
    assert line.status_code == 201, line.text
    await case.call("city", "GET")

    async def named(agency: str) -> list[int]:
        """How often lists and a search name the case."""
        client = intake.client(agency, "intake_worker")
        found = [
            (await client.get("/v1/cases")).json()["items"],
            (await client.get("/v1/cases", params={"q": "𠮷田"})).json()["items"],
            (await client.get("/v1/next-actions")).json(),
        ]
        return [len(one) for one in found]

    async def waiting(agency: str) -> list[tuple[str, str, int]]:
        """What it has to take over: from whom, under which programme, for how many days."""
        client = intake.client(agency, "intake_worker")
        found = (await client.get("/v1/takeovers")).json()
        assert all(case.path.endswith(one["case"]) for one in found)
        return [(one["former"], one["programme"], one["days"]) for one in found]

    assert await named("city") == [1, 1, 1]
    assert await waiting("shakyo") == []
    assert (await case.call("shakyo", "GET")).status_code == 404
    await rt.clock.move(rt.pool, over)  # type: ignore[attr-defined]
    assert (await case.call("city", "GET")).status_code == 404
    assert (await case.offer(to="clinic")).status_code == 404
    assert await named("city") == [0, 0, 0]
    lead = (await case.call("shakyo", "GET", "/lead-agency")).json()
    assert lead == {"lead": "", "offered": "shakyo"}
    assert (await case.call("clinic", "GET")).status_code == 404
    assert await waiting("shakyo") == [("city", "visits", 0)]
    await rt.clock.move(rt.pool, over + timedelta(days=3, hours=1))  # type: ignore[attr-defined]
    assert await waiting("shakyo") == [("city", "visits", 3)]
    assert await waiting("city") == await waiting("clinic") == []
    assert "worries_recorded" in "".join(await case.facts("shakyo"))
    assert (await case.accept()).status_code == 200
    lead = (await case.call("shakyo", "GET", "/lead-agency")).json()
    assert lead == {"lead": "shakyo", "offered": None}
    assert (await named("shakyo"))[0] == 1
    assert await waiting("shakyo") == []
    assert await named("city") == [0, 0, 0]
