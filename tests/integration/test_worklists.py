"""Worklists stay quick as they grow: as many trips for many lines as for one, each by an index."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from operate.stack import Stack
from shared import views
from tests.integration._service import Running, service_on
from tests.integration.test_assignment import Office

LISTS = (
    "/v1/cases", "/v1/cases?mine=true", "/v1/cases?q=吉田 よしだ", "/v1/outreach", "/v1/outreach?mine=true",
    "/v1/next-actions", "/v1/next-actions?mine=true", "/v1/circulations", "/v1/messages", "/v1/notices",
    "/v1/reviews", "/v1/enquiries", "/v1/transfers", "/v1/calls-due", "/v1/deputyships",
    "/v1/takeovers",
)  # fmt: skip
Asked = list[tuple[str, Any]]


@contextmanager
def statements() -> Iterator[Asked]:
    """What is asked of PostgreSQL meanwhile, by anybody in this process; the keyring has its cache."""
    asked: Asked = []
    inner = asyncpg.Connection._execute

    def logged(self: Any, query: str, args: Any, *more: Any, **named: Any) -> Any:
        if "wrapped" not in query:
            asked.append((query, args))
        return inner(self, query, args, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_execute", logged)
        yield asked


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Office]:
    async with service_on(servers, "intake") as running:
        yield Office(running)


async def a_line_in_each(office: Office) -> None:
    """A case before consent with a planned visit, a line to read; a notice."""
    path = await office.open()
    await office.post(f"{path}/screenings", outcome="not_yet_consented")
    now = office.running.rt.clock.now()
    plan = {"text": "再訪問", "on": str((now + timedelta(7)).date())}
    await office.post(f"{path}/records", method="absent", kind="outreach", next_action=plan)
    (line,) = await office.get(f"{path}/records")
    await office.post(f"{path}/records/{line['id']}/circulation", to=["tanaka"])
    await office.post("/v1/notices", kind="memo", text="新聞がたまっている")


async def test_many_lines_take_no_more_trips_than_one_and_each_statement_has_its_index(
    office: Office,
) -> None:
    trips: list[dict[str, int]] = []
    seen: Asked = []
    for more in (1, 3):
        for _ in range(more):
            await a_line_in_each(office)
        trips.append({})
        for path in LISTS:
            with statements() as asked:
                await office.get(path)
            trips[-1][path] = len(asked)
            seen += asked
    assert trips[0] == trips[1]
    lines = {path: await office.get(path) for path in LISTS[3:10]}
    assert {path for path, shown in lines.items() if len(shown) == 4} == {*lines} - {"/v1/messages"}
    assert await read_whole(office.running, seen) == []


async def read_whole(running: Running, seen: Asked) -> list[tuple[str, str]]:
    """Statements for which a table has to be gone through from end to end."""
    found: list[tuple[str, str]] = []
    async with running.rt.pool.acquire() as db, db.transaction():
        await views.enter(db)
        for query, args in dict(seen).items():
            if query.lstrip().lower().startswith(("select", "with")):
                plan = "\n".join(row[0] for row in await db.fetch(f"explain {query}", *args))
                found += [(query, line) for line in plan.splitlines() if "Seq Scan on" in line]
    return found


async def test_a_command_makes_two_trips_what_it_rests_on_and_what_it_writes(
    office: Office,
) -> None:
    """Who leads, who is blocked, programmes and desks come with the streams; all that is new goes at once."""
    path = await office.open()
    await office.post(
        f"{path}/records", method="visit"
    )  # the first to ask for the offices reads them
    with statements() as asked:
        await office.post(f"{path}/records", method="visit", text="訪問した")
    assert ["insert into journal" in query for query, _ in asked[:2]] == [False, True]
