"""The feed: whoever starts from zero, is late or loses answers arrives where the others are."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from joserfc.jwk import KeySet

from agency.copy import Copy
from agency.document import digest
from agency.feed import Feed
from agency.taking import take
from services.views.delivery import NONE, Opened
from services.views.made import Made
from services.views.ways import feed
from services.views.ways.cursor import Cursor
from shared.contracts.intake import CaseOpened, ConsentRecorded, PersonJoined, SituationRecorded
from shared.contracts.views import ReadingRecorded
from tests.integration._kit import PATIENCE, until
from tests.integration.test_views import (
    KNEE,
    Subscriber,
    Town,
    deliver,
    records_of,
    subscribers,
    town,
)

__all__ = ["subscribers", "town"]

WITH_SELECTORS = "腰の痛み 𠮷田さん 葛\U000e0100飾"


class Household:
    """One more case of the town, of which the care centre may come to hold something."""

    def __init__(self, town: Town) -> None:
        self.town, self.case, self.person = town, uuid4(), uuid4()
        self.consent: ConsentRecorded | None = None

    async def open(self) -> None:
        await self.town.views.tell(
            CaseOpened(case=self.case, household=uuid4(), lead="city", route="family_visit"),
            PersonJoined(case=self.case, person=self.person, relation="self"),
        )
        await self.say(KNEE)
        await self.agree()

    async def say(self, text: str) -> None:
        fact = SituationRecorded(case=self.case, person=self.person, health=text)
        await self.town.views.tell(fact)

    async def agree(self) -> None:
        given = self.town.consent(self.town.care)
        self.consent = given.model_copy(update={"case": self.case, "person": self.person})
        await self.town.views.tell(self.consent)

    async def withdraw(self) -> None:
        if self.consent:
            ended = self.town.withdrawn(self.consent)
            await self.town.views.tell(ended.model_copy(update={"case": self.case}))
            self.consent = None


async def some_history(town: Town, households: list[Household], chance: Random) -> None:
    for _ in range(12):
        one = chance.choice(households)
        match chance.randrange(4):
            case 0:
                await one.withdraw()
            case 1 if one.consent is None:
                await one.agree()
            case _:
                await one.say(f"{WITH_SELECTORS} {chance.random()}")
    await town.judged()


async def read_all(reader: Feed) -> None:
    done = False
    while not done:
        _, done = await reader.follow(0)


async def test_a_new_copy_equals_one_that_lost_doubled_and_mixed_up_what_it_was_sent(
    town: Town,
) -> None:
    chance = Random(7)
    households = [Household(town) for _ in range(8)]
    for one in households:
        await one.open()
    await town.judged()
    old, new, waiting = Copy(":memory:"), Copy(":memory:"), list[Any]()

    class Losing(Copy):
        """What arrives is lost with its cursor, or comes twice, or later and in another order."""

        def apply(self, changes: Any = (), *more: Any, **rest: Any) -> Any:
            if chance.random() < 0.1:
                return []
            found = list(changes)
            waiting.extend(found + [one for one in found if chance.random() < 0.2])
            chance.shuffle(waiting)
            now = [waiting.pop() for _ in range(chance.randrange(len(waiting) + 1))]
            return super().apply(now, *more, **rest)

    losing = Losing(":memory:")
    async with town.views.client(town.care, "system") as client:
        steady, unsteady = Feed(client, old), Feed(client, losing)
        for _ in range(10):
            await some_history(town, households, chance)
            for reader in (steady, unsteady):
                await reader.follow(0)
        await town.rt.pool.execute("update delivery set edition = edition + 1")  # a new key
        for reader in (steady, unsteady, Feed(client, new)):
            await read_all(reader)
        while waiting:
            await read_all(unsteady)
    assert len(new.content()) == len(households)
    assert old.content() == new.content() == losing.content()
    assert WITH_SELECTORS in str(new.content())


async def test_what_cannot_be_opened_yet_is_told_of_later_and_not_passed_over(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While this view may be behind: the cursor moves on, and the document comes after it."""
    one = Household(town)
    await one.open()
    await town.judged()

    async def nothing(*_: Any) -> Opened:
        return NONE

    monkeypatch.setattr(feed, "opened", nothing)
    passed = await feed.page(town.rt, town.care, Cursor(), 10)
    assert not passed.entries
    monkeypatch.undo()

    async def told() -> bool:
        page = await feed.page(town.rt, town.care, passed.cursor, 10)
        return [entry.case for entry in page.entries] == [one.case]

    await until(told)


async def test_the_topic_and_the_feed_end_in_the_same_copy(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    """However the topic's records came before: a tenth lost, a fifth doubled, in any order."""
    chance, (care, _) = Random(11), subscribers
    households = [Household(town) for _ in range(4)]
    for one in households:
        await one.open()
    await town.judged()
    by_topic, by_feed = Copy(":memory:"), Copy(":memory:")
    async with town.views.client(town.care, "system") as client:
        for _ in range(4):
            await some_history(town, households, chance)
            await deliver(town)
            await read_all(Feed(client, by_feed))
    sent = await records_of(town, care)
    arrived = [one for one in sent if chance.random() < 0.9]
    arrived += [one for one in sent if chance.random() < 0.2]
    chance.shuffle(arrived)
    for records in (arrived, sent[-len(sent) // 2 :], sent):
        take(by_topic, records, KeySet([care.key]), "topic")
    assert held(by_topic) == held(by_feed)
    assert len(held(by_feed)) == len(households)
    assert by_topic.refused("topic") == []
    for copy in (by_topic, by_feed):
        copy.close()


def held(copy: Copy) -> dict[str, Any]:
    """Version, edition and digest of each case; of what has ended that it has."""
    return {
        one.handle: (one.document, one.edition, digest(one.body))
        if one.body and one.body["items"]
        else None
        for one in copy.documents()
    }


async def test_what_is_committed_late_takes_a_place_behind_all_that_was_read(town: Town) -> None:
    """Two replicas judge; the one that began first commits last."""
    households = [Household(town) for _ in range(2)]
    for one in households:
        await one.open()
    await town.judged()
    first, second = (one.case for one in households)
    change = "update delivery set edition = edition + 1 where case_id = $1"
    before = (await feed.page(town.rt, town.care, Cursor(), 10)).cursor
    async with town.rt.pool.acquire() as db:
        slow = db.transaction()
        await slow.start()
        await db.execute(change, first)
        await town.rt.pool.execute(change, second)
        meanwhile = await feed.page(town.rt, town.care, before, 10)
        await slow.commit()
    after = await feed.page(town.rt, town.care, meanwhile.cursor, 10)
    assert [entry.case for entry in meanwhile.entries] == [second]
    assert [entry.case for entry in after.entries] == [first]


async def test_readers_at_once_see_each_change_in_one_order(town: Town) -> None:
    households = [Household(town) for _ in range(6)]
    for one in households:
        await one.open()
    await town.judged()

    async def reads() -> list[tuple[int, Any]]:
        seen, cursor = list[tuple[int, Any]](), Cursor()
        for _ in range(8):
            page = await feed.page(town.rt, town.care, cursor, 2)
            seen += [(e.cursor.place, (e.case, e.edition)) for e in page.entries]
            cursor = page.cursor
            await town.rt.pool.execute(
                "update delivery set edition = edition + 1 where case_id = $1",
                Random(len(seen)).choice(households).case,
            )
        return seen

    runs = await asyncio.gather(*(reads() for _ in range(4)))
    places: dict[int, Any] = {}
    for place, what in (one for run in runs for one in run):
        assert places.setdefault(place, what) == what
    assert all(run == sorted(run, key=lambda one: one[0]) for run in runs)


async def test_a_long_poll_is_answered_by_the_change_it_waits_for(town: Town) -> None:
    async with ringing(town), town.views.client(town.care, "system") as client:
        empty = (await client.get("/v1/feed")).json()
        assert (empty["items"], empty["up_to_date"]) == ([], True)
        poll = asyncio.create_task(
            client.get("/v1/feed", params={"cursor": empty["cursor"], "wait": 25})
        )
        await until(lambda: waits(town))
        await town.views.tell(town.consent(town.care))
        await town.judged()
        async with asyncio.timeout(20):
            (item,) = (await poll).json()["items"]
    assert [one["value"] for one in item["content"]["items"]] == [KNEE]
    (reading,) = await town.views.written(ReadingRecorded)  # L21
    assert (reading.agency, reading.case) == (town.care, town.case)


async def waits(town: Town) -> bool:
    return bool(town.rt.state["bells"]._waiting)


@asynccontextmanager
async def ringing(town: Town) -> AsyncIterator[None]:
    bells = asyncio.create_task(town.rt.state["bells"].run())
    try:
        yield
    finally:
        bells.cancel()


@asynccontextmanager
async def served(town: Town) -> AsyncIterator[Callable[[str], httpx.AsyncClient]]:
    """Over a real socket: the client in memory reads no stream."""
    server = uvicorn.Server(uvicorn.Config(town.views.app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    port = server.servers[0].sockets[0].getsockname()[1]

    def client(agency: str) -> httpx.AsyncClient:
        token = town.views.stack.token(agency, ("system",), "system")
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE
        )

    try:
        yield client
    finally:
        town.rt.ending.set()
        server.should_exit = True
        await task


async def test_a_stream_goes_on_from_the_last_event_that_was_seen(town: Town) -> None:
    await town.views.tell(town.consent(town.care))
    await town.judged()
    async with ringing(town), served(town) as client_of, client_of(town.care) as client:
        first = await next_event(client)
        assert first["data"]["document"] == 1

        async def more() -> None:
            await town.views.tell(town.fact(health="腰の痛み"))
            await town.judged()

        second = await next_event(client, first["id"], more)
    assert second["data"]["document"] == 2
    assert [one["value"] for one in second["data"]["content"]["items"]] == ["腰の痛み"]


async def test_what_was_asked_for_before_a_quarantine_is_not_answered_after_it(town: Town) -> None:
    """A poll that waits and a stream that is open: the next page is of what was allowed then no more."""
    await town.views.tell(town.consent(town.care))
    await town.judged()

    async def then() -> None:
        async with town.views.client("city", "operator") as operator:
            path = f"/v1/subscriptions/{town.care}/quarantine"
            answer = await operator.post(path, json={"reason": "key_exposed"})
            assert answer.status_code == 200, answer.text
        await town.views.tell(town.fact(health="腰の痛み"))
        await town.judged()

    async with ringing(town), served(town) as client_of, client_of(town.care) as client:
        page = (await client.get("/v1/feed")).json()
        first = await next_event(client)
        asked = {"cursor": page["cursor"], "wait": 20}
        polled = asyncio.create_task(client.get("/v1/feed", params=asked))
        with pytest.raises(AssertionError, match="the stream ended"):
            await next_event(client, first["id"], then)
        answer = await polled
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:tsunagu:problem:quarantined")


async def next_event(
    client: httpx.AsyncClient, after: str = "", then: Callable[[], Awaitable[None]] | None = None
) -> dict[str, Any]:
    headers = {"accept": "text/event-stream", **({"last-event-id": after} if after else {})}
    async with client.stream("GET", "/v1/feed", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        if then:
            await then()
        found: dict[str, Any] = {}
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "data"):
                found[name] = value if name == "id" else json.loads(value)
            if len(found) == 2:
                return found
    raise AssertionError("the stream ended")


async def test_a_cursor_of_another_agency_or_a_made_up_one_is_refused(town: Town) -> None:
    await town.views.tell(town.consent(town.care), town.consent(town.clinic))
    await town.judged()
    async with town.views.client(town.care, "system") as client:
        cursor = (await client.get("/v1/feed")).json()["cursor"]
    for given in (cursor, "x", "あ" * 30, cursor[:-4] + "AAAA"):
        async with town.views.client(town.clinic, "system") as other:
            answer = await other.get("/v1/feed", params={"cursor": given})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.cursor")
    async with town.views.client(town.care, "system") as client:
        for wait in ("-1", "nan", "inf", "x", "26"):
            assert (await client.get("/v1/feed", params={"wait": wait})).status_code == 422
    async with town.views.client(town.care, "planner") as planner:
        assert (await planner.get("/v1/feed")).status_code == 403


async def test_after_the_database_was_set_back_a_cursor_begins_anew_and_misses_nothing(
    town: Town,
) -> None:
    await town.views.tell(town.consent(town.care))
    await town.judged()
    yesterday = await town.rt.pool.fetch("select * from delivery")
    await town.views.tell(town.fact(health="腰の痛み"))
    await town.judged()
    copy = Copy(":memory:")
    async with town.views.client(town.care, "system") as client:
        reader = Feed(client, copy)
        await read_all(reader)
        async with town.rt.pool.acquire() as db, db.transaction():
            await db.execute("delete from delivery")
            await db.copy_records_to_table("delivery", records=yesterday)
        town.judge.made = Made()  # of a process that has just started
        await town.views.apply(await town.views.own())  # the journal has been taken back
        await town.views.tell(town.fact(health="肩の痛み"))
        await town.judged()
        await read_all(reader)
    ((version, _, body),) = copy.content().values()
    assert version == 3
    assert "肩の痛み" in str(body)
