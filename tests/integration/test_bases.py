"""Lawful basis over the API: what is refused, and what held when."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from shared.contracts.intake import ConsentRecorded
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import Running, service_on

HANA = "019c0000-0000-7000-8000-000000000001"
KEN = "019c0000-0000-7000-8000-000000000002"
TERMS: dict[str, Any] = {
    "person": HANA,
    "classes": ["contact", "money"],
    "purposes": ["coordination"],
    "holders": ["care"],
    "text_version": "2026-04",
}
GUARDIAN = {
    "kind": "adult_guardian",
    "name": "髙橋",
    "document": "登記事項証明書",
    "scope": ["contact", "money"],
    "begins": "2026-04-01",
}


class Desk:
    def __init__(self, running: Running) -> None:
        self.running, self.case, self._seen = running, "", 0

    async def call(
        self,
        verb: str,
        path: str,
        by: str = "city",
        role: str = "intake_worker",
        roles: tuple[str, ...] = (),
        **body: Any,
    ) -> Any:
        client = self.running.client(by, *(roles or (role,)))
        answer = await client.request(verb, path, json=body if verb != "GET" else None)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def open(self) -> None:
        people = [
            {"id": HANA, "name": "𠮷田 花", "birth": "2014", "address": "生駒市𩸽町1-2"},
            {"id": KEN, "name": "𠮷田 健", "relation": "child"},
        ]
        made = await self.call("POST", "/v1/cases", route="agency", people=people)
        self.case = made.headers["location"]

    async def consent(self, **terms: Any) -> Any:
        return await self.call("POST", f"{self.case}/consents", **TERMS | terms)

    async def bases(self, at: Any = None, person: str = HANA) -> Any:
        query = f"?at={at.isoformat().replace('+', '%2B')}" if at else ""
        answer = await self.call("GET", f"{self.case}/bases{query}")
        assert answer.status_code == 200, answer.text
        return next(one for one in answer.json() if one["person"] == person)


@pytest_asyncio.fixture
async def desk(servers: Stack, templates: None) -> AsyncIterator[Desk]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "purposes": ("coordination",)}
        for code, controller in (("city", "city"), ("care", "contractor"), ("clinic", "private")):
            await running.tell(
                AgencyRegistered(agency=code, name=code, controller=controller, **about)
            )
        found = Desk(running)
        await found.open()
        yield found


def reason(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("reason")


async def test_what_is_no_consent_is_not_taken_for_one(desk: Desk) -> None:
    now = desk.running.rt.clock.now()
    wrong: list[dict[str, Any]] = [
        {"until": (now - timedelta(days=1)).isoformat()},  # ends before it begins
        {"holders": ["nobody"]},
        {"holders": []},
        {"status": "cannot_consent"},  # by whom, when?
        {"proxy": GUARDIAN | {"scope": ["contact"]}},
        {"proxy": GUARDIAN | {"begins": "2199-01-01"}},
        {"proxy": GUARDIAN},  # a minor's own view is missing
    ]
    for terms in wrong:
        assert (await desk.consent(**terms)).status_code == 422, terms
    assert not await desk.running.written(ConsentRecorded)
    assessed = {"by": "𠮷岡医師", "on": "2026-05-01", "review_on": "2026-11-01"}
    assert (await desk.consent(status="cannot_consent", assessment=assessed)).status_code == 201
    assert (await desk.bases())["mark"] == "【本人同意なし】"


async def test_a_proxy_is_refused_under_an_abuse_flag_and_the_dead_consent_no_more(
    desk: Desk,
) -> None:
    guarded = {"proxy": GUARDIAN, "own_view": "ここで暮らしたい"}
    conflict = {"proxy": GUARDIAN | {"conflict_of_interest": True}, "own_view": "いやだ"}
    assert reason(await desk.consent(**conflict)) == (409, "proxy-is-barred")
    assert (await desk.consent(**guarded)).status_code == 201
    flags = f"{desk.case}/flags"
    assert (await desk.call("POST", flags, person=HANA, flags=["abuse"])).status_code == 200
    assert reason(await desk.consent(**guarded)) == (409, "proxy-is-barred")
    shown = await desk.bases()
    assert shown["flags"] == ["abuse"]
    assert shown["bases"][0]["stopped_at"]
    assert (await desk.call("POST", flags, person=HANA, flags=[])).status_code == 403
    lifted = await desk.call("POST", flags, person=HANA, flags=["died"], role="supervisor")
    assert lifted.status_code == 200
    assert reason(await desk.consent()) == (409, "person-has-died")


async def test_it_gets_smaller_is_withdrawn_once_and_what_held_when_is_told(desk: Desk) -> None:
    rt = desk.running.rt
    made = await desk.consent(holders=["care", "clinic"])
    path, given_at = made.headers["location"], rt.clock.now()
    await rt.clock.move(rt.pool, given_at + timedelta(days=1))  # type: ignore[attr-defined]
    less = {"excluded": ["clinic"], "dropped": ["money"]}
    assert (await desk.call("POST", f"{path}/narrowing", **less)).status_code == 200
    assert reason(await desk.call("POST", f"{path}/narrowing", **less))[0] == 409
    assert (await desk.call("POST", f"{path}/narrowing")).status_code == 422
    narrowed_at = rt.clock.now()
    await rt.clock.move(rt.pool, given_at + timedelta(days=2))  # type: ignore[attr-defined]
    assert (await desk.call("POST", f"{path}/withdrawal")).status_code == 200
    assert reason(await desk.call("POST", f"{path}/withdrawal")) == (409, "consent-is-ended")

    def held(shown: Any) -> Any:
        (basis,) = shown["bases"]
        return shown["mark"], basis["live"], basis["holders"], basis["classes"]

    assert held(await desk.bases(at=given_at)) == (
        "【本人同意あり】",
        True,
        ["care", "clinic"],
        ["contact", "money"],
    )
    assert held(await desk.bases(at=narrowed_at))[2:] == (["care"], ["contact"])
    assert held(await desk.bases())[:2] == ("【本人同意なし】", False)
    assert (await desk.bases(person=KEN))["mark"] == "【本人同意なし】"
    assert (await desk.call("GET", f"{desk.case}/bases", by="care")).status_code == 404
