"""What an agency's system must not send: refused, on record, nothing disclosed, nobody else touched."""

import socket
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import httpcore
import pytest

from services.views.ways import exchange, outside
from services.views.ways.outside import Forbidden, Outside
from shared.contracts.views import (
    InputRefused,
    KeyRotated,
    ReceiptRecorded,
    ReceiptRefused,
    SubscriptionRegistered,
    WebhookRegistered,
)
from shared.journal import Context
from shared.runtime import VERSION
from tests.integration.test_feed import Household
from tests.integration.test_views import KNEE, Subscriber, Town, deliver, subscribers, town
from tests.integration.test_webhooks import REFUSED, Endpoint

__all__ = ["subscribers", "town"]


UNFIT = (
    b"", b"{", b"\xff", b"[]", b"null", b'{"handle": 5, "document": "one", "grade": ["placed"]}',
    b'{"handle": {"a": 1}, "document": 1e999}', b"[" * 10_000,
)  # fmt: skip
"""No receipt: nothing, half, no text, of a wrong type, too deep."""


async def in_pieces() -> AsyncIterator[bytes]:
    for _ in range(16):
        yield b" " * 100_000


async def once_refused(town: Town, stream: str) -> None:
    """As it was put on record when a subscription's own stream was the place for it."""
    past, now = await town.rt.journal.load(stream), town.rt.clock.now()
    context = Context(actor="kaigo", agency=town.care, at=now, occurred_at=now)
    event = InputRefused(agency=town.care, what="cursor")
    async with town.rt.pool.acquire() as db:
        await town.rt.journal.append(db, stream, town.care, past.version, [event], context)
    await town.views.apply(await town.views.own())


async def test_each_is_refused_and_on_record_once_and_changes_nothing(town: Town) -> None:
    care, clinic = Endpoint(town, town.care), Endpoint(town, town.clinic)
    for one in (care, clinic):
        await one.subscribe(webhook=False)
    await town.views.tell(town.consent(town.care))
    await town.judged()
    path, stream = f"/v1/subscriptions/{town.care}", f"subscription/{town.care}"
    await once_refused(town, stream)
    lived = await town.rt.pool.fetchval(VERSION, stream)
    async with (
        town.views.client(town.care, "system") as system,
        town.views.client(town.clinic, "system") as other,
        town.views.client("city", "operator") as carrier,
        town.views.client(town.clinic, "agency_worker") as staff,
    ):
        page = (await system.get("/v1/feed")).json()
        before = [page["items"], (await other.get("/v1/feed")).json()["items"]]
        handle, cursor = page["items"][0]["handle"], page["cursor"]
        lines = ['{"format":"tsunagu-receipts-1"}', f'{{"handle":"{handle}","document":1}}']
        good = {str(k): str(v) for k, v in care.key.as_dict(private=False).items()}
        foreign = [lines[0], f'{{"handle":"{uuid4()}","document":1}}', '{"handle":5}']
        secret = exchange.secret(town.rt.keys.index_key, town.care, good)
        forged = {"lines": foreign, "signature": exchange.signature(secret, "\n".join(foreign))}
        receipt = {"handle": handle, "document": 1, "grade": "placed", "digest": "0" * 64}
        files = f"/v1/subscriptions/{town.clinic}/exchange/documents"
        nobody = f"nobody-{uuid4().hex[:8]}"
        for call, status, field in (
            *((system.put(path, json={"public_key": key}), 422, "body.public_key")
              for key in ({"kty": "RSA"}, {}, {**good, "x": "A" * 43}, {**good, "crv": "P-256"})),
            *((system.put(f"{path}/webhook", json={"url": url}), 422, "body.url") for url in REFUSED),
            (other.get("/v1/feed", params={"cursor": cursor}), 422, "query.cursor"),
            (other.get("/v1/feed", params={"cursor": "é"}), 422, "query.cursor"),
            (other.get("/v1/feed", headers={"accept": "text/event-stream", "last-event-id": cursor}),
             422, "header.last-event-id"),
            (other.post(files, json={"cursor": cursor}), 422, "body.cursor"),
            (carrier.post(f"{path}/exchange/receipts", json={"lines": lines, "signature": "v1,x"}),
             422, "body.signature"),
            (system.post("/v1/receipts", json=receipt), 409, None),
            *((other.post("/v1/receipts", json={**receipt, "handle": one}), 404, None)
              for one in (handle, str(uuid4()))),
            (other.post(f"/v1/views/{handle}/retraction-confirmation", json={"document": 1}), 404, None),
            (staff.post("/v1/receipts", json=receipt), 404, None),
            (system.post("/v1/receipts", json={**receipt, "document": 2}), 409, None),
            (carrier.post(f"{path}/exchange/receipts", json=forged), 200, None),
            (system.post("/v1/receipts", content=b"{" + b" " * 1_500_001), 413, None),
            (other.post("/v1/receipts", content=in_pieces()), 413, None),
            *((system.post("/v1/receipts", content=body, headers={"content-type": "application/json"}),
               422, None) for body in UNFIT),
            (staff.post("/v1/receipts", content=b"[]"), 422, None),
            *((carrier.request(method, f"/v1/subscriptions/{nobody}/{what}", json=body), 404, None)
              for method, what, body in (("PUT", "webhook", {"url": REFUSED[0]}),
                                         ("POST", "exchange/documents", {"cursor": cursor}))),
            (carrier.put(f"/v1/subscriptions/{nobody}", json={"public_key": {}}), 422, "body.public_key"),
        ):  # fmt: skip
            answer = await call
            assert answer.status_code == status, answer.text
            assert KNEE not in answer.text
            assert field is None or answer.json()["errors"][0]["field"] == field
        await town.views.apply(await town.views.own())
        told = {one["agency"]: one for one in (await carrier.get("/v1/sharing")).json()["items"]}
        after = [(await one.get("/v1/feed")).json()["items"] for one in (system, other)]
    assert after == before
    assert {(one["kind"], one["times"]) for one in told[town.care]["refused"]} == {
        (kind, 1)
        for kind in ("cursor", "digest", "document", "form", "key", "line", "receipt", "size", "webhook")
    }  # fmt: skip
    assert [one["kind"] for one in told[town.clinic]["refused"]] == ["cursor", "handle", "size"]
    assert all(one.keys() == {"kind", "times", "last"} for one in told[town.care]["refused"])
    assert {(one.agency, one.what) for one in await town.views.written(InputRefused)} == {
        (town.care, "cursor"), (town.care, "key"), (town.care, "webhook"), (town.care, "receipt"),
        (town.clinic, "cursor"), (town.care, "size"), (town.care, "form"), (town.clinic, "size"),
        (town.clinic, "handle"), (town.care, "document"), (town.care, "line"),
    }  # fmt: skip
    assert len(await town.views.written(InputRefused)) == 11
    assert await town.rt.pool.fetchval(VERSION, stream) == lived
    folded = "select version from subscription where agency = $1"
    assert await town.rt.pool.fetchval(folded, town.care) == lived
    assert len(await town.views.written(ReceiptRefused)) == 1
    assert len(await town.views.written(SubscriptionRegistered)) == 2
    assert not await town.views.written(KeyRotated, WebhookRegistered, ReceiptRecorded)


async def test_a_name_that_leads_elsewhere_when_it_is_called_is_not_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS that answers the check with a public address and the call with ours (rebinding)."""
    answers = ["203.0.113.7", "8.8.8.8", "10.0.0.5", "127.0.0.1", "8.8.4.4"]
    called: list[str] = []

    class Wire(httpcore.AnyIOBackend):
        async def connect_tcp(self, host: str, *_: Any, **__: Any) -> Any:
            called.append(host)
            raise httpcore.ConnectError

    class Loop:
        async def getaddrinfo(self, *_: Any, **__: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), 443))]

    monkeypatch.setattr(outside.asyncio, "get_running_loop", Loop)
    with pytest.raises(Forbidden):
        await outside.addresses("hook.example", 443, False)  # a network for documentation
    assert await outside.addresses("hook.example", 443, False) == ["8.8.8.8"]
    backend = Outside(development=False)
    monkeypatch.setattr(backend, "_inner", Wire())
    monkeypatch.setattr(outside.asyncio, "timeout", lambda _: nullcontext())
    for _ in range(2):
        with pytest.raises(httpcore.ConnectError):
            await backend.connect_tcp("hook.example", 443)
    assert called == []
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("hook.example", 443)
    assert called == ["8.8.4.4"]  # the very address that was looked at, not the name


async def test_a_document_above_the_size_limit_holds_up_no_other(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    """It is shown as refused, read over HTTP meanwhile, and its next version, if smaller, goes at once."""
    care, clinic = subscribers
    large, small = Household(town), Household(town)
    for one in (large, small):
        await one.open()
    await large.say("痛" * 300_000)  # 1.2 MB when sealed
    await town.views.tell(town.consent(town.clinic))
    await town.judged()
    await deliver(town)
    refused = "select case_id from delivery where refused = 'too-large'"
    assert [row["case_id"] for row in await town.rt.pool.fetch(refused)] == [large.case]
    assert [values for *_, values in await care.read()] == [[KNEE]]
    assert [values for *_, values in await clinic.read()] == [[KNEE]]
    async with town.views.client(town.care, "system") as client:
        held = (await client.get("/v1/feed")).json()["items"]
        fresh = (await client.get(f"/v1/agencies/{town.care}/freshness")).json()
    assert len(held) == 2
    assert (fresh["refused"], fresh["undelivered"]) == (1, 1)
    await large.say("腰の痛み")
    await town.judged()

    await deliver(town)
    assert (await care.read())[-1][-1] == ["腰の痛み"]
    assert not await town.rt.pool.fetch(refused)
