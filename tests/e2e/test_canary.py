"""What is written into any text field of any service is found nowhere in the clear, in no encoding: in no
database, topic, log, figure or refusal of the whole city. The agency that may hold it holds it in its copy.

`CANARIES=2000` searches for as many; each holds a mark that is looked for in every form.
"""

import asyncio
import base64
import os
import re
import subprocess
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from agency import Copy, Credentials, Subscriber
from operate.places import SERVICES
from operate.repair.place import runtime
from operate.stack import Stack
from shared.settings import Kafka
from tests.conftest import City
from tests.e2e.test_story import BODY, Told, told
from tests.integration._kit import PATIENCE, records_on, until
from tests.integration._place import OF_TESTS, kafka_of
from tests.unit.test_files import png

__all__ = ["told"]

WANTED = int(os.environ.get("CANARIES", "120"))
MARKS = ("カナリヤ𠮷鳥", "ｶﾅﾘﾔ黄鳥", "0999-7773-")
"""𠮷 is in no Shift_JIS; half-width kana change by NFKC; a telephone number takes digits only."""
ROLES = (
    "intake_worker", "supervisor", "privacy_officer", "coordinator", "matcher", "notice_sender",
)  # fmt: skip
CLASSES = (
    "contact", "health_disability", "work_school", "money", "welfare_use", "life_history",
)  # fmt: skip
WRITTEN = "select * from journal where agency = any($1::text[])"


LEAST = 8
"""Bytes: what is shorter is found by chance in what is sealed."""


def forms() -> dict[str, bytes]:
    """Name → the bytes that a mark would be; of base64 those that nothing around it changes."""
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
                    whole = coded[(0, 2, 3)[shift] : 8 * (shift + len(raw)) // 6]
                    found[f"{place} base64 {shift}"] = whole
            escaped = text.encode("ascii", "backslashreplace")
            if escaped != text.encode():
                found[f"{n} {text == mark} escaped"] = escaped
    return found


FORMS = forms()
assert min(map(len, FORMS.values())) >= LEAST


def seen(where: bytes) -> set[str]:
    """A dump writes bytes as hex: what is hex in it is looked for as well."""
    return {name for name, form in FORMS.items() if form in where}


class Filled:
    """Bodies as the schema wants them, with a canary in every text; `ids` for what has to be there."""

    def __init__(self, document: dict[str, Any], ids: dict[str, Any], agency: str) -> None:
        self._schemas, self.ids, self._agency = document["components"]["schemas"], ids, agency

    sent, number = 0, count()

    def __call__(self, schema: dict[str, Any], name: str = "") -> Any:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if options := schema.get("anyOf"):
            if name in self.ids and self.ids[name] is None:
                return None
            return self(next(o for o in options if o.get("type") != "null"), name)
        if name in self.ids and schema.get("type") != "object":
            told = self.ids[name]
            is_agency = schema.get("format") == "uuid" and told == self._agency
            return self.ids["person"] if is_agency else told
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

    def properties(self, schema: dict[str, Any]) -> dict[str, Any]:
        found = self._schemas[schema["$ref"].rpartition("/")[2]]["properties"]
        return {name: part for name, part in found.items() if name != "occurred_at"}

    def _text(self, schema: dict[str, Any]) -> str:
        if "enum" in schema:
            return str(schema["enum"][0])
        if schema.get("format") == "uuid":
            return str(uuid4())
        if schema.get("format") == "date":
            return "2026-04-01"
        pattern = schema.get("pattern", "")
        if pattern.startswith("^[0-9+") or "[^" in pattern or not pattern:
            return canary(2 if pattern.startswith("^[0-9+") else None)
        return "1944" if pattern.startswith("^[0-9]{4}") else self._agency


def canary(mark: int | None = None) -> str:
    Filled.sent += 1
    number = next(Filled.number)
    return f"{MARKS[number % 2 if mark is None else mark]}{number:05d}"


class Cage:
    """All operations of intake, over HTTP. Some are refused, and must not say why in our words."""

    def __init__(self, city: City, agency: str, document: dict[str, Any]) -> None:
        self.client = city.client("intake", agency, *ROLES, subject="sato")
        self.document, self.agency = document, agency
        self.ids: dict[str, Any] = {}
        self.filled = Filled(document, self.ids, agency)
        self.answers: list[bytes] = []

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if "requestBody" in operation and path.startswith("/v1/"):
                    content = operation["requestBody"]["content"]["application/json"]
                    yield method, path, content["schema"]

    async def call(self, method: str, path: str, schema: dict[str, Any], **places: str) -> Any:
        place = re.sub(r"{(\w+)}", lambda m: places.get(m[1], places.get("id", "")), path)
        answer = await self.client.request(method, place, json=self.filled(schema))
        if answer.status_code >= 400:
            self.answers.append(answer.content)
        return answer

    async def fly(self) -> tuple[str, str]:
        """One round over every operation: the case and the person that it was about."""
        schemas = {(method, path): schema for method, path, schema in self.operations()}
        person, case_path = str(uuid4()), "/v1/cases"
        self.ids.clear()
        self.ids |= {
            "id": person, "person": person, "subjects": [person], "persons": [person],
            "holders": [self.agency], "excluded": [], "group": None, "not_to": [], "to": None, "staff": [],
            "household": None, "content": base64.b64encode(png()).decode(), "media_type": "image/png",
            "status": "granted", "record": None, "proxy": None, "matter": None, "source": "person",
        }  # fmt: skip
        made = await self.call("post", case_path, schemas["post", case_path])
        assert made.status_code == 201, made.text
        case = made.json()["id"]
        self.ids |= {"people": [person], "case": case, "to": self.agency}
        lines = f"{case_path}/{{id}}/records"
        line = await self.call("post", lines, schemas["post", lines], id=case)
        assert line.status_code == 201, line.text
        for method, path, schema in self.operations():
            if path == case_path or path.endswith(("closing", "taking", "disposal", "flags")):
                continue
            self.ids["staff"] = ["abe"] if "records" in path else "abe"
            places = {"id": case, "record": line.json()["id"], "attachment": case}
            if "{name}" in path:
                sections = self.filled.properties(schema)
                for name in ("person", "situation", "living", "health", "worries", "reporter"):
                    one = {"type": "object", "properties": {name: sections[name]}}
                    await self.call(method, path, one, **places, name=name)
            else:
                made = await self.call(method, path, schema, **places)
                if made.status_code == 201 and path in ("/v1/notices", "/v1/rights-requests"):
                    for other, deeper, asked in self.operations():
                        if deeper.startswith(f"{path}/"):
                            await self.call(other, deeper, asked, id=made.json()["id"])
        await self.client.get(f"{case_path}?q={MARKS[0]}00001")
        of_ours = dict.fromkeys(("idempotency-key", "traceparent", "tsunagu-purpose"), MARKS[2])
        refused = await self.client.get(f"{case_path}/{case}", headers=of_ours)
        self.answers.append(refused.content)
        return case, person


async def elsewhere(told: Told) -> None:
    """What is written over the case in the other services, and what is refused there."""
    await told.consent(told.hana, "care", classes=list(CLASSES))
    window, care = told.at("referral", "window"), told.at("referral", "care")
    for ending in ("completion", "decline"):
        request = {
            "case": told.case, "person": told.hana, "receiver": told.agencies["care"],
            "classes": ["contact"], "need": canary(),
        }  # fmt: skip
        asked = await told.write(window, "/v1/referrals", request, 201)
        path, today = f"/v1/referrals/{asked['id']}", str(told.city.at.date())
        await told.write(care, f"{path}/receipt", {})
        if ending == "completion":
            await told.write(care, f"{path}/acceptance", {"first_contact_on": today})
            await told.write(care, f"{path}/service-start", {"first_contact_on": today})
            await told.write(care, f"{path}/completion", {"outcome": "helped", "text": canary()})
        else:
            await told.write(care, f"{path}/decline", {"code": "other", "text": canary()})
    host = told.at("meetings", "window", "coordinator")
    await told.appoint(BODY, "juso")
    member = f"doctor-{told.agencies['clinic']}"
    named = {"agency": told.agencies["clinic"]}
    await host.put(f"/v1/bodies/{BODY}/members/{member}", json=named)
    await told.city.settle()
    submit = {"case": told.case, "body": BODY, "subjects": [told.hana]}
    matter = (await told.write(host, "/v1/matters", submit, 201))["id"]
    path = f"/v1/matters/{matter}"
    await told.write(host, f"{path}/members", {"members": [member]})
    put = {"person": told.hana, "true_class": "money", "text": canary()}
    material = await told.write(host, f"{path}/materials", put)
    await told.write(host, f"{path}/decisions", {"text": canary()})
    promoted = {"material": material["id"], "person": told.hana, "money": canary()}
    await told.write(host, f"{path}/promotions", promoted)
    convene = {
        "bodies": ["juso"], "local_name": "kasaneru", "invited": [told.agencies["care"]],
        "planned_on": str((told.city.at + timedelta(days=14)).date()),
    }  # fmt: skip
    meeting = (await told.write(host, "/v1/meetings", convene, 201))["id"]
    item = {"case": told.case, "body": "juso", "subjects": [told.hana]}
    await told.write(host, f"/v1/meetings/{meeting}/agenda", item)
    held = {"held_on": str(told.city.at.date()), "attended": [told.agencies["care"]]}
    await told.write(host, f"/v1/meetings/{meeting}/holding", held)
    decided = {
        "case": told.case, "outcome": "continue", "subjects": [told.hana], "text": canary(),
    }  # fmt: skip
    await host.post(f"/v1/meetings/{meeting}/decisions", json=decided)
    promised = {
        "case": told.case, "text": canary(), "owner": told.agencies["care"], "subjects": [told.hana],
        "due": str((told.city.at + timedelta(days=30)).date()),
    }  # fmt: skip
    task = f"/v1/tasks/{(await told.write(host, f'/v1/meetings/{meeting}/tasks', promised, 201))['id']}"
    later = str((told.city.at + timedelta(days=40)).date())
    await told.write(host, f"{task}/due", {"due": later, "reason": canary()})
    await told.write(host, f"{task}/dropping", {"reason": "declined", "note": canary()})
    paper = {
        "case": told.case, "way": "paper", "kind": "police", "receiver": canary(), "purpose": canary(),
        "items": [], "approver": "kacho", "ground": "police_enquiry", "citation": canary(),
    }  # fmt: skip
    await told.at("views", "window", "coordinator").post("/v1/disclosures", json=paper)


async def test_no_canary_is_seen_outside_the_copy_of_who_may_hold_it(
    told: Told, tmp_path: Path
) -> None:
    city, stack = told.city, told.city.stack
    async with httpx.AsyncClient() as plain:
        document = (await plain.get(f"{stack.http('intake')}/openapi.json")).json()
    cage = Cage(city, told.agencies["window"], document)
    async with copied(told, "care", tmp_path) as held, copied(told, "clinic", tmp_path):
        told.case, told.hana = await cage.fly()
        await elsewhere(told)
        while Filled.sent < WANTED:
            told.case, told.hana = await cage.fly()
            await told.consent(told.hana, "care", classes=list(CLASSES))
        handles = {document["handle"] for document in await told.documents("care")}

        async def in_sync() -> bool:
            return {one.handle for one in held.documents() if one.body} >= handles

        await until(in_sync, "the copy")
    assert seen(files(tmp_path / "care")), "who may hold it holds it"

    kept = await stored(stack, [told.agencies[who] for who in ("window", "care")])
    assert kept > Filled.sent / 4, "some is refused; but much is kept"
    names = stack.kafka_admin().list_topics(timeout=10).topics
    topics = [name for name in names if not name.startswith(("__", OF_TESTS))]
    assert {f"view.{told.agencies[who]}" for who in ("care", "clinic")} <= set(topics)
    places = {
        f"topic {name}": b"".join(
            (r.key or b"") + (r.value or b"") + repr(r.headers).encode()
            for r in await records_on(Kafka(**kafka_of(stack)), name)
        )
        for name in topics
    }
    for name in (*SERVICES, "keyring"):
        places[f"database {name}"] = await dump(stack, name)
    for name in SERVICES:
        operator = city.client(name, "ikoma-city", "operator")
        places[f"figures of {name}"] = (await operator.get("/metrics")).content
    places["logs"] = files(stack.state / "log")
    places["refusals"] = b"".join(cage.answers)
    places["the copy of an agency without a basis"] = files(tmp_path / "clinic")
    found = {place: sorted(seen(content)) for place, content in places.items()}
    assert found == {place: [] for place in places}
    for name in SERVICES:
        assert b"create table public.journal" in places[f"database {name}"].lower()
    assert places[f"topic view.{told.agencies['care']}"]
    await would_be_found(stack)
    print(
        f"{Filled.sent} canaries, {kept} stored, {len(cage.answers)} refusals, {len(places)} places,"
        f" {sum(map(len, places.values())):,} bytes, {len(FORMS)} forms"
    )


@asynccontextmanager
async def copied(told: Told, who: str, folder: Path) -> AsyncIterator[Copy]:
    """The copy that a subscriber of the kit keeps in this folder."""
    given = await asyncio.to_thread(told.city.stack.agency, told.agencies[who])
    await asyncio.to_thread(told.city.stack.register, given)
    (folder / who).mkdir()
    copy = Copy(folder / who / "copy.sqlite")
    subscriber = Subscriber(Credentials.model_validate(given.document()), copy)
    following = asyncio.create_task(subscriber.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await subscriber.caught_up()
        yield copy
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def stored(stack: Stack, agencies: list[str]) -> int:
    """Marks in what these agencies have written, opened."""
    kept = 0
    for name in ("intake", "referral", "meetings", "views"):
        async with runtime(stack, name) as rt:
            rows = await rt.pool.fetch(WRITTEN, agencies)
            written = str([e.event.model_dump() for e in await rt.read(rows)])
        found = sum(written.count(mark) for mark in MARKS)
        assert found or name == "views", name
        kept += found
    return kept


async def would_be_found(stack: Stack) -> None:
    """The positive control: the same search sees each form that lies in a table, as text or as bytes."""
    db = await asyncpg.connect(stack.admin_database_url("intake"))
    try:
        await db.execute("create table cage (told bytea, text text)")
        rows = [(form, None) for form in FORMS.values()]
        rows += [(None, mark) for mark in MARKS]  # type: ignore[list-item]
        await db.executemany("insert into cage values ($1, $2)", rows)
        dumped = await dump(stack, "intake", "--table", "cage")
    finally:
        await db.execute("drop table cage")
        await db.close()
    assert {one for one, form in FORMS.items() if form.hex().encode() in dumped} == set(FORMS)
    assert {f"{n} True utf-8" for n in range(len(MARKS))} <= seen(dumped)
    assert "1 True shift_jis hex" in seen(dumped)


async def dump(stack: Stack, name: str, *options: str) -> bytes:
    """All of a database as a backup has it."""
    command = [stack.postgres.binaries / "pg_dump", "--inserts", *options]
    url = stack.admin_database_url(name)
    done = await asyncio.to_thread(subprocess.run, [*command, url], capture_output=True, check=True)
    return bytes(done.stdout)
