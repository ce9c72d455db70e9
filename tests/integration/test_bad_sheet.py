"""Bad input of a sheet, a consent, a household: a clear answer in two languages, nothing half stored.

And its neighbours that are no bad input at all: they come back as they were sent.
"""

import re
import unicodedata
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from operate.stack import Stack
from shared.calendar import TOKYO
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import Running, service_on

HANA, KEN = "019c0000-0000-7000-8000-000000000002", "019c0000-0000-7000-8000-000000000003"
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")
HELD = """
select (select count(*) from journal), (select count(*) from command), (select count(*) from timer),
       (select count(*) from attachment)"""
CONSENT = {
    "person": HANA, "classes": ["contact"], "purposes": ["coordination"], "holders": ["care"],
    "text_version": "2026-04",
}  # fmt: skip
PROXY = {
    "kind": "guardian", "name": "𠮷田 健", "document": "登記事項証明書", "scope": ["contact"],
    "begins": "2020-04-01",
}  # fmt: skip


class Desk:
    """A case of a household of two; a consent that was withdrawn; a person under an abuse flag."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.client = running.client("city", "intake_worker", "supervisor")
        self.case = self.withdrawn = ""

    async def open(self) -> None:
        about: dict[str, Any] = {
            "kind": "window",
            "controller": "city",
            "purposes": ("coordination",),
        }
        for code in ("city", "care"):
            await self.running.tell(AgencyRegistered(agency=code, name=code, **about))
        people = [{"id": HANA, "name": "𠮷田 花"}, {"id": KEN, "relation": "child"}]
        made = await self.send("POST", "/v1/cases", route="agency", people=people)
        assert made.status_code == 201, made.text
        self.case = made.headers["location"]
        both = [{"person": person} for person in (HANA, KEN)]
        relations = [{"person": HANA, "to": KEN, "relation": "parent"}]
        done = [
            await self.send("POST", f"{self.case}/household", joined=both, relations=relations),
            given := await self.send("POST", f"{self.case}/consents", **CONSENT),
            await self.send("POST", f"{given.headers['location']}/withdrawal"),
            await self.send("POST", f"{self.case}/flags", person=KEN, flags=["abuse"]),
        ]
        assert {answer.status_code for answer in done} <= {200, 201}, [a.text for a in done]
        self.withdrawn = given.headers["location"]

    async def send(self, verb: str, path: str, language: str = "ja", **body: Any) -> Any:
        headers = {"accept-language": language}
        return await self.client.request(verb, path, json=body, headers=headers)

    async def held(self) -> Any:
        return tuple(await self.running.rt.pool.fetchrow(HELD))


@pytest_asyncio.fixture(scope="module")
async def desk(servers: Stack, templates: None) -> AsyncIterator[Desk]:
    async with service_on(servers, "intake") as running:
        found = Desk(running)
        await found.open()
        yield found


def person(**known: Any) -> tuple[str, dict[str, Any]]:
    return "PUT {case}/sections/person", {"person": {"id": HANA, **known}}


def born(birth: str) -> tuple[str, dict[str, Any]]:
    return person(birth=birth)


def consent(**terms: Any) -> tuple[str, dict[str, Any]]:
    return "POST {case}/consents", {**CONSENT, **terms}


def related(relation: str, one: str, other: str) -> tuple[str, dict[str, Any]]:
    told = {"person": one, "relation": relation, "to": other}
    return "POST {case}/household", {"relations": [told]}


def file(content: bytes, media_type: str) -> tuple[str, dict[str, Any]]:
    body = {
        "kind": "consent_form",
        "media_type": media_type,
        "content": b64encode(content).decode(),
    }
    return "POST {case}/attachments", body


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "a name of 201 characters": person(name="𠮷" * 201),
    "a name of blanks": person(name=" \u3000 "),
    "a NUL": person(name="花\0子"),
    "an escape sequence": person(kana="\x1b[31mハナ"),
    "two lines": person(name="花\n子"),
    "a C1 control": person(name="花\x85子"),
    "a line separator": person(address="生駒市\u2028谷田町"),
    "an override of direction": person(name="花\u202e子"),
    "an isolate of direction": person(common_name="\u2067花"),
    "the same in a summary": (
        "PUT {case}/sections/situation", {"situation": {"person": HANA, "health": "膝\u202eが"}}
    ),
    "慶応": born("1868-00"),
    "the year before 明治元年": born("1867-12-31"),
    "31 February": born("1944-02-31"),
    "29 February of no leap year": born("1943-02-29"),
    "month 13": born("1944-13"),
    "和暦": born("昭和19年3月2日"),
    "a birth in the future": born("2199-01-01"),
    "a year of birth in the future": born("2199"),
    "two main worries": (
        "PUT {case}/sections/worries", {"worries": {"concerns": [], "main_concern": ["care", "debt"]}}
    ),
    "a parent of himself": related("parent", HANA, HANA),
    "a child that is his parent's parent": (
        "POST {case}/household",
        {"relations": [
            {"person": HANA, "relation": "parent", "to": KEN},
            {"person": KEN, "relation": "grandparent", "to": HANA},
            {"person": HANA, "relation": "grandparent", "to": HANA},
        ]},
    ),
    "a consent that ends before it begins": consent(
        begins="2026-05-01T00:00:00+09:00", until="2026-04-30T00:00:00+09:00"
    ),
    "a consent that ends as it begins": consent(
        begins="2026-05-01T00:00:00+09:00", until="2026-05-01T00:00:00+09:00"
    ),
    "a consent for an unknown agency": consent(holders=["care", "nobody"]),
    "a consent less an unknown agency": consent(excluded=["nobody"]),
    "a consent for nobody": consent(holders=[]),
    "a consent of a stranger": consent(person="019c0000-0000-7000-8000-000000000009"),
    "withdrawal twice": ("POST {withdrawn}/withdrawal", {}),
    "narrowing what was withdrawn": ("POST {withdrawn}/narrowing", {"dropped": ["contact"]}),
    "a proxy under an abuse flag": consent(person=KEN, proxy=PROXY),
    "a proxy in a conflict of interest": consent(proxy=PROXY | {"conflict_of_interest": True}),
    "a picture that is a text": file(b"hello", "image/png"),
    "a PDF that is a program": file(b"MZ\x90\0" * 40, "application/pdf"),
    "a PDF that says it is a picture": file(b"%PDF-1.7\n1 0 obj\n%%EOF\n", "image/jpeg"),
    "a half picture": file(b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
async def test_it_is_said_in_both_languages_and_nothing_is_stored(desk: Desk, name: str) -> None:
    what, body = WRONG[name]
    verb, path = what.format(case=desk.case, withdrawn=desk.withdrawn).split()
    before = await desk.held()
    told = {lang: await desk.send(verb, path, lang, **body) for lang in ("ja", "en")}
    assert await desk.held() == before
    for language, answer in told.items():
        assert answer.status_code in (409, 422), answer.text
        said = answer.json()
        assert answer.headers["content-language"] == language
        assert bool(JAPANESE.search(said["title"])) == (language == "ja")
        assert said["reason"] if answer.status_code == 409 else said["errors"]
        for error in said.get("errors", ()):
            english, japanese = error["message"].split(" / ", 1)
            assert not JAPANESE.search(english.replace("明治元年", "")), error
            assert JAPANESE.search(japanese), error
            assert error["field"].startswith("body"), error


TAKEN: dict[str, dict[str, str]] = {
    "a name of 200 characters": {"name": "𠮷" * 200},
    "variation selectors": {"name": "葛\U000e0100城 辻\U000e0101邉"},
    "4-byte kanji": {"name": "𠮷田 𣘺 𩸽", "address": "生駒市𩸽町"},
    "emoji joined and tinted": {"common_name": "👩‍👩‍👧‍👦 👍🏽 🇯🇵"},
    "marks of direction": {"name": "محمد\u200f علي\u200e", "kana": "ムハンマド アリ"},
    "a joiner inside a word": {"name": "علی\u200cرضا"},
    "combining marks": {"name": unicodedata.normalize("NFD", "Nguyễn Thị"), "kana": "カ\u3099"},
    "the first day of 明治": {"birth": "1868-01-25"},
    "the last day of 明治, the first of 大正": {"birth": "1912-07-30"},
    "the last day of 平成": {"birth": "2019-04-30"},
    "令和元年": {"birth": "2019-05-01"},
    "29 February of a leap year": {"birth": "1944-02-29"},
}


@pytest.mark.parametrize("name", TAKEN)
async def test_it_comes_back_as_it_was_sent(desk: Desk, name: str) -> None:
    verb, body = person(**TAKEN[name])
    saved = await desk.send("PUT", verb.split()[1].format(case=desk.case), **body)
    assert saved.status_code == 200, saved.text
    shown = await desk.client.get(f"{desk.case}/sections/person", params={"person": HANA})
    fields = {field: one["value"] for field, one in shown.json()["fields"].items()}
    assert TAKEN[name].items() <= fields.items()


async def test_somebody_may_be_born_today_but_not_tomorrow(desk: Desk) -> None:
    today: datetime = desk.running.rt.clock.now().astimezone(TOKYO)
    for days, status in ((0, 200), (1, 422)):
        day = str((today + timedelta(days)).date())
        path, body = born(day)
        answer = await desk.send("PUT", path.split()[1].format(case=desk.case), **body)
        assert answer.status_code == status, answer.text
