"""Search: one's own cases only, over an index in which no name stands."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from services.intake.index import digests
from shared.contracts.intake import LeadOffered, PersonDescribed
from tests.integration._service import Running, service_on

HANA = {
    "name": "𠮷田 葛󠄀花",
    "kana": "ヨシダ カズハナ",
    "birth": "1944-03-02",
    "address": "生駒市𩸽町辻󠄀1-2",
    "phone": "0743-00-0000",
}


@pytest_asyncio.fixture
async def intake(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "intake") as running:
        yield running


async def opened(running: Running, agency: str, *people: dict[str, Any]) -> str:
    client = running.client(agency, "intake_worker")
    made = await client.post("/v1/cases", json={"route": "agency", "people": people})
    assert made.status_code == 201, made.text
    await running.apply(await running.own())
    return str(made.json()["id"])


async def found(running: Running, agency: str, q: str, **more: Any) -> list[str]:
    client = running.client(agency, "intake_worker")
    answer = await client.get("/v1/cases", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return [line["id"] for line in answer.json()["items"]]


async def test_a_case_is_found_by_its_people_however_typed(intake: Running) -> None:
    hana = await opened(intake, "city", HANA)
    ken = await opened(intake, "city", {"name": "佐藤 健", "kana": "サトウ ケン"})
    for typed in (
        "吉田",
        "よしだ",
        "ﾖｼﾀﾞ ｶｽﾞﾊﾅ",
        "0743000000",
        "昭和19年3月2日",
        "𩸽町",
        "吉田 1944",
    ):
        assert await found(intake, "city", typed) == [hana], typed
    assert await found(intake, "city", "さとー") == [ken]
    assert await found(intake, "city", "吉田 1950") == []
    assert await found(intake, "city", "ー") == await found(intake, "city", " ") == []
    assert await found(intake, "city", "吉田", status="closed") == []


async def test_words_fit_one_person_not_a_household(intake: Running) -> None:
    await opened(intake, "city", HANA, {"relation": "child", "name": "𠮷田 健", "birth": "1971"})
    assert await found(intake, "city", "健 1944") == []
    assert len(await found(intake, "city", "健 1971")) == 1


async def test_the_newest_value_is_found(intake: Running) -> None:
    case = await opened(intake, "city", HANA)
    client = intake.client("city", "intake_worker")
    person = (await client.get(f"/v1/cases/{case}")).json()["people"][0]
    part = {"person": {"id": person, "phone": "0743-99-9999"}}
    saved = await client.put(f"/v1/cases/{case}/sections/person", json=part)
    assert saved.status_code == 200
    await intake.apply(await intake.own())
    assert await found(intake, "city", "0743-99-9999") == [case]
    assert await found(intake, "city", "0743-00-0000") == []
    assert await found(intake, "city", "吉田") == [case]


async def test_nobody_finds_by_a_name_that_he_was_not_told(intake: Running) -> None:
    """Standing in a case is not enough: a lead that is only offered has not seen the name (L24)."""
    case = await opened(intake, "city", HANA)
    await intake.tell(LeadOffered(case=case, to="shakyo"), skip=3)
    assert await found(intake, "shakyo", "吉田") == []
    assert await found(intake, "clinic", "吉田") == []


async def test_the_index_holds_no_name(intake: Running) -> None:
    await opened(intake, "city", HANA)
    rows = await intake.rt.reads.fetch("select * from search")
    assert {row["field"] for row in rows} == set(HANA)
    text = repr([dict(row) for row in rows])
    for value in HANA.values():
        assert value not in text


async def test_the_index_is_of_this_installation_alone(intake: Running) -> None:
    """Two installations have two keys: who has one index cannot read the other."""
    await opened(intake, "city", HANA)
    rows = await intake.rt.reads.fetch("select terms from search")
    ours = {term for row in rows for term in row["terms"]}
    assert ours & set(digests(intake.rt.keys.index_key, ["city text 吉"]))
    assert not ours & set(digests(b"", ["city text 吉"]))


async def test_who_searches_comes_past_nothing_that_others_hold(intake: Running) -> None:
    """The same person at two desks is found by digests of which none is the same (L24)."""
    for agency in ("city", "shakyo"):
        await opened(intake, agency, HANA)
    rows = await intake.rt.reads.fetch("select recorder, terms from search")
    of = {
        who: {t for r in rows if r["recorder"] == who for t in r["terms"]}
        for who in ("city", "shakyo")
    }
    assert of["city"]
    assert not of["city"] & of["shakyo"]


async def test_who_led_a_case_finds_what_others_recorded_in_it(intake: Running) -> None:
    case = await opened(intake, "city", HANA)
    await intake.tell(LeadOffered(case=case, to="shakyo"), skip=3)
    person = (await intake.client("city", "intake_worker").get(f"/v1/cases/{case}")).json()[
        "people"
    ][0]
    told = PersonDescribed(case=case, person=person, former_name="髙橋")
    await intake.tell(told, agency="shakyo")
    for agency in ("city", "shakyo"):
        assert await found(intake, agency, "高橋") == [case]
    assert await found(intake, "shakyo", "吉田") == []
