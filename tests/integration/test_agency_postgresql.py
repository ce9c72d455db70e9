"""A copy in PostgreSQL is the same copy: in any order, whole or not at all, killed, its server away."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agency import Copy, Feed
from agency.__main__ import app
from agency.copy import Position, Refusal
from agency.sealed import Change, Record
from agency.store import Unavailable
from operate.stack import Stack
from shared.contracts.views import ReadingRecorded
from tests.integration._place import fresh
from tests.integration._service import served
from tests.integration.test_agency_trial import certified
from tests.integration.test_feed import Household
from tests.integration.test_views import Town, town
from tests.unit.test_agency_kit import changes

__all__ = ["town"]

BROKEN = Change("a", 1, 1, object())  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module")
async def url(servers: Stack, templates: None) -> AsyncIterator[str]:
    async with fresh(servers) as place:
        yield place.database


@pytest.fixture
def copy(url: str) -> Iterator[Copy]:
    emptied(url)
    made = Copy(url)
    yield made
    made.close()


def emptied(url: str) -> None:
    with psycopg.connect(url) as db:
        db.execute("drop schema if exists tsunagu cascade")


def state(copy: Copy) -> Any:
    refused = [(one.record, one.handle, one.reason) for one in copy.refused("t")]
    return copy.content(), copy.owed(), copy.position("t"), refused


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(changes, max_size=12), st.data())
def test_whatever_arrives_both_hold_the_same(copy: Copy, sent: list[Change], data: Any) -> None:
    other = Copy(":memory:")
    copy._store.write("delete from documents")
    copy._store.write("delete from receipts")
    copy.restart("t")
    arrived = data.draw(st.permutations([*sent, *sent[:3]]))
    bad = Record(7, b"a\0", b"\xff\0", (("ce_id", b"\xfe"),))
    for n, change in enumerate(arrived):
        for one in (copy, other):
            one.apply(
                [(n, change)],
                [Refusal(bad, "b", "no shape")] if n == 0 else [],
                topic="t", position=Position(n + 1, "id", None if n else "at"), owe=True,
            )  # fmt: skip
    assert state(copy) == state(other)
    other.close()


def test_content_and_place_are_one_transaction(copy: Copy) -> None:
    with pytest.raises(Exception, match="adapt"):
        copy.apply(
            [(0, Change("b", 1, 1, "{}")), (1, BROKEN)], topic="t", position=Position(2, "x")
        )
    assert state(copy) == ({}, [], None, [])


def test_a_server_that_was_away_is_found_again(copy: Copy, url: str) -> None:
    copy.apply([(0, Change("a", 1, 1, "{}"))])
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'tsunagu-agency' and datname = current_database()"
        )
    with pytest.raises(Unavailable):
        copy.documents()
    copy.apply([(1, Change("a", 2, 1, None))])
    assert copy.content() == {"a": (2, 1, None)}


def test_it_is_certified_though_it_is_killed_and_the_demo_runs_on_it(url: str) -> None:
    emptied(url)
    done = certified(f"{sys.executable} -m agency stand --copy {url} --port PORT")
    assert done.exit_code == 0, done.output
    emptied(url)
    shown = CliRunner().invoke(app, ["demo", "--copy", url], env={"COLUMNS": "200"})
    assert (shown.exit_code, "PostgreSQL: 0 wrong" in shown.output) == (0, True), shown.output


async def test_the_command_follows_the_feed_into_either(
    town: Town, url: str, tmp_path: Any
) -> None:
    """`follow --feed`, stopped and started again: it goes on at its cursor. A poll that was left while
    it waited is no reading.
    """
    emptied(url)
    lived = [Household(town) for _ in range(3)]
    for one in lived:
        await one.open()
    await town.judged()
    token = town.views.stack.token(town.care, ["system"], "tanaka")
    file = str(tmp_path / "copy.db")
    async with served(town.views) as views:
        await follow(views, token, url)
        assert len(await town.views.written(ReadingRecorded)) == 3
        await lived[0].say("腰の痛み 𠮷")
        await lived[1].withdraw()
        await town.judged()
        await follow(views, token, url)
        assert len(await town.views.written(ReadingRecorded)) == 5  # what changed, and what ended
        await follow(views, token, file)
    held, other = Copy(url), Copy(file)
    assert held.content() == other.content()
    assert "腰の痛み 𠮷" in str(held.content())
    for one in (held, other):
        one.close()


async def test_an_entry_of_another_shape_holds_up_nobody(copy: Copy) -> None:
    entry = {"handle": "a", "document": 1, "edition": 1, "ended": False, "content": {"odd": 1}}
    ended = {**entry, "ended": True, "content": None}
    pages = [[entry, {**ended, "handle": "b"}, 3], [ended]]

    def answer(request: httpx.Request) -> httpx.Response:
        body = {"items": pages.pop(0), "cursor": "c", "up_to_date": True, "restarted": False}
        return httpx.Response(200, json=body)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://views") as client:
        feed = Feed(client, copy)
        await feed.follow(0)
        assert [one.handle for one in copy.refused("feed")] == ["a", ""]
        assert copy.content() == {"b": (1, 1, None)}
        await feed.follow(0)
        assert [one.handle for one in copy.refused("feed")] == [""]


async def follow(views: str, token: str, place: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agency", "follow", "--feed", views, "--copy", place, "--once",
        env={"TSUNAGU_TOKEN": token, "PATH": "", "PYTHONPATH": "."},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert "documents with content" in said.decode()
