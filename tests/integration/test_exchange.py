"""Where networks do not meet, and where there is no system: files there and back, one page for one case."""

import json
import re

import pytest
from joserfc.jwk import KeySet, OKPKey

from agency import exchange
from agency.copy import Copy
from agency.feed import Feed
from agency.webhook import Forged
from shared.contracts.views import (
    CoverUsed,
    FileMade,
    InputRefused,
    ReadingRecorded,
    ReceiptRecorded,
    ReceiptRefused,
    RetractionConfirmed,
    SecretShown,
)
from tests.integration.test_feed import Household, read_all
from tests.integration.test_views import KNEE, Town, town
from tests.integration.test_webhooks import Endpoint

__all__ = ["town"]


async def test_files_bring_what_the_feed_brings_and_receipts_come_back(town: Town) -> None:
    lived = [Household(town) for _ in range(5)]
    for one in lived:
        await one.open()
    await town.judged()
    care = Endpoint(town, town.care)
    keys, path = KeySet([care.key]), f"/v1/subscriptions/{town.care}"
    copy, read = Copy(":memory:"), Copy(":memory:")
    async with (
        town.views.client("city", "operator") as carrier,
        town.views.client(town.care, "system") as system,
        town.views.client(town.clinic, "system") as other,
    ):
        assert (await carrier.post(f"{path}/exchange/documents", json={})).status_code == 409
        await care.subscribe(webhook=False)
        secret = (await carrier.get(f"{path}/exchange/secret")).json()["secret"]

        async def file(**asked: object) -> str:
            asked = {"cursor": exchange.cursor(copy), **asked}
            answer = await carrier.post(f"{path}/exchange/documents", json=asked)
            assert answer.status_code == 200, answer.text
            assert KNEE not in answer.text
            return answer.text

        first = await file(limit=2)
        changed = first.replace('"edition":', '"edition": ', 1)
        for text in (changed, first.replace("\n", "\n\n", 1), first[:-10]):
            with pytest.raises(Forged):
                exchange.take_over(text, town.care, secret, keys, copy)
        exchange.take_over(first, town.care, secret, keys, copy)
        await lived[0].withdraw()
        await lived[1].say("腰の痛み")
        await town.judged()
        last = await file()
        for text in (last, first, last):
            exchange.take_over(text, town.care, secret, keys, copy)
        await read_all(Feed(system, read))
        assert copy.content() == read.content()
        assert len(copy.content()) == len(lived)

        back = exchange.receipts(copy, secret, confirm=True)
        forged = {
            **back,
            "lines": [*back["lines"][:-1], back["lines"][-1].replace("placed", "opened")],
        }
        answer = await carrier.post(f"{path}/exchange/receipts", json=forged)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.signature")
        assert not await town.views.written(ReceiptRecorded)
        for _ in range(2):
            answer = await carrier.post(f"{path}/exchange/receipts", json=back)
            assert answer.json() == {"taken": len(lived), "refused": []}
        receipts = await town.views.written(ReceiptRecorded)
        assert [one.checked for one in receipts] == [True] * len(lived)
        assert len(await town.views.written(RetractionConfirmed)) == 1
        other_digest = {**json.loads(back["lines"][1]), "digest": "0" * 64}
        lines = [back["lines"][0], json.dumps(other_digest), back["lines"][2]]
        signed = {"lines": lines, "signature": exchange.signature(secret, "\n".join(lines))}
        answer = (await carrier.post(f"{path}/exchange/receipts", json=signed)).json()
        assert answer == {"taken": 1, "refused": [{"line": 2, "reason": "digest-mismatch"}]}
        assert len(await town.views.written(ReceiptRefused)) == 1
        assert [one.what for one in await town.views.written(InputRefused)] == ["receipt"]
        assert exchange.settle(copy, back, answer) == [f"{other_digest['handle']}: digest-mismatch"]
        assert not copy.owed()
        for _ in range(2):  # its answer was lost: one more copy leaves, and is on record
            again = await carrier.post(
                f"{path}/exchange/documents", json={}, headers={"Idempotency-Key": "lost"}
            )
            assert again.status_code == 200
        for call in (
            other.post(f"{path}/exchange/documents", json={}),
            other.get(f"{path}/exchange/secret"),
        ):
            assert (await call).status_code == 404
        cursor = exchange.cursor(copy)
        place = f"/v1/subscriptions/{town.clinic}/exchange/documents"
        answer = await other.post(place, json={"cursor": cursor})
        assert answer.json()["errors"][0]["field"] == "body.cursor"
        again = OKPKey.generate_key("X25519").as_dict(private=False)
        key = {name: again[name] for name in ("kty", "crv", "x")}
        assert (await system.put(path, json={"public_key": key})).status_code == 200
        answer = await carrier.post(f"{path}/exchange/receipts", json=back)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.signature")
        assert (await system.get(f"{path}/exchange/secret")).json()["secret"] != secret
        assert (await system.post(f"{path}/key-revocation", json={})).status_code == 200
        for refused in (
            carrier.get(f"{path}/exchange/secret"),
            carrier.post(f"{path}/exchange/receipts", json=back),
        ):
            answer = await refused
            assert (answer.status_code, answer.json()["reason"]) == (409, "no-key")
    assert [one.agency for one in await town.views.written(SecretShown)] == [town.care] * 2
    first_file, *others = await town.views.written(FileMade)
    assert (first_file.documents, len(others)) == (2, 3)


async def test_a_cover_without_content_leads_a_member_to_one_page_once(town: Town) -> None:
    consent = town.consent(town.care)
    await town.views.tell(town.fact(health=f"{KNEE} 𠮷<script>"), consent)
    await town.judged()
    async with town.views.client("city", "coordinator") as city:
        sheets = f"/v1/cases/{town.case}/covers"
        body = {"agency": town.care, "by": "fax"}
        made = await city.post(sheets, json=body)
        assert made.status_code == 201, made.text
        sheet = (await city.get(made.headers["location"])).text
        assert (await city.post(sheets, json={**body, "agency": town.clinic})).status_code == 409
    link = re.findall(r'href="http://service(/[^"]+)"', sheet)[0]
    assert KNEE not in sheet
    assert str(town.case) not in sheet
    assert str(town.hana) not in sheet
    async with town.views.client(town.clinic, "agency_worker") as stranger:
        assert (await stranger.get(link)).status_code == 404
        assert (await stranger.post(sheets, json=body)).status_code == 404
    async with town.views.client(town.care, "agency_worker", subject="suzuki") as member:
        page = await member.get(link)
        assert page.status_code == 200, page.text
        assert f"{KNEE} 𠮷&lt;script&gt;" in page.text
        assert "src=" not in page.text
        again = await member.get(link)
        assert (again.status_code, KNEE in again.text) == (410, False)
        other = re.sub("cover=(.)", lambda first: f"cover={'10'[first[1] != '0']}", link)
        assert (await member.get(other)).status_code == 404
        await town.views.tell(town.withdrawn(consent))
        await town.judged()
        place = link.partition("?")[0]
        page = await member.get(place)
        assert KNEE not in page.text
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
        action = f"{place}/confirmation"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        for wrong in ("", "document=x", f"document={form['document']}&token=x"):
            assert (await member.post(action, content=wrong, headers=headers)).status_code == 422
        right = f"document={form['document']}&token={form['token']}&kept="
        answer = await member.post(action, content=right, headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, place)
        assert "/confirmation" not in (await member.get(place)).text
    assert len(await town.views.written(CoverUsed)) == 1
    assert len(await town.views.written(ReadingRecorded)) == 3
    (confirmed,) = await town.views.written(RetractionConfirmed)
    assert (confirmed.agency, confirmed.kept) == (town.care, None)
    assert json.dumps([one.grade for one in await town.views.written(ReceiptRecorded)])
