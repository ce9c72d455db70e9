"""The registry of watches over the API: who keeps it, whose call is due, and notices that name one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import service_on
from tests.integration.test_notice import NOBODY, WORDS, Desk

USER = {"name": "𠮷田 葛󠄀花", "phone": "0743-00-0001", "address": "辻󠄀町1-2"}
HELPERS = [{"name": "向かいの方", "phone": None, "address": None}, USER]
UNIT = {"kind": "alarm_unit", "name": "第12号", "users": [USER], "helpers": HELPERS}


@pytest_asyncio.fixture
async def desk(servers: Stack, templates: None) -> AsyncIterator[Desk]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        for code in ("city", "shakyo"):
            await running.tell(AgencyRegistered(agency=code, name=code, **about))
        yield Desk(running)


async def made(desk: Desk, **body: Any) -> str:
    answer = await desk.call("POST", "/v1/watches", **body)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


async def due(desk: Desk) -> list[str]:
    answer = await desk.call("GET", "/v1/calls-due")
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


async def test_a_unit_is_called_every_month_while_it_is_in_use(desk: Desk) -> None:
    path = await made(desk, **UNIT)
    id, calls = path.rpartition("/")[2], f"{path}/calls"
    await made(desk, kind="partner", name="𠮷田新聞店", contact="店長")
    assert await due(desk) == [id]
    now = desk.running.rt.clock.now()
    before = str(now - timedelta(days=40))
    await desk.call("POST", calls, result="well", occurred_at=before)
    await desk.call("POST", calls, reached=False, note="夕方に再度")
    assert await due(desk) == [id]
    assert (await desk.call("POST", calls, result="worry", note="食欲がない")).status_code == 200
    assert await due(desk) == []
    shown = (await desk.call("GET", path)).json()
    assert [(one["reached"], one["result"]) for one in shown["calls"]] == [
        (True, "worry"), (False, None), (True, "well"),
    ]  # fmt: skip
    assert (shown["users"], shown["helpers"]) == ([USER], HELPERS)
    await desk.running.rt.clock.move(desk.running.rt.pool, now + timedelta(days=32))  # type: ignore[attr-defined]
    assert await due(desk) == [id]
    await desk.call("POST", f"{path}/suspension", reason="hospital")
    assert await due(desk) == []
    assert (await desk.call("POST", calls, result="well")).json()["allowed"] == [
        "correction", "moving", "removal", "resumption",
    ]  # fmt: skip
    await desk.call("POST", f"{path}/resumption")
    assert await due(desk) == [id]
    await desk.call("POST", f"{path}/moving", place="東町5")
    await desk.call("POST", f"{path}/removal", reason="facility")
    assert await due(desk) == []
    shown = (await desk.call("GET", path)).json()
    assert (shown["status"], shown["place"], shown["status_reason"]) == (
        "removed", "東町5", "facility",
    )  # fmt: skip


async def test_the_registry_is_that_of_who_keeps_it(desk: Desk) -> None:
    path = await made(desk, **UNIT)
    assert (await desk.call("GET", path, by="shakyo")).status_code == 404
    assert (await desk.call("GET", "/v1/watches", by="shakyo")).json()["items"] == []
    page = (await desk.call("GET", "/v1/watches?kind=alarm_unit&status=in_use")).json()
    assert [one["name"] for one in page["items"]] == ["第12号"]
    for wrong in (
        UNIT | {"users": []},
        UNIT | {"kind": "partner"},
        UNIT | {"helpers": [USER] * 3},
    ):
        assert (await desk.call("POST", "/v1/watches", **wrong)).status_code == 422


async def test_a_notice_names_a_watch_of_who_is_asked_to_look(desk: Desk) -> None:
    watch = (await made(desk, **UNIT)).rpartition("/")[2]
    for wrong in ({"watch": NOBODY}, {"watch": watch, "to": "shakyo"}):
        answer = await desk.call("POST", "/v1/notices", by="shop", **WORDS | wrong)
        assert answer.status_code == 422
    sent = await desk.call("POST", "/v1/notices", by="shop", **WORDS | {"watch": watch})
    assert sent.status_code == 201, sent.text
    (notice,) = await desk.waiting()
    assert notice["watch"] == watch
    receipt = (await desk.call("GET", sent.headers["location"], by="shop")).json()
    assert set(receipt) == {"id", "status", "received_at"}
