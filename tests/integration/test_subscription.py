"""A subscription's life: what reaches an agency's topic and what it may read, state by state."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc.jwk import KeySet, OKPKey

from agency.sealed import Poison, opened
from operate.stack import Stack
from services.views import delivery
from services.views.delivery import DUE
from services.views.made import Made
from tests.integration._kit import running, until
from tests.integration._service import service_on
from tests.integration.test_views import KNEE, PENSION, Subscriber, Town, records_of

BACK = "腰の痛み"
SENDABLE = f"""
select count(*) from delivery d join subscription s using (agency) where agency = $1 and {DUE}"""
P = 2**255 - 19
SMALL_ORDER = (
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
    P,
    P + 1,
)
"""Every point of small order on Curve25519, as cr.yp.to/ecdh.html lists them."""


class Care(Subscriber):
    """The care centre's own system, the operator beside it, and what both are answered."""

    def __init__(self, town: Town) -> None:
        super().__init__(town, town.care)
        self._seen = 0

    async def ask(self, verb: str, path: str = "", by: str = "system", **body: Any) -> Any:
        who = "city" if by == "operator" else self.code
        async with self.town.views.client(who, by) as client:
            answer = await client.request(
                verb, f"/v1/subscriptions/{self.code}{path}", json=body if verb != "GET" else None
            )
        own = await self.town.views.own()
        await self.town.views.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def done(self, path: str, by: str = "system", **body: Any) -> None:
        answer = await self.ask("POST", path, by, **body)
        assert answer.status_code == 200, answer.text

    async def give(self, key: OKPKey) -> Any:
        self.key = key
        return await self.ask("PUT", public_key=dict(key.as_dict(private=False)))

    async def shown(self, by: str = "system") -> dict[str, Any]:
        answer = await self.ask("GET", by=by)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def sendable(self) -> int:
        """Documents that would be sent now."""
        await self.town.judged()
        return int(await self.town.rt.pool.fetchval(SENDABLE, self.code))

    async def delivered(self) -> None:
        async def nothing_left() -> bool:
            return not await self.sendable()

        (documents,) = (one for one in self.town.rt.relays if one.name == "documents")
        async with running(documents):
            await until(nothing_left)

    async def values(self) -> list[Any]:
        """Of each record on the topic, opened with the present key; None where that opens nothing."""
        found = []
        for record in await records_of(self.town, self):
            try:
                change = opened(record, KeySet([self.key]))
            except Poison:
                found.append(None)
            else:
                found.append([item["value"] for item in json.loads(change.body or "{}")["items"]])
        return found


@pytest.fixture
async def care(servers: Stack, templates: None) -> AsyncIterator[Care]:
    """Subscribed, and holding its first document."""
    async with service_on(servers, "views") as views:
        town = Town(views)
        await town.open()
        servers.agencies([town.care])
        made = Care(town)
        assert (await made.give(OKPKey.generate_key("X25519"))).status_code == 200
        await town.views.tell(town.consent(town.care))
        await made.delivered()
        assert await made.values() == [[KNEE]]
        yield made


async def test_a_pause_holds_back_what_is_new_and_then_only_the_newest_is_sent(care: Care) -> None:
    await care.done("/pause")
    assert (await care.shown())["state"] == "paused"
    await care.town.views.tell(care.town.fact(health=BACK))
    await care.town.judged()
    await care.town.views.tell(care.town.fact(health="肩の痛み"))
    assert await care.sendable() == 0
    await care.done("/resumption")
    await care.delivered()
    assert await care.values() == [[KNEE], ["肩の痛み"]]


async def test_what_is_taken_back_reaches_a_paused_agency(care: Care) -> None:
    town = care.town
    money = town.consent(town.care, classes=("money",))
    await town.views.tell(town.fact(money=PENSION), money)
    await care.delivered()
    await care.done("/pause", "operator")
    await town.views.tell(town.withdrawn(money))
    await care.delivered()
    assert (await care.values())[-1] == [KNEE]


async def test_with_a_new_key_what_is_on_the_broker_is_sealed_anew(care: Care) -> None:
    old, before = care.key, await care.shown()
    assert before["key"] == old.thumbprint()
    assert (await care.give(OKPKey.generate_key("X25519"))).json()["version"] == 2
    await care.delivered()
    after = await care.shown()
    assert (after["state"], after["key"]) == ("active", care.key.thumbprint())
    assert after["key_since"] >= before["key_since"] == after["since"]
    first, second = await records_of(care.town, care)
    assert first.header("ce_version") == second.header("ce_version")
    assert (first.header("ce_edition"), second.header("ce_edition")) == ("1", "2")
    assert await care.values() == [None, [KNEE]]
    assert (await care.give(care.key)).json()["version"] == 2  # the same again changes nothing
    assert (await care.give(old)).json()["reason"] == "key-was-retired"


async def test_with_a_new_key_a_paused_agency_gets_what_it_was_sent_and_nothing_newer(
    care: Care,
) -> None:
    await care.done("/pause")
    await care.town.views.tell(care.town.fact(health=BACK))
    await care.town.judged()
    assert (await care.give(OKPKey.generate_key("X25519"))).status_code == 200
    await care.delivered()
    assert await care.values() == [None, [KNEE]]
    first, again = await records_of(care.town, care)
    assert first.header("ce_version") == again.header("ce_version")
    await care.done("/resumption")
    await care.delivered()
    assert await care.values() == [None, [KNEE], [BACK]]


async def test_nothing_is_sealed_to_a_revoked_key_from_the_answer_on(care: Care) -> None:
    town = care.town
    await town.views.tell(town.fact(health=BACK))
    assert await care.sendable() == 1
    async with town.views.client(care.code, "system") as client:
        await client.post(f"/v1/subscriptions/{care.code}/key-revocation", json={})
    assert await care.sendable() == 0  # though its own event has not come back to it yet
    await care.ask("GET")
    assert (await care.shown())["state"] == "key_revoked"
    assert await care.sendable() == 0
    assert (await care.give(OKPKey.generate_key("X25519"))).status_code == 200
    await care.delivered()
    assert await care.values() == [None, [BACK]]


async def test_what_was_sealed_while_the_key_was_revoked_is_not_sent(
    care: Care, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, opened_then = care.town, delivery.opened
    await town.views.tell(town.fact(health=BACK))
    await town.judged()
    town.judge.made = Made()  # of a process that has just started
    monkeypatch.setattr(delivery, "IDLE_SECONDS", -1)  # as if it took long

    async def revoked(*args: Any) -> delivery.Opened:
        found = await opened_then(*args)
        async with town.views.client(care.code, "system") as client:
            await client.post(f"/v1/subscriptions/{care.code}/key-revocation", json={})
        return found

    (outbox,) = town.rt.service.outboxes(town.rt).values()
    async with town.rt.pool.acquire() as db:
        assert len(await outbox.pending(db)) == 1
        monkeypatch.setattr(delivery, "opened", revoked)
        assert await outbox.pending(db) == []


async def test_a_quarantined_agency_is_sent_nothing_and_reads_nothing(care: Care) -> None:
    town = care.town
    handle = await town.delivery("handle", care.code)
    await care.done("/quarantine", "operator", reason="key_exposed")
    await town.views.tell(town.fact(health=BACK))
    assert await care.sendable() == 0
    async with town.views.client(care.code, "agency_worker") as client:
        for path in ("/v1/views", f"/v1/views/{handle}", "/v1/sealed"):
            answer = await client.get(path, headers={"accept-language": "en"})
            assert (answer.status_code, answer.json()["type"]) == (
                403,
                "urn:tsunagu:problem:quarantined",
            )
            assert KNEE not in answer.text
    async with town.views.client(town.clinic, "agency_worker") as client:
        assert (await client.get("/v1/views")).status_code == 200
    shown = await care.shown()
    assert (shown["state"], shown["reason"]) == ("quarantined", "key_exposed")
    assert (await care.ask("POST", "/release")).status_code == 403
    await care.done("/release", "operator")
    await care.delivered()
    assert await care.values() == [[KNEE], [BACK]]


async def test_after_its_end_nothing_is_sent_until_it_subscribes_again(care: Care) -> None:
    await care.done("/ending")
    await care.town.views.tell(care.town.fact(health=BACK))
    assert await care.sendable() == 0
    refused = await care.ask("POST", "/pause")
    assert (refused.status_code, refused.json()["reason"]) == (409, "subscription-has-ended")
    assert refused.json()["allowed"] == ["registration", "quarantine"]
    await care.give(OKPKey.generate_key("X25519"))
    await care.delivered()
    assert (await care.values())[-1] == [BACK]


async def test_what_is_no_key_or_no_agency_is_refused_and_nothing_changes(care: Care) -> None:
    def spelt(number: int) -> str:
        return urlsafe_b64encode(number.to_bytes(32, "little")).rstrip(b"=").decode()

    valid = str(care.key.as_dict(private=False)["x"])
    wrong = [
        *({"x": spelt(number)} for number in SMALL_ORDER),
        {"x": spelt(P + 2**255 - 1)},  # with the bit that RFC 7748 has masked
        {"x": valid[:-1]}, {"x": "あ" * 43}, {"x": valid, "crv": "Ed25519"}, {},
    ]  # fmt: skip
    for key in wrong:
        answer = await care.ask("PUT", public_key={"kty": "OKP", "crv": "X25519", **key})
        assert answer.status_code == 422, key
        assert answer.json()["errors"][0]["field"].startswith("body.public_key")
    async with care.town.views.client("city", "operator") as operator:
        for path in ("/pause", "/quarantine", ""):
            verb, body = ("POST", {"reason": "other"}) if path else ("GET", None)
            answer = await operator.request(verb, f"/v1/subscriptions/nobody{path}", json=body)
            assert answer.status_code == 404
        listed = (await operator.get("/v1/subscriptions")).json()["items"]
    assert [(one["agency"], one["state"], one["listed"]) for one in listed] == [
        (care.code, "active", True)
    ]
    async with care.town.views.client(care.town.clinic, "system") as foreign:
        assert (await foreign.get(f"/v1/subscriptions/{care.code}")).status_code == 404
    assert (await care.shown())["key"] == care.key.thumbprint()
