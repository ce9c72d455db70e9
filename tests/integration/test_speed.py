"""The guard of speed: processor time beside that of the bare thing in the same run, best of three.

Each bound is twice what was measured, so that only a large step back fails, and no busy machine does.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest_asyncio
from fastapi import FastAPI, Request
from pydantic_core import from_json

from operate.bench.endpoint import BODY
from operate.bench.events import worry
from operate.bench.follower import SCRATCH, upsert
from operate.stack import Stack
from services.intake.api.records import NewRecord
from shared.follow import Record
from tests.integration._service import IDS, Running, service_on

EVENTS, CALLS = 500, 100
INSERT = "insert into bare (data) values ($1) returning id"

Work = Callable[[], Awaitable[Any]]


async def ratio(ours: Work, bare: Work) -> float:
    """Of the least processor time of this process that each took, in turns."""
    least = [float("inf")] * 2
    for _ in range(3):
        for n, work in enumerate((ours, bare)):
            began = time.process_time()
            await work()
            least[n] = min(least[n], time.process_time() - began)
    return least[0] / least[1]


async def records(running: Running, cases: Sequence[Any]) -> list[Record]:
    """One worry on each case."""
    return [await running.record(worry(case), agency="city-fukushi") for case in cases]


@pytest_asyncio.fixture
async def views(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "views") as running:
        await running.rt.pool.execute(SCRATCH)
        yield running


@pytest_asyncio.fixture
async def intake(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "intake") as running:
        await running.rt.pool.execute(
            "create table bare (id bigint generated always as identity, data jsonb)"
        )
        yield running


async def test_reading_an_event_costs_a_small_multiple_of_parsing_it(views: Running) -> None:
    batch = await records(views, [uuid4() for _ in range(EVENTS)])

    async def bare() -> None:
        for _ in range(5):
            for record in batch:
                from_json(record.value or b"")
                {name: (value or b"").decode() for name, value in record.headers}

    await views.rt.applier.read(batch)
    assert await ratio(lambda: views.rt.applier.read(batch), bare) < 3.4  # was 1.7


async def test_applying_an_event_costs_a_small_multiple_of_an_upsert(views: Running) -> None:
    cases = [uuid4() for _ in range(EVENTS)]
    batches = [await records(views, cases) for _ in range(4)]
    places: list[Any] = list(batches[0])
    await views.apply(batches.pop(0))

    async def ours() -> None:
        await views.rt.applier.apply(batches.pop(0), IDS)

    async def bare() -> None:
        for _ in range(5):
            await upsert(views.rt.pool, places)

    await bare()
    assert await ratio(ours, bare) < 7  # was 3.5


async def test_a_command_costs_little_more_than_a_bare_endpoint_with_an_insert(
    intake: Running,
) -> None:
    app = FastAPI()

    @app.post("/v1/cases/{case}/records", status_code=201)
    async def record(case: str, body: NewRecord, request: Request) -> dict[str, int]:
        return {"id": await intake.rt.pool.fetchval(INSERT, body.model_dump(mode="json"))}

    async with intake.client("city-fukushi", "intake_worker") as client:
        bare = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bare")
        made = await client.post("/v1/cases", json={"route": "family_visit"})
        path = f"/v1/cases/{made.json()['id']}/records"

        def calls(by: httpx.AsyncClient) -> Work:
            async def work() -> None:
                for _ in range(CALLS):
                    answer = await by.post(path, json=BODY)
                    assert answer.status_code == 201, answer.text

            return work

        await calls(bare)()
        assert await ratio(calls(client), calls(bare)) < 4.2  # was 2.1
