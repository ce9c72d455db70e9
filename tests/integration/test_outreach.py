"""Outreach before consent: which cases wait for a visit, and in which order."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from operate.stack import Stack
from tests.integration._service import service_on
from tests.integration.test_assignment import Office


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Office]:
    async with service_on(servers, "intake") as running:
        yield Office(running)


async def test_who_was_not_visited_for_longest_comes_first_until_consent_is_no_longer_sought(
    office: Office,
) -> None:
    recent, old, never, other = [await office.open() for _ in range(4)]
    for path in (recent, old, never):
        await office.post(f"{path}/screenings", outcome="not_yet_consented")
    await office.post(f"{other}/screenings", outcome="plan")
    now = office.running.rt.clock.now()
    for path, method, days in (
        (old, "visit", 60), (old, "absent", 30), (recent, "visit", 3), (never, "phone", 1),
    ):  # fmt: skip
        when = str(now - timedelta(days))
        await office.post(f"{path}/records", method=method, kind="outreach", occurred_at=when)
    plan = {"text": "再訪問", "on": str((now + timedelta(7)).date())}
    await office.post(f"{never}/records", method="visit", kind="visit_plan", next_action=plan)

    async def waiting(who: str = "tanaka", mine: str = "") -> list[str]:
        return [f"/v1/cases/{one['case']}" for one in await office.get(f"/v1/outreach{mine}", who)]

    assert await waiting() == await waiting("tanaka", "?mine=true") == [never, old, recent]
    first, second, _ = await office.get("/v1/outreach")
    assert (first["visits"], first["last_visit"], first["next_on"]) == (0, None, plan["on"])
    assert (second["visits"], second["absent"], second["next_on"]) == (2, True, None)
    assert await waiting("sato", "?mine=true") == []
    await office.post(f"{old}/blocks", staff="sato", reason="relative")
    assert await waiting("sato") == [never, recent]
    await office.post(f"{never}/screenings", outcome="plan")
    assert await waiting() == [old, recent]
    (line,) = await office.get(f"{recent}/records")
    path = f"{recent}/records/{line['id']}/correction"
    await office.post(path, method="phone", kind="outreach", reason="電話だった")
    assert await waiting() == [recent, old]
    await office.post(f"{old}/closing", reason="moved")
    assert await waiting() == [recent]
