"""Likely duplicates: the matching role sees them and asks, the holding desk answers, nobody else learns."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from tests.integration._service import Running, service_on

HANA = {
    "name": "𠮷田 葛󠄀花",
    "kana": "ヨシダ カズハナ",
    "birth": "1944-03-02",
    "phone": "0743-00-0001",
}
TYPED = {"name": "吉田 葛花", "kana": "ﾖｼﾀﾞ ｶｽﾞﾊﾅ", "birth": "1944-03-02"}
KEN = {"name": "𠮷田 健", "kana": "ヨシダ ケン", "birth": "1971-05-05", "phone": "0743-00-0001"}


class Desks:
    def __init__(self, running: Running) -> None:
        self.running, self._seen = running, 0

    async def call(
        self, verb: str, path: str, by: str = "city", role: str = "intake_worker", **body: Any
    ) -> Any:
        client = self.running.client(by, role)
        answer = await client.request(verb, path, json=body if verb != "GET" else None)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def open(self, by: str, *people: dict[str, Any]) -> str:
        made = await self.call("POST", "/v1/cases", by, route="agency", people=people)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def matches(self, query: str = "") -> list[Any]:
        answer = await self.call("GET", f"/v1/matches{query}", by="center", role="matcher")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def ask(self, match: str, case: str) -> Any:
        path = f"/v1/matches/{match}/enquiry"
        return await self.call(
            "POST", path, "center", "matcher", asked_of=case, note="同じ方ですか"
        )

    async def say(self, match: str, answer: str, by: str = "shakyo") -> Any:
        return await self.call("POST", f"/v1/matches/{match}/answer", by, answer=answer)


@pytest_asyncio.fixture
async def desks(servers: Stack, templates: None) -> AsyncIterator[Desks]:
    async with service_on(servers, "intake") as running:
        yield Desks(running)


async def test_a_person_who_is_known_elsewhere_goes_to_the_matching_role_alone(
    desks: Desks,
) -> None:
    mine = await desks.open("city", HANA)
    theirs = await desks.open("shakyo", TYPED, KEN)
    (match,) = await desks.matches()
    assert {side["case"]: side["lead"] for side in match["sides"]} == {
        mine: "city",
        theirs: "shakyo",
    }
    assert match["agrees"] == {"kana": "equal", "given": "equal", "name": "equal", "birth": "equal"}
    text = str(match)
    assert not any(value in text for person in (HANA, TYPED, KEN) for value in person.values())
    for by in ("city", "shakyo", "center"):
        assert (await desks.call("GET", "/v1/matches", by)).status_code == 403
    for path in (f"/v1/matches/{match['id']}/answer", f"/v1/matches/{mine}/answer"):
        refused = await desks.call("POST", path, "shakyo", answer="same")
        assert refused.status_code == 404


async def test_the_desk_that_holds_one_of_them_is_asked_and_answers(desks: Desks) -> None:
    mine, theirs = await desks.open("city", HANA), await desks.open("shakyo", TYPED)
    (match,) = await desks.matches()
    assert (await desks.ask(match["id"], match["id"])).status_code == 422
    assert (await desks.ask(mine, mine)).status_code == 404
    assert (await desks.ask(match["id"], theirs)).status_code == 200
    assert (await desks.ask(match["id"], mine)).json()["reason"] == "match-is-asked"
    (question,) = (await desks.call("GET", "/v1/enquiries", "shakyo")).json()
    assert (question["case"], question["note"]) == (theirs, "同じ方ですか")
    assert mine not in str(question)
    assert (await desks.call("GET", "/v1/enquiries", "city")).json() == []
    assert (await desks.say(match["id"], "same", by="city")).status_code == 404
    assert (await desks.say(match["id"], "perhaps")).status_code == 422
    assert (await desks.say(match["id"], "unsure")).status_code == 200
    assert (await desks.say(match["id"], "same")).json()["reason"] == "match-is-answered"
    assert (await desks.call("GET", "/v1/enquiries", "shakyo")).json() == []
    assert [m["answer"] for m in await desks.matches()] == ["unsure"]
    await desks.ask(match["id"], mine)
    assert (await desks.say(match["id"], "different", by="city")).status_code == 200
    assert await desks.matches() == []
    assert [m["answer"] for m in await desks.matches("?status=answered")] == ["different"]
    path = f"/v1/matches/{match['id']}"
    file = (await desks.call("GET", path, "center", "matcher")).json()
    assert [step["answer"] for step in file["steps"]] == [None, "unsure", None, "different"]


async def test_every_way_in_is_looked_at(desks: Desks) -> None:
    """A case opened, a person described later, a notice taken."""
    await desks.open("city", {**HANA, "address": "生駒市𩸽町1-2"})
    case = await desks.open("shakyo")
    assert await desks.matches() == []
    part = {"person": {**TYPED, "relation": "self"}}
    saved = await desks.call("PUT", f"/v1/cases/{case}/sections/person", "shakyo", **part)
    assert saved.status_code == 200, saved.text
    assert len(await desks.matches()) == 1
    words = {
        "kind": "memo",
        "about": "吉田葛花",
        "place": "生駒市𩸽町1-2",
        "text": "新聞がたまっている",
    }
    sent = await desks.call("POST", "/v1/notices", "clinic", **words)
    assert len(await desks.matches()) == 1
    taken = await desks.call("POST", f"{sent.headers['location']}/taking", "clinic")
    assert taken.status_code == 200, taken.text
    leads = [{side["lead"] for side in match["sides"]} for match in await desks.matches()]
    assert {"clinic", "city"} in leads


async def test_a_write_takes_no_other_steps_where_the_person_is_known(desks: Desks) -> None:
    """Neither what is answered nor what is done tells: the same statements, rows and bytes."""
    answers, rows = [], []
    for by in ("city", "shakyo"):
        client = desks.running.client(by, "intake_worker")
        made = await client.post("/v1/cases", json={"route": "agency", "people": [HANA]})
        headers = {
            k: v for k, v in made.headers.items() if k not in ("location", "tsunagu-position")
        }
        answers.append((made.status_code, len(made.content), headers))
        before = await _rows(desks)
        own = await desks.running.own()
        await desks.running.apply(own[desks._seen :])
        desks._seen = len(own)
        rows.append({name: n - before[name] for name, n in (await _rows(desks)).items()})
    assert answers[0] == answers[1]
    assert rows[0] == rows[1]
    assert len(await desks.matches()) == 1


async def _rows(desks: Desks) -> dict[str, int]:
    tables = (
        "cases",
        "party",
        "search",
        "marks",
        "uncompared",
        "likely",
        "enquiry",
        "merges",
        "kept",
    )
    counted = ", ".join(f"(select count(*) from {name}) as {name}" for name in tables)
    row = await desks.running.rt.reads.fetchrow(f"select {counted}")
    assert row is not None
    return dict(row)
