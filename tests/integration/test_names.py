"""Names and dates as people type them, over the API: kept whole, or refused with a clear answer."""

from typing import Any

from operate.stack import Stack
from tests.integration._service import service_on

KEPT: list[dict[str, str]] = [
    {"name": "𠮷" * 200},
    {"name": "葛󠄀城 邉󠄁"},
    {"name": "𩸽田 🌸子", "kana": "ホッケダ サクラコ"},
    {"name": "שלום \u200fכהן"},
    {"name": "Nguyễn Thị Hoa", "common_name": "阮 花"},
    {"birth": "1868"},
    {"birth": "1868-01-25"},
    {"birth": "1912-07-30"},
    {"birth": "1989-01-08"},
    {"birth": "2019-05-01"},
    {"birth": "2024-02-29"},
    {"birth": "1944-03"},
]
REFUSED: list[dict[str, str]] = [
    {"name": "花" * 201},
    {"name": "花\x00子"},
    {"name": "花\x1b[31m子"},
    {"name": "花\n子"},
    {"kana": " "},
    {"phone": "電話"},
    {"birth": "1867-12-31"},
    {"birth": "2026-02-31"},
    {"birth": "2025-02-29"},
    {"birth": "1944-13"},
    {"birth": "1944-3-2"},
    {"birth": "昭和19年"},
    {"birth": "2999-01-01"},
]


async def test_what_is_kept_comes_back_as_it_was_typed_and_what_cannot_be_leaves_nothing(
    servers: Stack, templates: None
) -> None:
    async with service_on(servers, "intake") as running:
        client = running.client("city", "intake_worker")

        async def opened(**person: Any) -> Any:
            body = {"route": "agency", "people": [{"relation": "self", **person}]}
            return await client.post("/v1/cases", json=body)

        for person in KEPT:
            made = await opened(**person)
            assert made.status_code == 201, (person, made.text)
            file = (await client.get(made.headers["location"])).json()
            (told,) = (f["values"] for f in file["facts"] if "described" in f["type"])
            assert {name: told[name] for name in person} == person
        before = await running.rt.pool.fetchval("select count(*) from journal")
        for person in REFUSED:
            for language, word in (("ja", "入力に誤りがあります"), ("en", "not valid")):
                client.headers["accept-language"] = language
                refused = await opened(**person)
                assert refused.status_code == 422, (person, refused.text)
                assert refused.headers["content-type"] == "application/problem+json"
                assert word in refused.json()["title"] + refused.json().get("detail", "")
        assert await running.rt.pool.fetchval("select count(*) from journal") == before
