"""The one-case page in a browser: in Japanese, on a telephone, accessible, and printed with a mark."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agency.document import Document
from operate.install import ROOT
from shared.contracts.intake import (
    ContactCorrected,
    ContactRecorded,
    HealthRecorded,
    SituationRecorded,
)
from shared.contracts.views import PagePrinted, ReadingRecorded
from tests.integration._service import served
from tests.integration.test_views import KNEE, Town, town

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["town"]

BROWSER = next((p for p in ("chromium", "google-chrome", "chrome") if shutil.which(p)), None)
AXE = Path(os.environ.get("AXE_CORE", ROOT / "node_modules/axe-core/axe.min.js"))
FORM = {"content-type": "application/x-www-form-urlencoded"}
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium is there")


async def shared(town: Town) -> Any:
    """A consent, and what was said with it; the handle of the document."""
    consent = town.consent(town.care)
    health = HealthRecorded(case=town.case, person=town.hana, care_level="care_1")
    await town.views.tell(consent, health, SituationRecorded(case=town.case, person=town.hana,
                                                            health=f"{KNEE} 𠮷" * 60))  # fmt: skip
    await town.judged()
    async with town.views.client(town.care, "agency_worker") as member:
        handle = (await member.get("/v1/views")).json()["items"][0]["handle"]
    return consent, handle


def form(page: str) -> str:
    found = re.findall(r'name="token" value="([^"]*)"', page)
    return f"token={found[-1]}"


async def test_the_page_speaks_japanese_and_a_copy_is_marked_and_on_record(town: Town) -> None:
    consent, handle = await shared(town)
    place, headers = f"/v1/views/{handle}/page", FORM
    async with town.views.client(town.care, "agency_worker", subject="suzuki") as member:
        page = (await member.get(place)).text
        for word in ("要介護1", "要介護度", "健康状態", "記録日"):
            assert word in page, word
        for code in ("care_1", "care_level", "health_disability"):
            assert code not in page, code
        copies = [(await member.post(f"{place}/print", content=form(page), headers=headers)).text
                  for _ in range(2)]  # fmt: skip
        for number, copy in enumerate(copies, 1):
            for mark in (f"{handle[:8]}-{number}", "suzuki", town.care, "複製を禁じます", KNEE):
                assert mark in copy, mark
        for wrong in ("", "token=x"):
            answer = await member.post(f"{place}/print", content=wrong, headers=headers)
            assert (answer.status_code, KNEE in answer.text) == (422, False)
        await town.views.tell(town.withdrawn(consent))
        await town.judged()
        assert "印刷した控え(番号の末尾 1、2)も対象です" in (await member.get(place)).text
    async with town.views.client(town.clinic, "agency_worker") as stranger:
        answer = await stranger.post(f"{place}/print", content=form(page), headers=headers)
        assert answer.status_code == 404
    printed = await town.views.written(PagePrinted)
    assert [(one.agency, one.document, one.copy_number) for one in printed] == [
        (town.care, 1, 1), (town.care, 1, 2),
    ]  # fmt: skip
    assert len(await town.views.written(ReadingRecorded)) == 4  # two pages, two copies


async def test_the_page_and_the_document_say_that_what_was_held_was_wrong(town: Town) -> None:
    """L17: in Japanese, and nothing of what it said; a rebuild of the content makes the same."""
    line: dict[str, Any] = {"record": uuid4(), "case": town.case, "subjects": (town.hana,)}
    consent = town.consent(town.care, classes=("life_history",))
    await town.views.tell(consent, ContactRecorded(**line, method="visit", text="別人の話"))
    await town.judged()
    right = ContactCorrected(**line, method="phone", reason="取り違え")
    await town.views.tell(right)
    await town.judged()
    async with town.views.client(town.care, "agency_worker") as member:
        handle = (await member.get("/v1/views")).json()["items"][0]["handle"]
        page = (await member.get(f"/v1/views/{handle}/page")).text
        document = (await member.get(f"/v1/views/{handle}")).json()
    assert "<strong>訂正(" in page
    assert "<strong>誤記録(" in page
    assert not [word for word in ("別人の話", "取り違え", "None") if word in page]
    items = Document.model_validate(document).items
    said = {(one.field, one.told.what, one.value is None) for one in items if one.told}
    assert said == {("method", "corrected", False), ("text", "recorded_in_error", True)}


@asynccontextmanager
async def opened(town: Town, url: str, width: int) -> AsyncIterator["Page"]:
    from playwright.async_api import async_playwright

    token = town.views.stack.token(town.care, ["agency_worker"], "suzuki")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which(BROWSER or ""),
            args=("--no-sandbox", "--disable-gpu", "--no-first-run"),
        )
        page = await browser.new_page(
            base_url=url,
            viewport={"width": width, "height": 800},
            bypass_csp=True,
            extra_http_headers={"authorization": f"Bearer {token}"},
        )
        yield page
        await browser.close()


@needs_browser
async def test_it_fits_a_telephone_prints_only_as_a_copy_and_axe_finds_nothing(town: Town) -> None:
    consent, handle = await shared(town)
    async with served(town.views) as url, opened(town, url, 360) as page:
        for state in ("held", "copy", "owed"):
            if state == "owed":
                await town.views.tell(town.withdrawn(consent))
                await town.judged()
            if state == "copy":
                await page.get_by_role("button", name="印刷用の控えを作る").click()
            else:
                await page.goto(f"/v1/views/{handle}/page")
            for width in (360, 1280):
                await page.set_viewport_size({"width": width, "height": 800})
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (state, wide)
                if AXE.is_file():
                    await page.evaluate(AXE.read_text("utf-8"))
                    found = await page.evaluate("axe.run()")
                    wrong = [
                        (v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]
                    ]
                    assert wrong == [], state
            await page.emulate_media(media="print")
            seen = await page.locator("body").inner_text()
            assert (KNEE in seen) == (state == "copy"), state
            await page.emulate_media(media="screen")
