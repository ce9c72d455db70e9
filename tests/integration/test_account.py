"""Views gives account: what was withdrawn and given back, when it was late, to whom by hand, and when."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from operate.stack import Stack
from shared.contracts.views import RetractionOverdue
from tests.integration._service import service_on
from tests.integration.test_views import PENSION, Town


@pytest.fixture
async def town(servers: Stack, templates: None) -> AsyncIterator[Town]:
    async with service_on(servers, "views") as views:
        made = Town(views)
        await made.open()
        yield made


async def get(town: Town, path: str, agency: str, *roles: str) -> Any:
    async with town.views.client(agency, *roles) as client:
        return await client.get(path)


async def post(town: Town, path: str, agency: str, body: Any, *roles: str) -> Any:
    async with town.views.client(agency, *(roles or ("system",))) as client:
        return await client.post(path, json=body)


async def retracted(town: Town, query: str = "", *roles: str) -> Any:
    path = f"/v1/retractions?{query or f'case={town.case}'}"
    return (await get(town, path, "city", *(roles or ("privacy_officer",)))).json()


async def test_what_is_withdrawn_is_told_delivered_overdue_and_confirmed(town: Town) -> None:
    """L15, L16: also where the same moment adds something else, and so the outward cause is coarse."""
    health, money = town.consent(town.care), town.consent(town.care, classes=("money",))
    await town.views.tell(health)
    await town.judged()
    assert await retracted(town) == []
    await town.views.tell(town.fact(money=PENSION), town.withdrawn(health), money)
    await town.judged()
    *_, last = await town.documents(town.care)
    assert (last.cause, [ref.field for ref in last.withdrawn]) == ("content_changed", ["health"])

    handle = str(await town.delivery("handle", town.care))
    (one,) = await retracted(town)
    assert (one["agency"], one["document"], one["state"]) == (town.care, 2, "told")
    assert [(item["type"], item["field"]) for item in one["items"]] == [
        ("case.situation_recorded", "health")
    ]
    assert one["items"][0]["bases"] == [{"kind": "consent", "id": str(health.consent)}]
    receipt = {"handle": handle, "document": 2, "grade": "placed"}
    assert (await post(town, "/v1/receipts", town.care, receipt)).status_code == 200
    assert [one["state"] for one in await retracted(town)] == ["delivered"]

    assert await retracted(town, "state=overdue") == []
    await town.move(10)
    while await town.rt.timers.fire_one():
        pass
    assert len(await town.views.written(RetractionOverdue)) == 1
    (one,) = await retracted(town, "state=overdue")
    assert (one["agency"], one["state"], one["pending"]) == (town.care, "overdue", True)
    assert (await get(town, "/v1/retractions", town.care, "privacy_officer")).json() == []
    assert (await get(town, "/v1/retractions", "city", "agency_worker")).status_code == 403

    path = f"/v1/views/{handle}/retraction-confirmation"
    kept = {"document": 2, "kept": "medical_record"}
    assert (await post(town, path, town.clinic, kept)).status_code == 404
    assert (await post(town, path, town.care, kept)).status_code == 200
    (one,) = await retracted(town)
    assert (one["state"], one["kept"]) == ("confirmed", "medical_record")
    assert await retracted(town, "state=overdue") == []
    assert await town.fields(town.care) == {"money"}


async def test_a_newer_value_corrects_and_withdraws_nothing(town: Town) -> None:
    """L17."""
    await town.views.tell(town.consent(town.care))
    await town.judged()
    await town.views.tell(town.fact(health="腰の痛み"))
    await town.judged()
    assert [len(d.withdrawn) for d in await town.documents(town.care)] == [0, 0]
    assert await retracted(town) == []
