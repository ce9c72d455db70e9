"""The 支援経過記録 over the API: written, corrected, circulated, done, listed and printed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from tests.integration._service import Running, service_on

HANA = "019c0000-0000-7000-8000-000000000002"
STRANGER = "019c0000-0000-7000-8000-000000000009"
LINE = {
    "method": "visit",
    "text": "𠮷田さん宅 <b>玄関先</b>",
    "counterpart": "family",
    "counterpart_name": "葛󠄀城 健",
    "minutes": 40,
    "occurred_at": "2026-04-01T10:00:00+09:00",
    "notes": [{"person": HANA, "text": "眠れない"}],
    "next_action": {"text": "電話で確かめる", "on": "2026-04-09"},
}


class File:
    """One case of the city's, as its workers see it."""

    def __init__(self, running: Running) -> None:
        self.running, self.path, self.line, self._seen = running, "", "", 0

    async def call(self, verb: str, path: str, who: str = "tanaka", **body: Any) -> Any:
        agency = body.pop("agency", "city")
        headers = body.pop("headers", {})
        client = self.running.client(agency, "intake_worker", subject=who)
        json = body if verb != "GET" else None
        answer = await client.request(verb, path, json=json, headers=headers)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def get(self, path: str = "", **more: Any) -> Any:
        answer = await self.call("GET", f"{self.line}{path}", **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest_asyncio.fixture
async def file(servers: Stack, templates: None) -> AsyncIterator[File]:
    async with service_on(servers, "intake") as running:
        found = File(running)
        people = [{"id": HANA, "name": "𠮷田 葛󠄀花"}]
        made = await found.call("POST", "/v1/cases", route="agency", people=people)
        found.path = made.headers["location"]
        made = await found.call("POST", f"{found.path}/records", **LINE)
        assert made.status_code == 201, made.text
        found.line = made.headers["location"]
        yield found


async def test_a_line_says_all_that_was_written(file: File) -> None:
    (line,) = (await file.call("GET", f"{file.path}/records")).json()
    assert {name: line[name] for name in ("method", "text", "counterpart_name", "minutes")} == {
        name: LINE[name] for name in ("method", "text", "counterpart_name", "minutes")
    }
    assert line["notes"] == {HANA: "眠れない"}
    assert (line["next_on"], line["next_done"], line["kind"]) == ("2026-04-09", False, "support")
    april_2 = await file.call("GET", f"{file.path}/records?since=2026-04-02")
    assert april_2.json() == []


async def test_the_history_of_a_case_tells_who_said_what_and_what_was_said_before(
    file: File,
) -> None:
    words = {"method": "visit", "text": "電話で話す", "reason": "方法の誤り"}
    await file.call("POST", f"{file.line}/correction", who="sato", **words)
    history = (await file.call("GET", f"{file.path}/history")).json()
    told = [
        (e["actor"], e["values"]["text"])
        for e in history
        if e["type"].startswith("jp.tsunagu.record.contact")
    ]
    assert told == [("tanaka", LINE["text"]), ("sato", "電話で話す")]
    assert [e["at"] for e in history] == sorted(e["at"] for e in history)
    assert {e["stream"].split("/")[0] for e in history} == {"case", "record"}
    assert (await file.call("GET", f"{file.path}/history", agency="shakyo")).status_code == 404


async def test_a_correction_replaces_the_line_and_keeps_the_earlier_words(file: File) -> None:
    path = f"{file.line}/correction"
    words = {"method": "phone", "text": "電話で話す", "reason": "方法の誤り"}
    stale = await file.call("POST", path, headers={"if-match": '"1"'}, **words)
    assert stale.status_code == 412
    told = await file.call("POST", path, headers={"if-match": '"2"'}, **words)
    assert told.status_code == 200, told.text
    line = await file.get()
    assert (line["text"], line["notes"], line["next_action"]) == ("電話で話す", {}, None)
    assert line["occurred_at"] == "2026-04-01T01:00:00Z"
    assert [v["text"] for v in line["versions"]] == [LINE["text"], "電話で話す"]
    assert line["versions"][1]["reason"] == "方法の誤り"
    assert (await file.call("GET", "/v1/next-actions")).json() == []


async def test_a_line_is_circulated_and_read(file: File) -> None:
    asked = await file.call("POST", f"{file.line}/circulation", to=["sato", "abe"])
    assert asked.status_code == 200, asked.text
    (waiting,) = (await file.call("GET", "/v1/circulations", who="sato")).json()
    assert waiting["record"] == file.line.rsplit("/", 1)[-1]
    assert (await file.call("POST", f"{file.line}/reading", who="sato")).status_code == 200
    assert (await file.call("GET", "/v1/circulations", who="sato")).json() == []
    readers = {one["reader"]: one["read_at"] for one in (await file.get())["circulated"]}
    assert readers["sato"]
    assert readers["abe"] is None
    refused = await file.call("POST", f"{file.line}/reading", who="mori")
    assert (refused.status_code, refused.json()["reason"]) == (409, "not-circulated-to-you")


async def test_what_comes_next_is_listed_until_it_is_done(file: File) -> None:
    undated = {"method": "phone", "next_action": {"text": "様子を見る"}}
    await file.call("POST", f"{file.path}/records", **undated)
    waiting = (await file.call("GET", "/v1/next-actions")).json()
    assert [one["text"] for one in waiting] == ["電話で確かめる", "様子を見る"]
    assert (await file.call("GET", "/v1/next-actions", agency="shakyo")).json() == []
    assert (await file.call("POST", f"{file.line}/next-action")).status_code == 200
    (left,) = (await file.call("GET", "/v1/next-actions")).json()
    assert left["text"] == "様子を見る"
    assert (await file.call("POST", f"{file.line}/next-action")).status_code == 409


async def test_the_printed_list_shows_words_and_runs_none_of_them(file: File) -> None:
    page = await file.call("GET", f"{file.path}/records/print")
    assert page.headers["content-type"].startswith("text/html")
    assert "𠮷田さん宅 &lt;b&gt;玄関先&lt;/b&gt;" in page.text
    assert "𠮷田 葛󠄀花:眠れない" in page.text
    assert "2026-04-01 10:00" in page.text


async def test_bad_lines_are_refused_and_strangers_find_nothing(file: File) -> None:
    for wrong in (
        {"method": "fax"},
        {"method": "phone", "minutes": 1441},
        {"method": "phone", "notes": [{"person": STRANGER, "text": "誰"}]},
        {"method": "phone", "notes": [{"person": HANA, "text": "一"}] * 2},
        {"method": "phone", "staff": ["山田"]},
    ):
        assert (await file.call("POST", f"{file.path}/records", **wrong)).status_code == 422
    for path in (file.line, f"{file.path}/records/{STRANGER}", f"{file.path}/records/x"):
        found = await file.call("GET", path, agency="shakyo")
        assert found.status_code == 404
    assert (await file.call("GET", f"{file.path}/records/{STRANGER}")).status_code == 404
    assert len((await file.call("GET", f"{file.path}/records")).json()) == 1
