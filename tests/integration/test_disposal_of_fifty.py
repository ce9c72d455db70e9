"""The end of data of fifty persons in households that they share with others: whoever holds every key that
is left, and all that intake, the topic and views hold, reads no value of theirs, and all of the others'.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from operate.stack import Stack
from services.metrics.timeline import fold
from shared.contracts import Unreadable
from shared.sealing import Codec
from tests.integration._service import Running, service_on
from tests.integration.test_disposal import Office, but_version, office
from tests.unit.test_pdf import pdf

__all__ = ["office"]

HOUSEHOLDS = 25
TABLES = """
select format('%I.%I', schemaname, tablename) from pg_tables
 where schemaname not in ('pg_catalog', 'information_schema') order by 1"""
SEALED = re.compile(r'"([A-Za-z0-9+/]{40,}={0,2})"|"\\{1,2}x([0-9a-f]{56,})"')
LEFT = "select count(*) from {} where person = any($1::uuid[])"


def values(of: UUID) -> dict[str, str]:
    """Of a person what is told of him; of a case what is told of all in it. Nobody else's is the same."""
    return {part: f"{part}𠮷{of.hex}" for part in ("name", "health", "note", "file")} | {
        "phone": f"{of.int % 10**18:018}"
    }


def marks(of: Iterable[UUID], *parts: str) -> set[bytes]:
    return {values(one)[part].encode() for one in of for part in parts}


HIS, THEIRS = ("name", "phone", "health", "note", "file"), ("note", "file")


async def kept_of(office: Office, *people: UUID) -> UUID:
    """As a window tells it: the sheet, a contact with a note on each person, a file of each."""
    worker = office.sato

    async def told(path: str, body: dict[str, Any]) -> httpx.Response:
        answer = await worker.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer

    of = {person: values(person) for person in people}
    joined = [
        {"id": str(p), "relation": "self", "name": v["name"], "phone": v["phone"]}
        for p, v in of.items()
    ]
    situations = [{"person": str(p), "health": v["health"]} for p, v in of.items()]
    opened = await told(
        "/v1/cases", {"route": "person_visit", "people": joined, "situations": situations}
    )
    case = UUID(opened.json()["id"])
    notes = [{"person": str(p), "text": v["note"]} for p, v in of.items()]
    line = {"method": "visit", "text": values(case)["note"], "notes": notes}
    await told(f"/v1/cases/{case}/records", line)
    for whose in (None, *people):
        content = b64encode(pdf(shown=values(whose or case)["file"].encode())).decode()
        file = {"kind": "certificate", "media_type": "application/pdf", "content": content}
        if whose:
            file["person"] = str(whose)
        await told(f"/v1/cases/{case}/attachments", file)
    return case


async def held(services: Iterable[Running], *topic: bytes) -> bytes:
    """Every row of every table, and what went to the topic."""
    found = list(topic)
    for one in services:
        for table in await one.rt.pool.fetch(TABLES):
            rows = await one.rt.pool.fetch(f"select to_jsonb(t)::text from {table[0]} t")
            found += [row[0].encode() for row in rows]
    return b"\n".join(found)


async def left(office: Office) -> list[AESGCM]:
    """Every key that the keyring still opens."""
    pool = office.rt.keyring._pool
    rows = await pool.fetch("select id from data_key union all select id from codes_key")
    keys = await office.keyring().fetch([row["id"] for row in rows])
    return [key for key in keys.values() if not isinstance(key, Unreadable)]


def recovered(everything: bytes, keys: list[AESGCM], wanted: set[bytes]) -> set[bytes]:
    """Which of these anybody with the keys reads, whatever he believes of where a value belongs: the tag
    is not looked at, so that no associated data is needed.
    """
    found = {mark for mark in wanted if mark in everything}
    blobs = {
        b64decode(coded + "=" * (-len(coded) % 4)) if coded else bytes.fromhex(raw)
        for coded, raw in SEALED.findall(everything.decode())
    }
    for blob in blobs:
        nonce, sealed = blob[:12], blob[12:-16]
        for key in keys:
            stream = key.encrypt(nonce, bytes(len(sealed)), None)[:-16]
            bits = int.from_bytes(sealed, "big") ^ int.from_bytes(stream, "big")
            plain = bits.to_bytes(len(sealed), "big")
            if "𠮷".encode() in plain or plain[1:19].isdigit():
                found |= {mark for mark in wanted if mark in plain}
    return found


async def end(office: Office, cases: list[UUID]) -> None:
    for step, by in (("disposal", office.sato), ("disposal/approval", office.abe)):
        for case in cases:
            answer = await by.post(f"/v1/cases/{case}/{step}", json={})
            assert answer.status_code == 200, answer.text


async def test_of_fifty_nothing_is_recovered_and_of_the_others_all(
    office: Office, servers: Stack
) -> None:
    gone, both, stay = ([uuid4() for _ in range(n * HOUSEHOLDS)] for n in (2, 1, 1))
    three = zip(gone[::2], gone[1::2], both, strict=True)
    going = [await kept_of(office, *people) for people in three]
    staying = [await kept_of(office, *people) for people in zip(both, stay, strict=True)]
    await office.follow()
    for case in going:
        closed = await office.sato.post(f"/v1/cases/{case}/closing", json={"reason": "resolved"})
        assert closed.status_code == 200, closed.text
    await office.follow()
    await office.later()
    theirs = marks(gone, *HIS) | marks(going, *THEIRS)
    others = marks(both + stay, *HIS) | marks(staying, *THEIRS)
    async with service_on(servers, "views", office.running.place) as views:
        services = (office.running, views)
        before = await office.running.own()
        await views.apply(before)
        figures = fold({}, await office.events(Codec(office.rt.keyring)))
        assert figures
        assert (
            recovered(await held(services), await left(office), theirs | others) == theirs | others
        )

        await end(office, going)
        await office.follow()
        topic = await office.running.own()
        await views.apply(topic[len(before) :])
        assert await views.rt.pool.fetchval("select count(*) from parked") == 0
        everything = await held(services, *(record.value or b"" for record in topic))
        assert recovered(everything, await left(office), theirs | others) == others
    assert but_version(fold({}, await office.events())) == but_version(figures)
    for table in ("search", "marks"):
        assert await office.rt.reads.fetchval(LEFT.format(table), gone) == 0
        assert await office.rt.reads.fetchval(LEFT.format(table), both + stay) > 0
