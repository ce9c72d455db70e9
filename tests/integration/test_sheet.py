"""The つなぐシート in sections: partial, in any order, by several people, without a lost update."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from operate.stack import Stack
from tests.integration._service import Running, service_on

HANA, KEN = "019c0000-0000-7000-8000-000000000002", "019c0000-0000-7000-8000-000000000003"


@pytest_asyncio.fixture
async def intake(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "intake") as running:
        yield running


class Sheet:
    """One case of a household of two, seen by one worker."""

    def __init__(self, running: Running, agency: str = "city", subject: str = "tanaka") -> None:
        self.client = running.client(agency, "intake_worker", subject=subject)
        self.path = ""

    async def open(self) -> None:
        people = [
            {"id": HANA, "name": "𠮷田 葛󠄀花", "kana": "ヨシダ ハナ"},
            {"id": KEN, "relation": "child", "name": "𠮷田 健"},
        ]
        made = await self.client.post("/v1/cases", json={"route": "agency", "people": people})
        assert made.status_code == 201, made.text
        self.path = made.headers["location"]

    async def save(self, name: str, part: dict[str, Any], seen: int | None = None) -> Any:
        headers = {} if seen is None else {"if-match": f'"{seen}"'}
        path = f"{self.path}/sections/{name}"
        return await self.client.put(path, json={name: part}, headers=headers)

    async def read(self, name: str, person: str | None = None) -> Any:
        params = {"person": person} if person else {}
        return await self.client.get(f"{self.path}/sections/{name}", params=params)

    async def values(self, name: str, person: str | None = None) -> dict[str, Any]:
        answer = await self.read(name, person)
        assert answer.status_code == 200, answer.text
        return {field: one["value"] for field, one in answer.json()["fields"].items()}


@pytest_asyncio.fixture
async def sheet(intake: Running) -> Sheet:
    found = Sheet(intake)
    await found.open()
    return found


PARTS: dict[str, dict[str, Any]] = {
    "person": {"id": HANA, "common_name": "𠮷田 はな", "former_name": "髙橋", "birth": "1944-03"},
    "situation": {"person": HANA, "health": "膝が悪い"},
    "living": {"person": HANA, "work": "pensioner", "housing": "owned", "income": "年金 月6万円"},
    "health": {"person": HANA, "handbooks": ["physical"], "care_level": "care_1"},
    "worries": {"concerns": ["care", "hikikomori"], "main_concern": "care"},
    "involved": {"agencies": ["𩸽町ヘルパー事業所"]},
    "urgency": {"urgency": "urgent", "reason": "食事がとれていない"},
    "reporter": {"route": "family_phone", "relation": "child", "name": "𠮷田 健"},
}


async def test_every_section_is_saved_and_read_by_itself(sheet: Sheet) -> None:
    for name, part in PARTS.items():
        saved = await sheet.save(name, part)
        assert saved.status_code == 200, saved.text
    for name, part in PARTS.items():
        shown = await sheet.values(name, part.get("person") or part.get("id"))
        expected = {field: value for field, value in part.items() if field not in ("person", "id")}
        assert expected.items() <= shown.items()


async def test_two_workers_in_two_sections_do_not_stand_in_one_anothers_way(sheet: Sheet) -> None:
    first = await sheet.read("living", HANA)
    assert first.headers["etag"] == '"0"'
    assert (await sheet.save("worries", PARTS["worries"])).status_code == 200
    assert (await sheet.save("living", PARTS["living"], seen=0)).status_code == 200


async def test_of_two_workers_in_one_section_the_second_is_told(sheet: Sheet) -> None:
    assert (await sheet.save("living", PARTS["living"], seen=0)).status_code == 200
    late = await sheet.save("living", {"person": HANA, "work": "home"}, seen=0)
    assert late.status_code == 412
    now = (await sheet.read("living", HANA)).json()["version"]
    assert late.json()["version"] == now
    assert (await sheet.save("living", {"person": HANA, "work": "home"}, now)).status_code == 200
    shown = await sheet.values("living", HANA)
    assert (shown["work"], shown["housing"]) == ("home", "owned")


async def test_sections_of_two_persons_are_two(sheet: Sheet) -> None:
    assert (await sheet.save("living", PARTS["living"])).status_code == 200
    assert await sheet.values("living", KEN) == {}
    assert (await sheet.save("living", {"person": KEN, "work": "none"}, seen=0)).status_code == 200


async def test_each_field_names_who_recorded_it_and_when(sheet: Sheet, intake: Running) -> None:
    assert (await sheet.save("living", PARTS["living"])).status_code == 200
    again = Sheet(intake, subject="suzuki")
    again.path = sheet.path
    assert (await again.save("living", {"person": HANA, "work": "home"})).status_code == 200
    fields = (await sheet.read("living", HANA)).json()["fields"]
    assert (fields["work"]["actor"], fields["housing"]["actor"]) == ("suzuki", "tanaka")
    assert fields["work"]["recorded_by"] == "city"


async def test_a_summary_that_speaks_of_another_member_is_pointed_out(sheet: Sheet) -> None:
    plain = (await sheet.save("situation", {"person": HANA, "health": "膝が悪い"})).json()
    assert (plain["mentions"], plain["relation_words"]) == ([], [])
    part = {"person": HANA, "history": "息子の健さんと暮らす"}
    told = (await sheet.save("situation", part)).json()
    assert (told["mentions"], told["relation_words"]) == ([KEN], ["息子"])


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("living", {"person": HANA, "work": "astronaut"}),
        ("living", {"work": "home"}),
        ("involved", {"agencies": []}),
        ("living", {"person": HANA, "work": "home", "not_to": ["city"]}),
    ],
)
async def test_what_cannot_be_is_said_and_nothing_is_stored(
    sheet: Sheet, name: str, part: dict[str, Any]
) -> None:
    before = (await sheet.client.get(sheet.path)).json()["version"]
    refused = await sheet.save(name, part)
    assert refused.status_code == 422, refused.text
    assert (await sheet.client.get(sheet.path)).json()["version"] == before


@pytest.mark.parametrize("birth", ["1944", "1944-03"])
async def test_a_birth_date_may_be_known_in_part(sheet: Sheet, birth: str) -> None:
    assert (await sheet.save("person", {"id": HANA, "birth": birth})).status_code == 200
    assert (await sheet.values("person", HANA))["birth"] == birth


async def test_a_stranger_finds_no_section_and_no_case(sheet: Sheet, intake: Running) -> None:
    stranger = Sheet(intake, agency="clinic")
    stranger.path = sheet.path
    for answer in (
        await stranger.read("worries"),
        await stranger.save("worries", {"concerns": []}),
    ):
        assert answer.status_code == 404


async def test_the_person_of_a_persons_section_is_named(sheet: Sheet) -> None:
    assert (await sheet.read("living")).status_code == 422
    assert (await sheet.read("worries", HANA)).status_code == 422


async def test_a_closed_list_is_told_with_its_words_and_what_nobody_has_confirmed(
    sheet: Sheet,
) -> None:
    told = (await sheet.client.get("/v1/lists/concern", params={"on": "2026-04-01"})).json()
    assert (told["title"], told["confirmed"]) == ("ご相談の内容(お困りのこと)", False)
    assert told["codes"]["care"]
    assert (await sheet.client.get("/v1/lists/nothing")).status_code == 404
