"""An agency's system answers the city: each act once, though answers are lost, and refusals are told."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from agency.commands import Commands, Refused
from agency.copy import Copy
from agency.feed import Feed
from agency.samples.screens import answer, read
from operate.stack import Stack
from shared.calendar import TOKYO
from shared.contracts.referral import ReferralAccepted, ReferralCompleted, ServiceStarted
from shared.contracts.views import ReceiptRecorded, RetractionConfirmed
from tests.integration._service import Running, service_on
from tests.integration.test_blocks import HANA, Place
from tests.integration.test_views import PENSION, Town, town

__all__ = ["town"]


class Losing(httpx.AsyncBaseTransport):
    """Loses the first answer to each act, after the service has done it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner, self.sent = inner, Counter[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        if request.method == "POST":
            self.sent[request.url.path] += 1
            if self.sent[request.url.path] == 1:
                raise httpx.ReadTimeout("lost", request=request)
        return answer


async def heard(running: Running, place: Place) -> None:
    own = await running.own()
    await running.apply(own[place._seen :])
    place._seen = len(own)


@asynccontextmanager
async def losing(running: Running, agency: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running.client(agency, "system") as client:
        client._transport = Losing(client._transport)
        yield client


async def test_a_referral_is_accepted_started_and_completed_once(
    servers: Stack, templates: None
) -> None:
    async with service_on(servers, "referral") as running:
        place = Place(running)
        await place.open()
        asked: dict[str, Any] = {
            "case": str(place.case), "person": str(HANA), "receiver": "care",
            "classes": ["contact"], "need": "訪問を頼みたい",
        }  # fmt: skip
        id = (await place.write("/v1/referrals", **asked)).rpartition("/")[2]
        async with losing(running, "care") as client:
            commands = Commands(client, client)
            for _ in range(4):
                await answer(commands, running.rt.clock.now().astimezone(TOKYO).date())
                await heard(running, place)
            assert await commands.inbox() == []
            with pytest.raises(Refused) as refused:
                await commands.decline(id, "no-such-code")
        assert (refused.value.status, refused.value.code) == (422, "bad-input")
        for kind in (ReferralAccepted, ServiceStarted, ReferralCompleted):
            assert len(await running.written(kind)) == 1


async def test_what_a_person_read_and_what_was_deleted_is_told_with_its_digest(town: Town) -> None:
    health, money = town.consent(town.care), town.consent(town.care, classes=("money",))
    await town.views.tell(town.fact(money=PENSION), health, money)
    await town.judged()
    await town.views.tell(town.withdrawn(health))
    await town.judged()
    copy = Copy(":memory:")
    async with losing(town.views, town.care) as client:
        await Feed(client, copy).follow(0)
        (held,) = copy.documents()
        await read(Commands(client, client), copy, held.handle)
    (receipt,) = await town.views.written(ReceiptRecorded)
    assert (receipt.grade, receipt.document) == ("opened", held.document)
    (confirmed,) = await town.views.written(RetractionConfirmed)
    assert confirmed.document == held.document
    copy.close()
