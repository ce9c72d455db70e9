"""Messages between agencies: nobody learns by one what no basis gives him, nor who else is on the case."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from shared.contracts.intake import MessageSent
from shared.contracts.referral import ReferralRequested
from tests.integration._service import Running
from tests.integration.test_lead import HANA, Handover, intake
from tests.integration.test_worklists import statements

__all__ = ["intake"]
KEN = "019c0000-0000-7000-8000-000000000003"


class Talk(Handover):
    """The city leads; the council and the clinic were asked for something in the case."""

    async def referred(self, *receivers: str) -> None:
        case = self.path.rsplit("/", 1)[1]
        for n, receiver in enumerate(receivers):
            asked = {
                "referral": f"019c0000-0000-7000-8000-0000000000a{n}",
                "case": case,
                "person": HANA,
                "sender": "city",
                "receiver": receiver,
                "classes": ("contact",),
                "need": "訪問",
                "urgency": "standard",
                "bases": (),
            }
            await self.running.tell(ReferralRequested.model_validate(asked))

    async def send(self, by: str, to: str, text: str | None = None, **more: Any) -> Any:
        more = {"person": HANA, **more} if text else more
        return await self.call(by, "POST", "/messages", to=to, topic="question", text=text, **more)

    async def seen(self, by: str) -> list[Any]:
        answer = await self.call(by, "GET", "/messages")
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    async def unread(self, by: str) -> list[str]:
        answer = await self.running.client(by, "intake_worker").get("/v1/messages")
        return [line["message"] for line in answer.json()]


@pytest_asyncio.fixture
async def talk(intake: Running) -> AsyncIterator[Talk]:
    found = Talk(intake)
    await found.open()
    await found.referred("shakyo", "clinic")
    yield found


async def test_the_two_see_it_and_the_sender_sees_when_it_was_read(talk: Talk) -> None:
    await talk.consent("life_history")
    made = await talk.send("city", "shakyo", "𠮷田さんは火曜に通院")
    assert made.status_code == 201, made.text
    path, id = made.headers["location"].removeprefix(talk.path), made.json()["id"]
    for agency in ("city", "shakyo"):
        (shown,) = await talk.seen(agency)
        assert (shown["sender"], shown["to"], shown["text"], shown["read_at"]) == (
            "city",
            "shakyo",
            "𠮷田さんは火曜に通院",
            None,
        )
    assert await talk.seen("clinic") == []
    assert (await talk.call("clinic", "GET", path)).status_code == 404
    assert (await talk.unread("shakyo"), await talk.unread("city")) == ([id], [])
    assert (await talk.call("clinic", "POST", f"{path}/reading")).status_code == 404
    assert (await talk.call("city", "POST", f"{path}/reading")).status_code == 403
    for _ in range(2):
        assert (await talk.call("shakyo", "POST", f"{path}/reading")).status_code == 200
    (shown,) = await talk.seen("city")
    assert shown["read_at"] is not None
    assert "reader" not in shown
    assert await talk.unread("shakyo") == []
    answer = await talk.send("shakyo", "city", "承知しました", answers=id)
    assert answer.status_code == 201, answer.text
    wrong = await talk.send("clinic", "city", "承知しました", answers=id)
    assert wrong.status_code == 422


async def test_many_messages_take_no_more_trips_than_one(talk: Talk) -> None:
    """Who may be told what of whom is found out once for each sender."""
    await talk.consent("life_history")
    trips = []
    for more in (1, 3):
        for _ in range(more):
            assert (await talk.send("city", "shakyo", "火曜に通院")).status_code == 201
        with statements() as asked:
            shown = await talk.seen("shakyo")
        trips.append((len(shown), len(asked)))
    (one, few), (four, many) = trips
    assert (one, four) == (1, 4)
    assert few == many


async def test_without_a_basis_only_the_lead_is_told_and_others_by_topic_alone(talk: Talk) -> None:
    refused = [
        await talk.send("city", "shakyo", "家計が苦しい"),
        await talk.send("shakyo", "clinic", "家計が苦しい"),
        await talk.send("shakyo", "clinic"),
        await talk.send("shakyo", "police"),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["reason"]) == (409, "no-live-basis")
    assert len({answer.text for answer in refused}) == 1
    assert await talk.running.written(MessageSent) == []
    assert (await talk.send("city", "shakyo")).status_code == 201
    assert (await talk.send("shakyo", "city", "訪問しました")).status_code == 201
    (asked, told) = await talk.seen("city")
    assert (asked["topic"], asked["text"], told["text"]) == ("question", None, "訪問しました")


async def test_a_text_about_the_household_needs_the_consent_of_all(talk: Talk) -> None:
    await talk.consent("life_history")
    assert (await talk.send("city", "shakyo", "息子のこと", person=None)).status_code == 201
    ken = {"id": KEN, "name": "葛󠄀城 健", "relation": "child"}
    await talk.call("city", "PUT", "/sections/person", person=ken)
    assert (await talk.send("city", "shakyo", "息子のこと", person=None)).status_code == 409
    (shown,) = await talk.seen("shakyo")
    assert (shown["text"], shown["withheld"]) == (None, True)


async def test_with_the_consent_the_text_goes_and_the_message_stays(talk: Talk) -> None:
    await talk.consent("life_history")
    await talk.send("city", "shakyo", "𠮷田さんは火曜に通院")
    (person,) = (await talk.call("city", "GET", "/bases")).json()
    (consent,) = person["bases"]
    client = talk.running.client("city", "intake_worker")
    await client.post(f"/v1/consents/{consent['id']}/withdrawal", json={})
    (shown,) = await talk.seen("shakyo")
    assert (shown["text"], shown["withheld"]) == (None, True)
    (own,) = await talk.seen("city")
    assert (own["text"], own["withheld"]) == ("𠮷田さんは火曜に通院", False)


async def test_a_blocked_member_of_staff_sees_none(talk: Talk) -> None:
    made = await talk.send("shakyo", "city", "訪問しました")
    path = made.headers["location"]
    await talk.call("city", "POST", "/blocks", staff="sato", reason="relative")
    client = talk.running.client("city", "supervisor", "intake_worker", subject="sato")
    for place in (f"{talk.path}/messages", path):
        assert (await client.get(place)).status_code == 404
    assert (await client.get("/v1/messages")).json() == []
    assert await talk.unread("city") == [made.json()["id"]]
