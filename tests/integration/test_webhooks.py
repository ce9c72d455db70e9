"""Webhooks against a real HTTP server: sealed, signed, in order, and what trouble does to whom."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import uvicorn
from joserfc.jwk import KeySet, OKPKey

from agency.copy import Copy
from agency.feed import Feed
from agency.sealed import Change
from agency.webhook import change_in
from services.views.ways import feed, webhooks
from services.views.ways.cursor import Cursor
from services.views.ways.post import Post
from services.views.ways.webhooks import Webhooks
from shared.contracts.views import InputRefused
from shared.journal import Damaged
from tests.integration import _process
from tests.integration._kit import PATIENCE, until
from tests.integration.test_feed import Household, read_all, some_history
from tests.integration.test_views import Town, town

__all__ = ["town"]

REFUSED = (
    "http://10.0.0.1/", "https://192.168.1.1/x", "https://169.254.169.254/latest", "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/", "https://user@example.jp/", "https://example.jp/?token=1",
    "ftp://example.jp/", "https://nowhere.invalid/", "file:///etc/passwd",
)  # fmt: skip


class Endpoint:
    """An agency's own server. `answers`: a status for what came; 0: it falls, and is down for a moment."""

    def __init__(self, town: Town, code: str) -> None:
        self.town, self.code, self.url, self.secret = town, code, "", ""
        self.key = OKPKey.generate_key("X25519")
        self.came: list[Change] = []
        self.answers: Callable[[Change], int] = lambda change: 204
        self.on_change: Callable[[Change], None] = lambda change: None
        self.down_until = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        change = change_in(headers, body, self.secret, KeySet([self.key]))
        clock = asyncio.get_running_loop().time
        cut_off = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"9")],
        }
        if clock() < self.down_until:
            return await send(cut_off)
        self.came.append(change)
        status = self.answers(change)
        if not status:
            self.down_until = clock() + 0.04
            return await send(cut_off)
        if status < 300 or status == 599:  # taken, though its answer is lost
            self.on_change(change)
        location = [(b"location", self.url.encode() + b"elsewhere")] if status == 307 else []
        await send({"type": "http.response.start", "status": status, "headers": location})
        await send({"type": "http.response.body", "body": b""})
        return None

    async def subscribe(self, webhook: bool = True) -> None:
        public = {str(n): str(v) for n, v in self.key.as_dict(private=False).items()}
        async with self.town.views.client(self.code, "system") as client:
            place = f"/v1/subscriptions/{self.code}"
            key = {"kty": public["kty"], "crv": public["crv"], "x": public["x"]}
            assert (await client.put(place, json={"public_key": key})).status_code == 200
            if not webhook:
                await self.town.views.apply(await self.town.views.own())
                return
            answer = await client.put(f"{place}/webhook", json={"url": self.url})
            assert answer.status_code == 200, answer.text
            await self.town.views.apply(await self.town.views.own())
            self.secret = (await client.get(f"{place}/webhook")).json()["secret"]

    async def shown(self) -> Any:
        async with self.town.views.client(self.code, "system") as client:
            answer = await client.get(f"/v1/subscriptions/{self.code}/webhook")
            assert answer.status_code == 200, answer.text
            return answer.json()

    async def in_sync(self) -> bool:
        shown = await self.shown()
        return not shown["behind"] and not shown["trouble"]


@asynccontextmanager
async def listening(*endpoints: Endpoint) -> AsyncIterator[None]:
    servers = [
        uvicorn.Server(uvicorn.Config(one, port=0, log_config=None, lifespan="off"))
        for one in endpoints
    ]
    tasks = [asyncio.create_task(server.serve()) for server in servers]

    async def started() -> bool:
        return all(server.started for server in servers)

    await until(started)
    for one, server in zip(endpoints, servers, strict=True):
        one.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    try:
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


@asynccontextmanager
async def sending(town: Town, replicas: int = 1) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(Webhooks(town.rt).run()) for _ in range(replicas)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for failed in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(failed, asyncio.CancelledError), failed


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(webhooks, "LONGEST_PAUSE", 0.1)


async def households(town: Town, number: int) -> list[Household]:
    made = [Household(town) for _ in range(number)]
    for one in made:
        await one.open()
    await town.judged()
    return made


async def test_a_new_copy_equals_one_that_lost_doubled_and_mixed_up_what_it_was_sent(
    town: Town,
) -> None:
    """Two replicas send; what arrives first is not always taken over first."""
    chance, waiting = Random(11), list[Change]()
    copy, new, read = Copy(":memory:"), Copy(":memory:"), Copy(":memory:")
    lived = await households(town, 6)
    endpoint = Endpoint(town, town.care)

    def answer(change: Change) -> int:
        fate = chance.random()
        return (
            503 if fate < 0.1 else 599 if fate < 0.3 else 204
        )  # lost; taken and sent again; taken

    def late(change: Change) -> None:
        waiting.append(change)
        chance.shuffle(waiting)
        while len(waiting) > 3:
            copy.apply([(0, waiting.pop())])

    endpoint.answers, endpoint.on_change = answer, late
    async with listening(endpoint), sending(town, replicas=2):
        await endpoint.subscribe()
        for _ in range(6):
            await some_history(town, lived, chance)
        await until(endpoint.in_sync)
        copy.apply([(0, change) for change in waiting])
        waiting.clear()
        endpoint.answers, endpoint.on_change = lambda _: 204, lambda c: new.apply([(0, c)])
        async with town.views.client(town.care, "system") as client:
            path = f"/v1/subscriptions/{town.care}/webhook/restart"
            assert (await client.post(path, json={})).status_code == 200
            await town.views.apply(await town.views.own())
            await until(endpoint.in_sync)
            await read_all(Feed(client, read))
    assert len(new.content()) == len(lived)
    assert copy.content() == new.content() == read.content()


async def test_a_dead_endpoint_stops_is_shown_and_goes_on_where_it_was(town: Town) -> None:
    care, clinic = Endpoint(town, town.care), Endpoint(town, town.clinic)
    care.answers = lambda _: 503
    async with listening(care, clinic), sending(town):
        for one in (care, clinic):
            await one.subscribe()
            await town.views.tell(town.consent(one.code))
        await town.judged()

        async def troubled() -> bool:
            return bool((await care.shown())["trouble"]) and await clinic.in_sync()

        await until(troubled)
        shown = await care.shown()
        assert (shown["trouble"], shown["behind"], shown["parked"]) == ("503", 1, [])
        async with town.views.client("city", "operator") as client:
            fresh = (await client.get(f"/v1/agencies/{town.care}/freshness")).json()
        assert (fresh["webhook"]["trouble"], fresh["webhook"]["behind"]) == ("503", 1)
        assert [change.version for change in clinic.came] == [1]
        care.answers = lambda _: 204
        await until(care.in_sync)
        assert care.came[-1].document is not None


async def test_a_document_that_is_refused_is_put_aside_and_healed_by_the_next(town: Town) -> None:
    lived = await households(town, 3)
    endpoint, refused = Endpoint(town, town.care), set[str]()
    endpoint.answers = lambda change: 422 if change.handle in refused else 204
    async with listening(endpoint), sending(town):
        of_case = "select handle from delivery where case_id = $1 and agency = $2"
        handle = await town.rt.pool.fetchval(of_case, lived[1].case, town.care)
        refused.add(str(handle))
        await endpoint.subscribe()
        await until(endpoint.in_sync)
        shown = await endpoint.shown()
        assert [(one["handle"], one["reason"]) for one in shown["parked"]] == [(*refused, "422")]
        assert {change.handle for change in endpoint.came} > refused
        refused.clear()
        await lived[1].say("腰の痛み")
        await town.judged()
        await until(endpoint.in_sync)
        assert not (await endpoint.shown())["parked"]


async def test_documents_that_fell_the_endpoint_stand_side_by_side_and_hold_up_no_other(
    town: Town,
) -> None:
    """One makes it fall, one is too much for it; the third is well, wherever it stands."""
    lived = await households(town, 3)
    endpoint, bad = Endpoint(town, town.care), dict[str, int]()
    endpoint.answers = lambda change: bad.get(change.handle, 204)
    of_case = "select handle from delivery where case_id = $1 and agency = $2"
    for one, status in zip(lived, (0, 503), strict=False):
        handle = await town.rt.pool.fetchval(of_case, one.case, town.care)
        bad[str(handle)] = status
    async with listening(endpoint), sending(town):
        await endpoint.subscribe()
        await until(endpoint.in_sync)
        shown = await endpoint.shown()
        parked = {one["handle"]: one["reason"] for one in shown["parked"]}
        assert parked == dict(zip(bad, ("no-connection", "503"), strict=True))
        bad.clear()
        endpoint.came.clear()
        await lived[0].say("腰の痛み")
        await town.judged()
        await until(endpoint.in_sync)
        assert len((await endpoint.shown())["parked"]) == 1
        assert "腰の痛み" in str(endpoint.came[-1].body)


async def test_a_document_that_cannot_be_made_stops_its_agencys_webhook_and_no_others(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await households(town, 1)
    care, clinic = Endpoint(town, town.care), Endpoint(town, town.clinic)
    page = feed.page

    async def damaged(rt: Any, agency: str, *more: Any) -> feed.Page:
        if agency == town.care:
            raise Damaged("disclosure: a version is missing")
        return await page(rt, agency, *more)

    async with listening(care, clinic), sending(town):
        monkeypatch.setattr(feed, "page", damaged)
        await care.subscribe()

        async def troubled() -> bool:
            return (await care.shown())["trouble"] == "not-opened"

        await until(troubled)
        await clinic.subscribe()
        await town.views.tell(town.consent(town.clinic))
        await town.judged()
        await until(clinic.in_sync)
        assert len(clinic.came) == 1
    assert not care.came


async def test_a_paused_agency_is_told_only_what_takes_away_and_then_the_rest(town: Town) -> None:
    kept, withdrawn = await households(town, 2)
    endpoint = Endpoint(town, town.care)
    path = f"/v1/subscriptions/{town.care}"
    async with listening(endpoint), sending(town), town.views.client(town.care, "system") as client:
        await endpoint.subscribe()
        await until(endpoint.in_sync)
        assert (await client.post(f"{path}/pause", json={})).status_code == 200
        await town.views.apply(await town.views.own())
        endpoint.came.clear()
        await kept.say("腰の痛み")
        await withdrawn.withdraw()
        await town.judged()
        await until(endpoint.in_sync)
        assert [change.document and change.document.ended for change in endpoint.came] == [True]
        assert (await client.post(f"{path}/resumption", json={})).status_code == 200
        await town.views.apply(await town.views.own())
        await until(endpoint.in_sync)
        assert "腰の痛み" in str(endpoint.came[-1].body)
        assert (await client.post(f"{path}/key-revocation", json={})).status_code == 200
        await town.views.apply(await town.views.own())
        before = len(endpoint.came)
        await kept.say("肩の痛み")
        await town.judged()
        assert (await endpoint.shown())["behind"] == 1
    assert len(endpoint.came) == before


async def test_no_redirect_is_followed_and_no_private_network_is_called(town: Town) -> None:
    await households(town, 1)
    endpoint = Endpoint(town, town.care)
    endpoint.answers = lambda _: 307
    async with listening(endpoint), sending(town):
        await endpoint.subscribe()

        async def troubled() -> bool:
            return (await endpoint.shown())["trouble"] == "redirect"

        await until(troubled)
        assert {change.version for change in endpoint.came} == {1}

        async def on_record() -> bool:
            return [one.what for one in await town.views.written(InputRefused)] == ["webhook"]

        await until(on_record)
        (entry,) = (await feed.page(town.rt, town.care, Cursor(), 1)).entries
        out = await Post(development=False).send(endpoint.url, b"k", entry, "sealed")
        assert (out.meaning, out.reason) == ("dead", "private-network")
        async with town.views.client(town.care, "system") as client:
            for url in REFUSED:
                answer = await client.put(
                    f"/v1/subscriptions/{town.care}/webhook", json={"url": url}
                )
                assert (answer.status_code, answer.json()["errors"][0]["field"]) == (
                    422,
                    "body.url",
                )
        async with town.views.client(town.clinic, "system") as other:
            for call in (other.get, other.delete):
                assert (await call(f"/v1/subscriptions/{town.care}/webhook")).status_code == 404
        async with town.views.client("city", "operator") as operator:
            shown = (await operator.get(f"/v1/subscriptions/{town.care}/webhook")).json()
        assert shown["secret"] is None


async def test_sent_by_a_process_that_is_killed_again_and_again_nothing_is_lost_or_reordered(
    town: Town,
) -> None:
    """Each time in the middle of its deliveries: before the answer to one, while others are on their way."""
    chance, copy, read = Random(3), Copy(":memory:"), Copy(":memory:")
    lived = await households(town, 6)
    endpoint = Endpoint(town, town.care)
    process: _process.Process | None = None
    left = 0

    def answer(change: Change) -> int:
        nonlocal left
        copy.apply([(0, change)])
        left -= 1
        if left == 0 and process:
            process.kill()
        return 204

    endpoint.answers = answer
    async with listening(endpoint):
        await endpoint.subscribe()
        for left in (4, 2):  # noqa: B007 (counted down by the endpoint)
            await some_history(town, lived, chance)
            process = await _process.started("tests.integration._views_child", "webhooks")
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == -signal.SIGKILL
            await town.rt.pool.execute("update webhook set leased_until = null")
        async with sending(town):
            await until(endpoint.in_sync)
        async with town.views.client(town.care, "system") as client:
            await read_all(Feed(client, read))
    assert copy.content() == read.content()
    for handle in read.content():
        told = [change.rank for change in endpoint.came if change.handle == handle]
        assert told == sorted(told)
