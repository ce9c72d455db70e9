"""What is written into any text field of intake is found nowhere in the clear, in no encoding.

`CANARIES=2000` searches for as many; each holds a mark that is looked for in every form.
"""

import asyncio
import base64
import os
import re
import subprocess
import unicodedata
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from operate.stack import Stack
from shared.contracts.referral import AgencyRegistered
from shared.relay import JournalOutbox, Relay
from tests.integration._kit import records_on, running, until
from tests.integration._service import Running, service_on
from tests.unit.test_files import png

WANTED = int(os.environ.get("CANARIES", "200"))
MARKS = ("カナリヤ𠮷鳥", "ｶﾅﾘﾔ黄鳥", "0999-7773-")
"""𠮷 is in no Shift_JIS; half-width kana change by NFKC; a telephone number takes digits only."""
UNSENT = "select count(*) from journal where published_at is null and held is null"
ROLES = (
    "intake_worker",
    "supervisor",
    "privacy_officer",
    "coordinator",
    "matcher",
    "notice_sender",
)


def forms() -> dict[str, bytes]:
    """Name → the bytes that a mark would be."""
    found: dict[str, bytes] = {}
    for n, mark in enumerate(MARKS):
        for text in {mark, unicodedata.normalize("NFKC", mark)}:
            for name in ("utf-8", "utf-16-le", "utf-16-be", "shift_jis"):
                try:
                    raw = text.encode(name)
                except UnicodeEncodeError:
                    continue
                place = f"{n} {text == mark} {name}"
                found[place] = raw
                found[f"{place} hex"] = raw.hex().encode()
                found[f"{place} HEX"] = raw.hex().upper().encode()
                for shift in range(3):
                    coded = base64.b64encode(bytes(shift) + raw)
                    found[f"{place} base64 {shift}"] = coded[4 if shift else 0 : -4].strip(b"=")
            escaped = text.encode("ascii", "backslashreplace")
            if escaped != text.encode():
                found[f"{n} {text == mark} escaped"] = escaped
    return found


FORMS = forms()


def seen(where: bytes) -> set[str]:
    """A dump writes bytes as hex: what is hex in it is looked for as well."""
    return {name for name, form in FORMS.items() if form in where}


class Filled:
    """Bodies as the schema wants them, with a canary in every text."""

    def __init__(self, document: dict[str, Any], ids: dict[str, Any]) -> None:
        self._schemas, self.ids, self._number = document["components"]["schemas"], ids, count()
        self.sent = 0

    def __call__(self, schema: dict[str, Any], name: str = "") -> Any:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if options := schema.get("anyOf"):
            if name in self.ids and self.ids[name] is None:
                return None
            return self(next(o for o in options if o.get("type") != "null"), name)
        if name in self.ids and schema.get("type") != "object":
            told = self.ids[name]
            return self.ids["person"] if schema.get("format") == "uuid" and told == "city" else told
        match schema.get("type"):
            case "object":
                skipped = {"occurred_at", "media_type", "until", "begins"}
                return {
                    key: self(part, key)
                    for key, part in schema.get("properties", {}).items()
                    if key not in skipped or key in self.ids
                }
            case "array":
                return [self(schema["items"], name)]
            case "integer":
                return schema.get("minimum", 1)
            case "boolean":
                return False
            case "string":
                return self._text(schema)
        return None

    def _text(self, schema: dict[str, Any]) -> str:
        if "enum" in schema:
            return str(schema["enum"][0])
        if schema.get("format") == "uuid":
            return str(uuid4())
        if schema.get("format") == "date":
            return "2026-04-01"
        pattern = schema.get("pattern", "")
        self.sent += 1
        number = next(self._number)
        if pattern.startswith("^[0-9+"):
            return f"{MARKS[2]}{number:05d}"
        if "[^" in pattern or not pattern:
            return f"{MARKS[number % 2]}{number:05d}"
        self.sent -= 1
        return "1944" if pattern.startswith("^[0-9]{4}") else "city"


class Cage:
    def __init__(self, service: Running) -> None:
        self.service = service
        self.client = service.client("city", *ROLES, subject="sato")
        self.document = service.app.openapi()
        self.ids: dict[str, Any] = {}
        self.filled = Filled(self.document, self.ids)
        self.answers: list[bytes] = []
        self.refused = 0

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if "requestBody" in operation:
                    content = operation["requestBody"]["content"]["application/json"]
                    yield method, path, content["schema"]

    async def call(self, method: str, path: str, schema: dict[str, Any], **places: str) -> Any:
        body = self.filled(schema)
        place = re.sub(r"{(\w+)}", lambda m: places.get(m[1], places.get("id", "")), path)
        answer = await self.client.request(method, place, json=body)
        if answer.status_code >= 400:
            self.refused += 1
            self.answers.append(answer.content)
        await self.service.apply([])
        return answer

    async def fly(self) -> None:
        """One round over every operation; some are refused, and must not say why in our words."""
        schemas = {(method, path): schema for method, path, schema in self.operations()}
        person, case_path = str(uuid4()), "/v1/cases"
        self.ids.clear()
        self.ids |= {
            "id": person, "person": person, "subjects": [person], "people": [], "persons": [person],
            "holders": ["city"], "excluded": [], "group": None, "not_to": [], "to": None, "staff": [],
            "household": None, "content": base64.b64encode(png()).decode(), "media_type": "image/png",
            "status": "granted", "record": None, "proxy": None, "matter": None, "source": "person",
        }  # fmt: skip
        self.ids.pop("people")
        made = await self.call("post", case_path, schemas["post", case_path])
        assert made.status_code == 201, made.text
        case = made.json()["id"]
        self.ids |= {"people": [person], "case": case, "to": "city"}
        records = f"{case_path}/{{id}}/records"
        line = await self.call("post", records, schemas["post", records], id=case)
        assert line.status_code == 201, line.text
        for method, path, schema in self.operations():
            if path == case_path or path.endswith(("closing", "taking", "disposal", "flags")):
                continue
            self.ids["staff"] = ["abe"] if "records" in path else "abe"
            places = {
                "id": case,
                "record": line.json()["id"],
                "attachment": case,
                "name": "situation",
            }
            if "{name}" in path:
                for name in ("person", "situation", "living", "health", "worries", "reporter"):
                    await self.call(method, path, schema, **places | {"name": name})
            else:
                made = await self.call(method, path, schema, **places)
                if made.status_code == 201 and path in ("/v1/notices", "/v1/rights-requests"):
                    for other, deeper, asked in self.operations():
                        if deeper.startswith(f"{path}/"):
                            await self.call(other, deeper, asked, id=made.json()["id"])
        await self.client.get(f"{case_path}?q={MARKS[0]}00001")
        await self.client.get(
            f"{case_path}/{case}",
            headers={
                "idempotency-key": MARKS[2],
                "traceparent": MARKS[2],
                "tsunagu-purpose": MARKS[2],
            },
        )


async def test_no_canary_is_seen_outside(
    servers: Stack, templates: None, capfd: pytest.CaptureFixture[str]
) -> None:
    async with service_on(servers, "intake") as service:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        await service.tell(AgencyRegistered(agency="city", name="福祉課", **about))
        cage, rt = Cage(service), service.rt
        while cage.filled.sent < WANTED:
            await cage.fly()
        await service.apply(await service.own())

        stored = str(
            [e.event.model_dump() for e in await rt.read(await rt.pool.fetch("table journal"))]
        )
        kept = sum(stored.count(mark) for mark in MARKS)
        assert kept > cage.filled.sent / 4, "a body with all sections saves one; but most is kept"

        name = urlsplit(rt.database.database_url).path.lstrip("/")
        relay = Relay(name, rt.database.database_url, rt.kafka, JournalOutbox(name))

        async def sent() -> bool:
            return not await rt.pool.fetchval(UNSENT)

        async with running(relay):
            await until(sent)
        topic = await records_on(rt.kafka, name)
        assert topic

        places = {
            "topic": b"".join(
                (r.key or b"") + (r.value or b"") + repr(r.headers).encode() for r in topic
            ),
            "database": await dump(servers, name),
            "keyring": await dump(servers, f"{name}_keyring"),
            "metrics": (await cage.client.get("/metrics")).content,
            "refusals": b"".join(cage.answers),
            "logs": "".join(capfd.readouterr()).encode(),
        }
        found = {place: sorted(seen(told)) for place, told in places.items()}
        assert found == {place: [] for place in places}, found
        assert b"create table" in places["database"].lower()
        assert b"journal" in places["database"]
        await _would_be_found(servers, service, name)
        print(
            f"{cage.filled.sent} canaries, {kept} stored, {cage.refused} refusals, {len(topic)} records"
        )


async def _would_be_found(servers: Stack, service: Running, name: str) -> None:
    """The positive control: the same search sees each form that lies in a table, as text or as bytes."""
    rt = service.rt
    await rt.pool.execute("create table cage (told bytea, text text)")
    rows = [(form, None) for form in FORMS.values()]
    rows += [(None, mark) for mark in MARKS]  # type: ignore[list-item]
    await rt.pool.executemany("insert into cage values ($1, $2)", rows)
    told = await dump(servers, name)
    assert {one for one, form in FORMS.items() if form.hex().encode() in told} == set(FORMS)
    assert {f"{n} True utf-8" for n in range(len(MARKS))} <= seen(told)
    assert "1 True shift_jis hex" in seen(told)


async def dump(servers: Stack, name: str) -> bytes:
    """All of a database as a backup has it."""
    url = servers.admin_database_url(name)
    binary = servers.postgres.binaries / "pg_dump"
    done = await asyncio.to_thread(
        subprocess.run, [binary, "--inserts", url], capture_output=True, check=True
    )
    return bytes(done.stdout)
