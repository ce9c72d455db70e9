"""What operators and staff see of sharing: states, counts and words, and nothing of a case."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest_asyncio
from rich.console import Console

from operate import sharing
from operate.compare import COMPARED
from operate.console import page
from operate.console.answers import Broker, SharingPage
from operate.console.collect import Snapshot
from operate.stack import Stack
from shared.calendar import TOKYO
from tests.integration._kit import until
from tests.integration.test_covers import Server, Sheets, sheets, smtp
from tests.integration.test_views import KNEE, Town, deliver
from tests.integration.test_webhooks import Endpoint, listening, sending

__all__ = ["sheets", "smtp"]


class Watch:
    """An operator at the endpoint, at the console and in a terminal."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.texts: list[str] = []

    async def get(self, path: str, role: str = "operator", agency: str = "city") -> Any:
        await self.town.views.apply(await self.town.views.own())
        async with self.town.views.client(agency, role) as client:
            answer = await client.get(path)
        self.texts.append(answer.text)
        return answer

    async def seen(self) -> dict[str, Any]:
        """By agency; the same answers go to the console and to the terminal."""
        shared = (await self.get("/v1/sharing")).json()
        self.found = {"items": shared["items"], "broker": (await self.get("/v1/broker")).json()}
        return {one["agency"]: one for one in shared["items"]}

    def console(self) -> str:
        items = SharingPage.model_validate(self.found).items
        broker = Broker.model_validate(self.found["broker"])
        return page.parts(Snapshot((), None, (), tuple(items), broker))["agencies"]

    def terminal(self, agency: str) -> str:
        out = StringIO()
        Console(file=out, width=240).print(sharing.table(self.found))
        (line,) = (line for line in out.getvalue().splitlines() if line.startswith(agency))
        return " ".join(line.split())

    async def confirm(self, grade: str, document: int) -> None:
        handle = str(await self.town.delivery("handle", self.town.clinic))
        async with self.town.views.client(self.town.clinic, "system") as client:
            body = {"handle": handle, "document": document, "grade": grade}
            assert (await client.post("/v1/receipts", json=body)).status_code == 200

    async def at(self, hour: int, minute: int) -> None:
        """Tokyo's clock on the second day."""
        day = self.began.astimezone(TOKYO) + timedelta(days=1)
        await self.town.rt.clock.move(  # type: ignore[attr-defined]
            self.town.rt.pool, day.replace(hour=hour, minute=minute, second=0, microsecond=0)
        )

    began: datetime


@pytest_asyncio.fixture
async def watch(sheets: Sheets, servers: Stack) -> AsyncIterator[Watch]:
    made = Watch(sheets.town)
    made.began = sheets.town.rt.clock.now()
    servers.agencies([sheets.town.clinic])
    yield made


async def test_operators_see_how_sharing_stands_with_each_agency_and_nothing_of_a_case(
    watch: Watch, sheets: Sheets, smtp: Server
) -> None:
    town, care, clinic = watch.town, watch.town.care, watch.town.clinic
    endpoint = Endpoint(town, clinic)
    endpoint.answers = lambda _: 503
    smtp.refuses["kaigo@example.jp"] = "550 no such office"
    async with listening(endpoint):
        await endpoint.subscribe()
        await sheets.office("mail", "kaigo@example.jp")
        async with sheets.sending():
            assert (await sheets.issue("mail")).status_code == 201
            await sheets.settled()
        consent = town.consent(clinic)
        await town.views.tell(consent)
        await town.judged()
        await deliver(town)

        async def troubled() -> bool:
            return bool((await endpoint.shown())["trouble"])

        async with sending(town):
            await until(troubled)

    seen = await watch.seen()
    assert seen.keys() == {care, clinic, "city"}
    assert (seen[care]["state"], seen[care]["ways"]) == ("none", ["mail"])
    assert (seen[care]["covers"], seen[care]["receipts"]) == ({"waiting": 0, "astray": 1}, None)
    assert (seen[clinic]["state"], seen[clinic]["ways"]) == ("active", ["topic", "feed", "webhook"])
    hook = seen[clinic]["freshness"]["webhook"]
    assert (hook["breaker"] != "closed", hook["trouble"], hook["behind"]) == (True, "503", 1)

    # 4 minutes behind, last confirmed 10:32: to staff and operators alike.
    await watch.at(10, 32)
    await watch.confirm("placed", 1)
    seen = await watch.seen()
    assert seen[clinic]["receipts"] == {"delivered": 0, "placed": 0, "opened": 1}
    await watch.at(10, 50)
    await town.views.tell(town.fact(health="腰の痛み"))
    await town.judged()
    await watch.at(10, 54)
    said = {"ja": "4分遅れ・最終確認 10:32", "en": "4 minutes behind, last confirmed 10:32"}
    whole, led = f"/v1/agencies/{clinic}/freshness", f"/v1/cases/{town.case}/freshness"
    for role, agency in (("operator", "city"), ("agency_worker", clinic)):
        assert (await watch.get(whole, role, agency)).json()["words"] == said
    assert (await watch.get("/v1/freshness")).json()["items"][0]["words"] == said
    of_case = (await watch.get(led, "coordinator")).json()
    assert {one["agency"]: one["words"]["ja"] for one in of_case} == {
        clinic: said["ja"],
        care: "システム連携なし",
        "city": "システム連携なし",
    }
    # Nobody else learns from it how much another agency is told.
    assert (await watch.get(led, "operator")).status_code == 403
    assert (await watch.get("/v1/freshness", "supervisor")).status_code == 403
    for path in (whole, led):
        assert (await watch.get(path, "supervisor", care)).status_code == 404
    assert (await watch.get(whole, "supervisor")).status_code == 404
    seen = await watch.seen()
    assert (seen[clinic]["freshness"]["words"], seen[clinic]["freshness"]["undelivered"]) == (
        said,
        1,
    )
    assert seen[clinic]["receipts"] == {"delivered": 1, "placed": 1, "opened": 1}

    # What is to be given back.
    await town.views.tell(town.withdrawn(consent))
    await town.judged()
    assert (await watch.seen())[clinic]["retractions"]["unconfirmed"] == 1
    await town.move(10)
    while await town.rt.timers.fire_one():
        pass
    late = (await watch.seen())[clinic]["retractions"]
    assert (late["unconfirmed"], late["overdue"]) == (1, 1)

    # What an operator did, what a document met, and what the reconciler found.
    async with town.views.client("city", "operator") as operator:
        subscription = f"/v1/subscriptions/{clinic}"
        assert (await operator.post(f"{subscription}/pause", json={})).status_code == 200
    await town.rt.pool.execute(
        "update delivery set refused = 'too-large' where agency = $1", clinic
    )
    missing = [
        {"agency": clinic, "kind": "topic", "name": f"view.{clinic}", "what": "missing"},
        {"agency": None, "kind": "user", "name": "metrics", "what": "missing"},
    ]
    assert (await watch.get("/v1/broker")).json() == {"at": None, "differences": []}
    await town.rt.pool.execute(COMPARED, missing)
    one = (await watch.seen())[clinic]
    assert (one["state"], one["paused_by"]) == ("paused", ["operator"])
    assert (one["parked"], one["differences"]) == (1, 1)

    text, line = watch.console(), watch.terminal(clinic)
    for shown in (
        "2機関で確認が必要です", "一時停止", "期限超過 1", f"topic view.{clinic}: missing", "相違 2件",
        "日遅れ・最終確認", "メール",
    ):  # fmt: skip
        assert shown in text, shown
    assert "要確認" not in text
    for shown in (
        "paused topic, feed, webhook (", "days behind, last confirmed", "1/1/1",
        "1 unconfirmed, 1 overdue", "1 parked", "1 differ",
    ):  # fmt: skip
        assert shown in line, line
    assert "none mail no system of its own - - 1 astray - -" in watch.terminal(care)
    assert sharing.needy(watch.found)

    # It is confirmed, and the agency goes.
    handle = str(await town.delivery("handle", clinic))
    async with town.views.client(clinic, "system") as client:
        back = f"/v1/views/{handle}/retraction-confirmation"
        assert (await client.post(back, json={"document": 3})).status_code == 200
        quarantine = {"reason": "other"}
    async with town.views.client("city", "operator") as operator:
        done = await operator.post(f"{subscription}/quarantine", json=quarantine)
        assert done.status_code == 200, done.text
    one = (await watch.seen())[clinic]
    assert (one["state"], one["ways"]) == ("quarantined", ["webhook"])
    assert one["retractions"] == {"unconfirmed": 0, "overdue": 0, "since": None}

    for role in ("supervisor", "coordinator", "system"):
        for path in ("/v1/sharing", "/v1/broker"):
            assert (await watch.get(path, role)).status_code == 403
    everything = json.dumps(watch.texts, ensure_ascii=False) + text + line
    for secret in (str(town.case), str(town.hana), handle, KNEE, "腰の痛み"):
        assert secret not in everything
