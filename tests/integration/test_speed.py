"""The guard of speed: processor time of this process, beside that of the bare thing in the same run.

Each bound is twice what was measured, so that only a large step back fails, and no busy machine does: a
thing that is done again for each event and was done once for many.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest_asyncio
from fastapi import FastAPI, Request
from pydantic_core import from_json

from operate.bench import append
from operate.bench.endpoint import BODY
from operate.bench.events import worry
from operate.bench.follower import SCRATCH, upsert
from operate.stack import Stack
from services.intake.api.records import NewRecord
from shared.db import pool
from shared.follow import Record
from tests.integration._service import IDS, Running, service_on

EVENTS, CALLS, WRITERS, TURNS = 500, 100, 16, 3
INSERT = "insert into bare (data) values ($1) returning id"

Work = Callable[[], Awaitable[Any]]


async def ratio(ours: Work, bare: Work, times: int = 1) -> float:
    """Of the least processor time that each took, in turns; the bare thing, which is too short to be
    measured, is done so many `times` a turn.
    """
    least = [float("inf")] * 2
    for _ in range(TURNS):
        for n, (work, count) in enumerate(((ours, 1), (bare, times))):
            began = time.process_time()
            for _ in range(count):
                await work()
            least[n] = min(least[n], (time.process_time() - began) / count)
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


async def test_reading_an_event_costs_a_multiple_of_parsing_it(views: Running) -> None:
    batch = await records(views, [uuid4() for _ in range(EVENTS)])

    async def bare() -> None:
        for record in batch:
            from_json(record.value or b"")
            {name: (value or b"").decode() for name, value in record.headers}

    await views.rt.applier.read(batch)
    assert await ratio(lambda: views.rt.applier.read(batch), bare, 5) < 16  # was 7.3 to 8.5


async def test_applying_an_event_costs_a_multiple_of_an_upsert(views: Running) -> None:
    cases = [uuid4() for _ in range(EVENTS)]
    batches = [await records(views, cases) for _ in range(1 + TURNS)]
    places: list[Any] = list(batches[0])
    await views.apply(batches.pop(0))

    async def ours() -> None:
        await views.rt.applier.apply(batches.pop(0), IDS)

    async def bare() -> None:
        await upsert(views.rt.pool, places)

    await bare()
    assert await ratio(ours, bare, 5) < 32  # was 14 to 17.5


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
        assert await ratio(calls(client), calls(bare)) < 4  # was 1.8 to 2.1


async def test_appending_an_event_costs_little_more_than_inserting_its_row(intake: Running) -> None:
    async with pool(intake.rt.database.database_url, size=WRITERS) as connections:

        def writing(as_: Callable[..., append.Writing]) -> Work:
            async def work() -> None:
                writers = [await as_(intake.rt, connections)() for _ in range(WRITERS)]
                await asyncio.gather(*(some(write) for write in writers))

            return work

        async def some(write: Callable[[int], Awaitable[None]]) -> None:
            for version in range(EVENTS // WRITERS):
                await write(version)

        ours, bare = writing(append.appending), writing(append.inserting)
        assert await ratio(ours, bare) < 3  # was 1.5
