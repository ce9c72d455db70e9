"""The household over the API: told by parts, read by who may, one's own cases of it found."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from tests.integration._service import Running, service_on

HOME = "019c0000-0000-7000-8000-000000000004"
HANA, KEN = "019c0000-0000-7000-8000-000000000002", "019c0000-0000-7000-8000-000000000003"
PARENT = {"person": HANA, "to": KEN, "relation": "parent"}
BOTH = {"joined": [{"person": HANA, "since": "1980-04"}, {"person": KEN}]}


class Window:
    def __init__(self, running: Running) -> None:
        self.running, self._seen = running, 0

    async def call(self, verb: str, path: str, by: str = "city", **body: Any) -> Any:
        client = self.running.client(by, "intake_worker")
        headers = body.pop("headers", {})
        json = body if verb != "GET" else None
        answer = await client.request(verb, path, json=json, headers=headers)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def open(self, by: str, *people: str) -> str:
        named = [{"id": person, "name": "𠮷田"} for person in people]
        made = await self.call(
            "POST", "/v1/cases", by, route="agency", household=HOME, people=named
        )
        assert made.status_code == 201, made.text
        return str(made.headers["location"])

    async def home(self, case: str, by: str = "city") -> Any:
        answer = await self.call("GET", f"{case}/household", by)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest_asyncio.fixture
async def window(servers: Stack, templates: None) -> AsyncIterator[Window]:
    async with service_on(servers, "intake") as running:
        yield Window(running)


async def test_who_lives_there_and_who_is_whose_is_read_from_both_sides(window: Window) -> None:
    case = await window.open("city", HANA, KEN)
    told = {**BOTH, "relations": [PARENT], "key_person": HANA}
    saved = await window.call("POST", f"{case}/household", **told)
    assert saved.status_code == 200, saved.text
    home = await window.home(case)
    assert (home["id"], home["key_person"], home["version"]) == (HOME, HANA, 4)
    hana, ken = home["members"]
    assert (hana["since"], hana["relatives"]) == ("1980-04", [{"person": KEN, "relation": "child"}])
    assert ken["relatives"] == [{"person": HANA, "relation": "parent"}]
    left = {"person": KEN, "on": "2026-03", "reason": "moved"}
    stale = await window.call("POST", f"{case}/household", left=[left], headers={"if-match": '"3"'})
    assert stale.status_code == 412
    await window.call("POST", f"{case}/household", left=[left], headers={"if-match": '"4"'})
    _, ken = (await window.home(case))["members"]
    assert (ken["lives_in"], ken["left_on"], ken["left_reason"]) == (False, "2026-03", "moved")


async def test_an_agency_finds_its_own_cases_of_the_household_and_what_it_was_told(
    window: Window,
) -> None:
    first, second = await window.open("city", HANA, KEN), await window.open("city", HANA)
    other = await window.open("shakyo", HANA)
    await window.call("POST", f"{first}/household", **BOTH)
    mine = await window.home(second)
    assert [f"/v1/cases/{line['id']}" for line in mine["cases"]] == [first, second]
    assert [member["person"] for member in mine["members"]] == [HANA, KEN]
    theirs = await window.home(other, by="shakyo")
    assert [f"/v1/cases/{line['id']}" for line in theirs["cases"]] == [other]
    assert theirs["members"] == []


WRONG: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 422, None),
    ({"joined": [{"person": HOME}]}, 422, None),
    ({"joined": [{"person": HANA, "since": "2026-02-31"}]}, 422, None),
    ({"joined": [{"person": HANA, "since": "2999"}]}, 422, None),
    ({"relations": [{**PARENT, "relation": "self"}]}, 422, None),
    ({"joined": [{"person": HANA}, {"person": HANA}]}, 409, "person-in-household"),
    ({**BOTH, "relations": [{**PARENT, "to": HANA}]}, 409, "related-to-oneself"),
    ({**BOTH, "relations": [{**PARENT, "to": HOME}]}, 409, "person-not-in-household"),
    ({"left": [{"person": HANA, "reason": "died"}]}, 409, "person-not-in-household"),
]


async def test_what_cannot_be_is_refused_and_nothing_is_kept(window: Window) -> None:
    case = await window.open("city", HANA, KEN)
    for wrong, status, reason in WRONG:
        answer = await window.call("POST", f"{case}/household", **wrong)
        assert (answer.status_code, answer.json().get("reason")) == (status, reason), answer.text
    assert (await window.home(case))["version"] == 0
