"""Notices-in over the API: sent without a case, seen by who was asked, taken whole or not at all."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from operate.stack import Stack
from shared.contracts.intake import CaseOpened, NoticeTaken
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import Running, service_on

NOBODY = "019c0000-0000-7000-8000-000000000009"
WORDS = {
    "to": "city",
    "kind": "watch_partner",
    "sender": "𠮷田新聞店",
    "about": "三階の葛󠄀城さん",
    "text": "新聞が三日たまっている",
}


class Desk:
    def __init__(self, running: Running) -> None:
        self.running, self._seen = running, 0

    async def call(self, verb: str, path: str, by: str = "city", **body: Any) -> Any:
        role = "notice_sender" if by == "shop" else "intake_worker"
        headers = body.pop("headers", {})
        client = self.running.client(by, role)
        json = body if verb != "GET" else None
        answer = await client.request(verb, path, json=json, headers=headers)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def send(self) -> str:
        made = await self.call("POST", "/v1/notices", by="shop", **WORDS)
        assert made.status_code == 201, made.text
        return str(made.headers["location"])

    async def waiting(self, by: str = "city") -> list[Any]:
        answer = await self.call("GET", "/v1/notices", by=by)
        assert answer.status_code == 200, answer.text
        return list(answer.json())


@pytest_asyncio.fixture
async def desk(servers: Stack, templates: None) -> AsyncIterator[Desk]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        await running.tell(AgencyRegistered(agency="city", name="福祉課", **about))
        yield Desk(running)


async def test_who_was_asked_sees_it_waiting_and_its_sender_only_that_it_came(desk: Desk) -> None:
    path = await desk.send()
    (notice,) = await desk.waiting()
    assert {name: notice[name] for name in ("kind", "sender", "about", "text")} == {
        name: WORDS[name] for name in ("kind", "sender", "about", "text")
    }
    assert (notice["status"], notice["waiting_hours"], notice["sent_by"]) == ("received", 0, "shop")
    receipt = (await desk.call("GET", path, by="shop")).json()
    assert set(receipt) == {"id", "status", "received_at"}
    assert await desk.waiting(by="shakyo") == []
    assert (await desk.call("GET", path, by="shakyo")).status_code == 404
    await desk.call("POST", f"{path}/closing", reason="checked", note="旅行中")
    assert (await desk.call("GET", path, by="shop")).json() == receipt
    assert await desk.waiting() == []


async def test_a_new_case_begins_with_the_taking_of_it(desk: Desk) -> None:
    path = await desk.send()
    key = {"idempotency-key": "taking"}
    answers = [await desk.call("POST", f"{path}/taking", headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    case = (await desk.call("GET", path)).json()["case"]
    file = (await desk.call("GET", f"/v1/cases/{case}")).json()
    assert file["facts"][0]["values"]["reporter"] == "𠮷田新聞店"
    (taken,) = (await desk.call("GET", f"/v1/cases/{case}/notices")).json()
    assert (taken["status"], taken["text"]) == ("taken", WORDS["text"])
    assert len(await desk.running.written(CaseOpened)) == 1
    assert len(await desk.running.written(NoticeTaken)) == 1


async def test_a_taking_that_is_refused_begins_no_case(desk: Desk) -> None:
    path = await desk.send()
    await desk.call("POST", f"{path}/closing", reason="mistake")
    refused = await desk.call("POST", f"{path}/taking")
    assert (refused.status_code, refused.json()["reason"]) == (409, "notice-is-closed")
    assert await desk.running.written(CaseOpened) == []


async def test_it_is_taken_into_a_case_of_ones_own(desk: Desk) -> None:
    path = await desk.send()
    made = await desk.call("POST", "/v1/cases", by="city", route="agency")
    other = await desk.call("POST", "/v1/cases", by="shakyo", route="agency")
    for wrong in (NOBODY, other.json()["id"]):
        refused = await desk.call("POST", f"{path}/taking", case=wrong)
        assert refused.status_code == 422
    assert (
        await desk.call("POST", f"{path}/taking", case=made.json()["id"], by="shakyo")
    ).status_code == 404
    taken = await desk.call("POST", f"{path}/taking", case=made.json()["id"])
    assert taken.status_code == 200, taken.text
    assert (await desk.call("GET", path)).json()["case"] == made.json()["id"]


async def test_staff_write_down_a_call_before_there_is_a_case(desk: Desk) -> None:
    made = await desk.call("POST", "/v1/notices", kind="memo", text="折り返しを希望")
    assert made.status_code == 201, made.text
    (memo,) = await desk.waiting()
    assert (memo["kind"], memo["text"]) == ("memo", "折り返しを希望")
    for kind in ("citizen", "family", "council_member", "complaint"):
        made = await desk.call("POST", "/v1/notices", kind=kind, text="対応について")
        assert made.status_code == 201, made.text
    assert [one["kind"] for one in await desk.waiting()][-1] == "complaint"


@pytest.mark.parametrize(
    "wrong", [{"to": "nobody"}, {"to": None}, {"kind": "rumour"}, {"text": " "}, {"phone": "電話"}]
)
async def test_what_cannot_be_is_refused(desk: Desk, wrong: dict[str, Any]) -> None:
    answer = await desk.call("POST", "/v1/notices", by="shop", **WORDS | wrong)
    assert answer.status_code == 422
    assert await desk.waiting() == []
