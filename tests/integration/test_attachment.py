"""Files of a case: taken for what they are, sealed at rest, read with a row, gone with the key."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from operate.stack import Stack
from services.intake.domain.files import recognised
from shared import journal
from shared.contracts.intake import AttachmentAdded
from tests.integration._service import Running, service_on
from tests.unit.test_files import SECRET, chunk, exif, jpeg, png
from tests.unit.test_pdf import locked, pdf, telling

HANA = uuid4()
PDF = recognised(pdf())[1]
SAME_TRANSACTION = """
select a.xmin = j.xmin from attachment a join journal j on j.stream = 'attachment/' || a.id"""


class Desk:
    def __init__(self, running: Running, case: str) -> None:
        self.running, self.rt, self.path = running, running.rt, f"/v1/cases/{case}/attachments"
        self.case, self.city = UUID(case), running.client("city", "intake_worker")

    async def add(self, content: bytes = PDF, expect: int = 201, **body: Any) -> Any:
        headers = body.pop("headers", {})
        told = {"kind": "signed_consent", "media_type": "application/pdf", **body}
        told["content"] = b64encode(content).decode()
        answer = await self.city.post(self.path, json=told, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer

    async def stored(self) -> list[bytes]:
        rows = await self.rt.pool.fetch("select content from attachment order by stored_at")
        return [row["content"] for row in rows]


@pytest_asyncio.fixture
async def desk(servers: Stack, templates: None) -> AsyncIterator[Desk]:
    async with service_on(servers, "intake") as running:
        city = running.client("city", "intake_worker")
        person = {"id": str(HANA), "relation": "self", "name": "𠮷田 花"}
        made = await city.post("/v1/cases", json={"route": "agency", "people": [person]})
        await running.apply(await running.own())
        yield Desk(running, made.json()["id"])


async def test_a_file_comes_back_as_it_was_and_lies_sealed(desk: Desk) -> None:
    path = (await desk.add(title="同意書 𠮷田", person=str(HANA))).headers["location"]
    answer = await desk.city.get(path)
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    (line,) = (await desk.city.get(desk.path)).json()
    assert (line["title"], line["kind"], line["size"], line["person"], line["removed"]) == (
        "同意書 𠮷田",
        "signed_consent",
        len(PDF),
        str(HANA),
        False,
    )
    (sealed,) = await desk.stored()
    assert "同意書".encode() not in sealed
    assert len(await desk.running.written(AttachmentAdded)) == 1
    last = await desk.rt.pool.fetchrow("select * from reading order by seq desc limit 1 offset 1")
    assert last is not None
    assert (last["path"], last["case_id"]) == (
        "/v1/cases/{id}/attachments/{attachment}",
        desk.case,
    )


async def test_a_photograph_is_kept_without_place_and_camera(desk: Desk) -> None:
    told = jpeg(exif(6))
    added = await desk.add(told, media_type="image/jpeg", kind="photograph")
    kept = (await desk.city.get(added.headers["location"])).content
    assert SECRET in told
    assert SECRET not in kept
    assert kept.startswith(b"\xff\xd8")


async def test_a_pdf_is_kept_without_author_and_what_else_it_tells(desk: Desk) -> None:
    kept = (await desk.city.get((await desk.add(telling())).headers["location"])).content
    assert kept.startswith(b"%PDF-")
    assert "同意書".encode() in kept
    assert SECRET not in kept


async def test_what_is_not_what_it_says_leaves_nothing_and_is_told_why_in_both_languages(
    desk: Desk,
) -> None:
    for content, said in (
        (png(), "image/jpeg"),
        (b"MZ\x90\0", "application/pdf"),
        (png(chunk(b"EVIL", b"x")), "image/png"),
        (b"", "image/png"),
        (b"%PDF-1.7" + bytes(5_000_000) + b"%%EOF", "application/pdf"),
        (PDF[:300] + b"%%EOF", "application/pdf"),
        (locked("secret"), "application/pdf"),
    ):
        _in_both_languages(await desk.add(content, media_type=said, expect=422))
    for wrong in ({"person": str(uuid4())}, {"record": str(uuid4())}, {"kind": "rumour"}):
        _in_both_languages(await desk.add(expect=422, **wrong))
    assert await desk.stored() == []
    assert await desk.running.written(AttachmentAdded) == []


def _in_both_languages(answer: httpx.Response) -> None:
    for error in answer.json()["errors"]:
        english, _, japanese = error["message"].partition(" / ")
        assert english
        assert not japanese.isascii()


async def test_the_file_and_what_is_recorded_of_it_are_written_and_go_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = (await desk.add()).headers["location"]
    assert [row[0] for row in await desk.rt.pool.fetch(SAME_TRANSACTION)] == [True]

    def killed(name: str) -> None:
        if name == "journal.committed":
            raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(journal, "point", killed)
        removed = await desk.city.post(f"{path}/removal", json={"reason": "別の方の写し"})
        assert removed.status_code == 503
        await desk.add(headers={"idempotency-key": "once"}, expect=503)
    stored = await desk.rt.pool.fetch(SAME_TRANSACTION)
    assert [row[0] for row in stored] == [True]
    again = await desk.add(headers={"idempotency-key": "once"})
    assert (await desk.city.get(again.headers["location"])).content == PDF
    assert (await desk.city.get(path)).status_code == 404
    assert len(await desk.stored()) == 1


async def test_a_repeat_keeps_one(desk: Desk) -> None:
    key = {"idempotency-key": "once"}
    first, again = [await desk.add(headers=key) for _ in range(2)]
    assert first.json() == again.json()
    assert len(await desk.stored()) == 1
    assert (await desk.city.get(first.headers["location"])).content == PDF


async def test_it_goes_with_the_persons_key_or_when_it_is_removed(desk: Desk) -> None:
    hers = (await desk.add(person=str(HANA))).headers["location"]
    theirs = (await desk.add()).headers["location"]
    await desk.rt.keyring.destroy(f"person/{HANA}")
    assert (await desk.city.get(hers)).status_code == 404
    assert (await desk.city.get(theirs)).status_code == 200
    refused = await desk.add(person=str(HANA), expect=409)
    assert refused.json()["reason"] == "person-erased"
    removed = await desk.city.post(f"{theirs}/removal", json={"reason": "別の方の写し"})
    assert removed.status_code == 200
    assert (await desk.city.get(theirs)).status_code == 404
    assert len(await desk.stored()) == 1


async def test_others_see_none_of_it(desk: Desk) -> None:
    path = (await desk.add()).headers["location"]
    other = desk.running.client("shakyo", "intake_worker")
    for place in (path, desk.path):
        assert (await other.get(place)).status_code == 404
