"""HTTP: answers in one order, forged tokens and bad input stopped at the door, nothing said again."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter, Depends
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel, Field

from operate import issuer
from operate.places import SERVICES
from operate.stack import Stack
from shared import host, simulation
from shared.app import application
from shared.auth import Issuer
from shared.contracts import Envelope, Event
from shared.db import pool
from shared.deadline import Due, Timer
from shared.http import Body, Call, Caller, PathId, Receipt, Route, Text, to_uuid
from shared.problems import bad_input, not_found
from shared.runtime import Runtime, Service
from shared.settings import Http, Oidc
from shared.views import View
from tests.integration._kit import (
    DDL,
    DECIDER,
    PATIENCE,
    Place,
    Toy,
    plain_logs,
    stream_of,
    until,
    worry,
)
from tests.integration._place import fresh
from tests.integration._service import environment

SECRET = "ひみつの7f3a"
ROLE = "intake_worker"
COUNTS = """
select (select count(*) from journal), (select count(*) from command), (select count(*) from timer)"""

# A toy service: notes, each a stream with lines.

router = APIRouter(route_class=Route)


class Deep(BaseModel):
    model_config = {"extra": "forbid"}
    number: int | None = None
    deeper: "Deep | None" = None


class NewLine(Body):
    text: Text
    on: date | None = None
    number: int | None = Field(None, ge=0, le=100)
    id: UUID | None = None
    flags: list[bool] = Field([], max_length=3)
    names: dict[str, int] = {}
    deep: Deep | None = None


async def on_note(id: PathId, call: Caller) -> tuple[Call, UUID]:
    note = to_uuid(id)
    past = await call.load(stream_of(note))
    if not past.version or past.events[0].envelope.agency != call.who.agency:
        raise not_found()
    call.need(ROLE)
    return call, note


async def worker(call: Caller) -> Call:
    call.need(ROLE)
    return call


@router.post("/v1/notes", status_code=201)
async def make_note(call: Annotated[Call, Depends(worker)], body: NewLine) -> Receipt:
    note = uuid4()
    command = [worry(note, body.text)]
    return await call.handle(
        DECIDER, stream_of(note), str(note), command, body, location="/v1/notes/{id}"
    )


@router.post("/v1/notes/{id}/lines")
async def add_line(on: Annotated[tuple[Call, UUID], Depends(on_note)], body: NewLine) -> Receipt:
    call, note = on

    async def check() -> None:
        if body.number == 13:
            raise bad_input("body.number", "not this one")

    command = [worry(note, body.text)]
    return await call.handle(DECIDER, stream_of(note), str(note), command, body, check=check)


@router.get("/v1/notes/{id}")
async def get_note(on: Annotated[tuple[Call, UUID], Depends(on_note)]) -> dict[str, Any]:
    call, note = on
    past = await call.load(stream_of(note))
    call.shows(past.version)
    return {"version": past.version}


def plan(event: Event, envelope: Envelope) -> list[Timer]:
    if getattr(event, "text", "") == "timer":
        return [Timer(envelope.stream, envelope.at, envelope.stream, {})]
    return []


def fire(stream: str, command: dict[str, Any], due: Any) -> Due:
    note = UUID(stream.split("/")[1])
    return Due(DECIDER, str(note), [worry(note, "fired")])


class Notes:
    """The toy service in this process, on real servers, and those who call it."""

    def __init__(self, stack: Stack, rt: Runtime, service: Service) -> None:
        self.stack, self.rt, self.app = stack, rt, application(service, rt)

    def client(
        self, agency: str = "city-fukushi", *roles: str, token: str | None = None
    ) -> httpx.AsyncClient:
        token = token if token is not None else self.stack.token(agency, roles or [ROLE])
        return caller(self.app, {"authorization": f"Bearer {token}"})

    async def counts(self) -> tuple[int, ...]:
        row = await self.rt.pool.fetchrow(COUNTS)
        assert row is not None
        return tuple(row)

    async def note(self, *texts: str) -> str:
        """The id of a new note with these lines."""
        async with self.client() as client:
            made = await client.post("/v1/notes", json={"text": texts[0] if texts else "一"})
            assert made.status_code == 201, made.text
            for text in texts[1:]:
                await client.post(f"{made.headers['location']}/lines", json={"text": text})
            return str(made.json()["id"])

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        before = await self.counts()
        yield
        assert await self.counts() == before


def caller(app: Any, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://notes", headers=headers, timeout=PATIENCE
    )


@asynccontextmanager
async def runtime_of(
    stack: Stack, place: Place, ddl: Path, tasks: Callable[[Runtime], Any] = lambda rt: []
) -> AsyncIterator[tuple[Runtime, Service]]:
    toy = Toy(refuses=lambda value: value == "unpalatable")
    service = Service(
        name=place.name,
        streams=("case",),
        router=router,
        view=lambda rt: View("notes", (place.name,), ddl, toy.project, toy.react),
        plan=plan,
        fire=fire,
        tasks=tasks,
    )
    with environment(stack, place):
        async with host.runtime(service, Http()) as rt:
            yield rt, service


@pytest.fixture(scope="module")
async def notes(
    servers: Stack, templates: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Notes]:
    plain_logs()
    ddl = tmp_path_factory.mktemp("notes") / "toy.sql"
    ddl.write_text(DDL)
    async with fresh(servers) as place, runtime_of(servers, place, ddl) as (rt, service):
        async with asyncio.TaskGroup() as group:
            loops = group.create_task(host.after_recovery(rt))
            made = Notes(servers, rt, service)

            async def ready() -> bool:
                async with caller(made.app) as client:
                    return (await client.get("/readyz")).status_code == 200

            await until(ready)
            yield made
            loops.cancel()


# The order of answers.


async def test_answers_come_in_the_order_that_tells_least(notes: Notes) -> None:
    note, foreign = await notes.note("一"), str(uuid4())
    async with notes.client() as client:
        first = await client.post(
            f"/v1/notes/{note}/lines",
            json={"text": "二"},
            headers={"idempotency-key": "k1", "if-match": '"1"'},
        )
    assert first.status_code == 200
    bad = {"number": "many"}
    stale = {"if-match": '"1"'}
    there, nowhere = f"/v1/notes/{note}/lines", f"/v1/notes/{foreign}/lines"
    wrong = [
        ("", nowhere, bad, stale, 401),
        ("other planner", nowhere, bad, stale, 404),
        ("other planner", there, bad, stale, 404),
        ("city-fukushi planner", nowhere, bad, stale, 404),
        ("city-fukushi planner", there, bad, stale, 403),
        (f"city-fukushi {ROLE}", there, bad, stale, 422),
        (f"city-fukushi {ROLE}", there, {"text": "refuse", "number": 13}, stale, 422),
        (f"city-fukushi {ROLE}", there, {"text": "refuse"}, stale, 412),
        (f"city-fukushi {ROLE}", there, {"text": "refuse"}, {"if-match": '"2"'}, 409),
        (f"city-fukushi {ROLE}", there, {"text": "二"}, {"idempotency-key": "k1", **stale}, 200),
        (f"city-fukushi {ROLE}", there, {"text": "x"}, {"idempotency-key": "k1", **stale}, 422),
    ]
    async with notes.unchanged():
        for who, path, body, headers, status in wrong:
            agency, *roles = who.split()[0:1] + who.split()[1:] if who else ["", ""]
            client = notes.client(agency, *roles) if who else notes.client(token="")
            async with client:
                answer = await client.post(path, json=body, headers=headers)
            assert answer.status_code == status, (who, path, body, answer.text)
            if status == 200:
                assert (answer.json(), answer.headers["etag"]) == (first.json(), '"2"')
            else:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["status"] == status
    # What is not there and what is not ours look alike.
    async with notes.client("other") as client:
        answers = [await client.get(f"/v1/notes/{id}") for id in (note, foreign, "x", "%00")]
    assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}


async def test_a_refusal_says_state_and_what_is_allowed(notes: Notes) -> None:
    note = await notes.note()
    async with notes.client() as client:
        answer = await client.post(f"/v1/notes/{note}/lines", json={"text": "refuse"})
    shown = answer.json()
    assert answer.status_code == 409
    assert (shown["reason"], shown["state"], shown["allowed"]) == ("as-asked", "1", ["other"])
    assert shown["type"] == "urn:tsunagu:problem:refused"


async def test_ten_repeats_at_once_have_one_effect_and_one_answer(notes: Notes) -> None:
    before = await notes.counts()
    async with notes.client() as client:
        answers = await asyncio.gather(
            *(
                client.post("/v1/notes", json={"text": "一"}, headers={"idempotency-key": "ten"})
                for _ in range(10)
            )
        )
        assert {a.status_code for a in answers} == {201}
        assert len({(a.text, a.headers["location"], a.headers["etag"]) for a in answers}) == 1
        other = await client.post(
            "/v1/notes", json={"text": "二"}, headers={"idempotency-key": "ten"}
        )
        assert other.status_code == 422
        assert other.json()["type"].endswith("key-reused")
    after = await notes.counts()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    async with notes.client("other") as client:  # another agency's key of the same name
        mine = await client.post(
            "/v1/notes", json={"text": "一"}, headers={"idempotency-key": "ten"}
        )
    assert mine.status_code == 201
    assert mine.text != answers[0].text


# Tokens.


class Forger:
    """Makes tokens of every kind."""

    def __init__(self, stack: Stack) -> None:
        private, public = issuer.keys(stack.state)
        self.key = ECKey.import_key(json.loads(private.read_text())["keys"][0])
        self.public = public
        self.claims = {
            "iss": stack.oidc()["OIDC_ISSUER"],
            "aud": issuer.AUDIENCE,
            "sub": "tanaka",
            "agency": "city-fukushi",
            "roles": [ROLE],
            "exp": int(time.time()) + 600,
        }

    def token(self, **instead: Any) -> str:
        claims = {name: value for name, value in {**self.claims, **instead}.items() if value != ...}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)

    def raw(self, header: Any, payload: Any, signature: bytes = b"") -> str:
        parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
        return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    def by_another_key(self) -> str:
        other = ECKey.generate_key("P-256")
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, self.claims, other)

    def keyed_with_the_public_key(self, form: str) -> str:
        public = {"pem": self.key.as_pem(private=False), "jwks": self.public.read_bytes()}[form]
        unsigned = self.raw({"alg": "HS256", "kid": self.key.kid}, self.claims).rpartition(".")[0]
        signature = hmac.digest(public, unsigned.encode(), "sha256")
        return f"{unsigned}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED: dict[str, Callable[[Forger], str]] = {
    "none": lambda f: "",
    "garbage": lambda f: "garbage",
    "dots": lambda f: "....",
    "not base64": lambda f: "é.é.é",
    "another key": lambda f: f.by_another_key(),
    "alg none": lambda f: f.raw({"alg": "none"}, f.claims),
    "alg None": lambda f: f.raw({"alg": "None", "kid": f.key.kid}, f.claims),
    "no alg": lambda f: f.raw({}, f.claims),
    "header is a list": lambda f: f.raw([], f.claims),
    "header is a text": lambda f: f.raw("x", f.claims),
    "header is a number": lambda f: f.raw(1, f.claims),
    "alg is a list": lambda f: f.raw({"alg": ["ES256"]}, f.claims),
    "kid is a number": lambda f: f.raw({"alg": "ES256", "kid": 1}, f.claims),
    "unknown kid": lambda f: f.raw({"alg": "ES256", "kid": "x"}, f.claims),
    "key by address": lambda f: f.raw({"alg": "ES256", "jku": "http://127.0.0.1:1"}, f.claims),
    "own key inside": lambda f: f.raw(
        {"alg": "ES256", "jwk": f.key.as_dict(private=False)}, f.claims, bytes(64)
    ),
    "critical": lambda f: f.raw({"alg": "ES256", "crit": ["x"]}, f.claims),
    "no signature": lambda f: f.token().rpartition(".")[0] + ".",
    "signature of zeros": lambda f: f.raw({"alg": "ES256", "kid": f.key.kid}, f.claims, bytes(64)),
    "other content": lambda f: ".".join(
        (f.token().split(".")[0], f.token(agency="other").split(".")[1], f.token().split(".")[2])
    ),
    "HMAC with the public key": lambda f: f.keyed_with_the_public_key("pem"),
    "HMAC with the key set": lambda f: f.keyed_with_the_public_key("jwks"),
    "expired": lambda f: f.token(exp=int(time.time()) - 100),
    "not yet valid": lambda f: f.token(nbf=int(time.time()) + 100),
    "without end": lambda f: f.token(exp=...),
    "end is a text": lambda f: f.token(exp="tomorrow"),
    "end beyond numbers": lambda f: f.token(exp=10**400),
    "other audience": lambda f: f.token(aud="other"),
    "no audience": lambda f: f.token(aud=...),
    "other issuer": lambda f: f.token(iss="http://127.0.0.1:1"),
    "no issuer": lambda f: f.token(iss=...),
    "no subject": lambda f: f.token(sub=...),
    "empty subject": lambda f: f.token(sub=""),
    "subject is a number": lambda f: f.token(sub=7),
    "subject with a NUL": lambda f: f.token(sub="tanaka\0"),
    "subject of two lines": lambda f: f.token(sub="tanaka\nsuzuki"),
    "subject with a blank": lambda f: f.token(sub="tanaka taro"),
    "subject in kanji": lambda f: f.token(sub="𠮷田"),
    "subject of 121 signs": lambda f: f.token(sub="t" * 121),
    "no agency": lambda f: f.token(agency=...),
    "agency in capitals": lambda f: f.token(agency="City"),
    "agency is a list": lambda f: f.token(agency=["city-fukushi"]),
    "roles are a text": lambda f: f.token(roles=ROLE),
    "roles are numbers": lambda f: f.token(roles=[1]),
    "a key instead": lambda f: f.public.read_text(),
}


async def test_a_sound_token_is_taken(notes: Notes) -> None:
    forger = Forger(notes.stack)
    for token in (forger.token(), forger.token(aud=["other", issuer.AUDIENCE])):
        async with notes.client(token=token) as client:
            assert (await client.post("/v1/notes", json={"text": "一"})).status_code == 201
    async with notes.client(token=forger.token(roles=...)) as client:
        assert (await client.post("/v1/notes", json={"text": "一"})).status_code == 403


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_token_is_no_token(notes: Notes, forged: str) -> None:
    token = FORGED[forged](Forger(notes.stack))
    note = await notes.note()
    async with notes.unchanged(), caller(notes.app) as client:
        for scheme in ("Bearer", "Basic", ""):
            header = f"{scheme} {token}".strip().encode("latin-1", "replace")
            headers = [(b"authorization", header)]
            for answer in (
                await client.get(f"/v1/notes/{note}", headers=headers),
                await client.post("/v1/notes", json={"text": "一"}, headers=headers),
            ):
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["type"].endswith("no-valid-token")


async def test_a_name_that_no_event_takes_is_told_at_the_door_and_only_to_who_is_known(
    notes: Notes,
) -> None:
    forger = Forger(notes.stack)
    for claims in ({"sub": "auth0|tanaka"}, {"agency": "city_fukushi"}):
        async with notes.client(token=forger.token(**claims)) as client:
            answer = await client.post("/v1/notes", json={"text": "一"})
        assert answer.status_code == 401
        detail = answer.json()["detail"]
        assert "`sub` takes" in detail
        assert "英数字" in detail
        assert "tanaka" not in answer.text
    async with notes.client(token=forger.token(sub="auth0|tanaka", exp=1)) as client:
        assert "detail" not in (await client.get(f"/v1/notes/{uuid4()}")).json()


async def test_a_sound_token_in_another_scheme_is_no_token(notes: Notes) -> None:
    token = Forger(notes.stack).token()
    async with caller(notes.app) as client:
        for header in (f"Basic {token}", token, f"Bearer  {token}", f"Bearer {token} x"):
            answer = await client.get(f"/v1/notes/{uuid4()}", headers={"authorization": header})
            assert answer.status_code == 401


async def test_an_issuer_out_of_reach_is_no_fault_of_the_caller(
    notes: Notes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    oidc = notes.stack.oidc()
    asked = Oidc(issuer=oidc["OIDC_ISSUER"], jwks="http://127.0.0.1:9/jwks")
    monkeypatch.setattr(notes.rt, "issuer", Issuer(asked))
    async with notes.client() as client:
        assert (await client.post("/v1/notes", json={"text": "一"})).status_code == 503
    keys = tmp_path / "keys"
    keys.write_text(Path(oidc["OIDC_JWKS"]).read_text())
    monkeypatch.setattr("shared.auth.REFRESH_SECONDS", -1.0)  # asks at each request
    monkeypatch.setattr("shared.auth.REFETCH_SECONDS", -1.0)
    monkeypatch.setattr(
        notes.rt, "issuer", Issuer(Oidc(issuer=oidc["OIDC_ISSUER"], jwks=str(keys)))
    )
    async with notes.client() as client:
        assert (await client.post("/v1/notes", json={"text": "一"})).status_code == 201
    for trouble in ("", "{", "[]", None):
        keys.unlink() if trouble is None else keys.write_text(trouble)
        async with notes.client("other") as client:  # a token not seen yet
            assert (await client.post("/v1/notes", json={"text": "一"})).status_code == 201
        async with notes.client(token=Forger(notes.stack).by_another_key()) as client:
            assert (await client.post("/v1/notes", json={"text": "一"})).status_code == 401


# Bad input.

BODIES: dict[str, Any] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a text": json.dumps(SECRET).encode(),
    "a number": b"7",
    "no JSON": f'{{"text": {SECRET}'.encode(),
    "two documents": b'{"text": "x"}{"text": "y"}',
    "no UTF-8": b'{"text": "\xff\xfe"}',
    "UTF-16": '{"text": "x"'.encode("utf-16"),
    "too deep": b"[" * 100_000,
    "deep objects": b'{"deep": ' * 2000 + b"1" + b"}" * 2000,
    "endless number": b'{"text": "x", "number": ' + b"1" * 5000 + b"}",
    "not a number": b'{"text": "x", "number": NaN}',
    "infinity": b'{"text": "x", "number": Infinity}',
    "beyond floats": b'{"text": "x", "number": 1e999}',
    "missing": {},
    "unknown field": {"text": "x", "unknown": SECRET},
    "unknown name": {"text": "x", SECRET: 1},
    "unknown name, half a character": '{"text": "x", "\\ud800": 1}',
    "unknown name with a NUL": {"text": "x", "a\0b": 1},
    "unknown deep inside": {"text": "x", "deep": {"deeper": {SECRET: SECRET}}},
    "a key that is none": {"text": "x", "names": {SECRET: SECRET}},
    "actor of one's own": {"text": "x", "actor": SECRET, "agency": "other"},
    "text is a number": {"text": 7},
    "text is null": {"text": None},
    "text is a list": {"text": [SECRET]},
    "text is empty": {"text": " \n\t "},
    "a megabyte of text": {"text": SECRET * 60_000},
    "a little too long": {"text": "x" * 4001},
    "half a character": '{"text": "\\ud800"}',
    "the other half": '{"text": "\\udc00x"}',
    "NUL": {"text": f"{SECRET}\0"},
    "escape": {"text": f"\x1b[31m{SECRET}"},
    "number is a text": {"text": "x", "number": SECRET},
    "number is beyond": {"text": "x", "number": 10**30},
    "number is negative": {"text": "x", "number": -1},
    "number is a part": {"text": "x", "number": 1.5},
    "30 February": {"text": "x", "on": "2026-02-30"},
    "month 13": {"text": "x", "on": "2026-13-01"},
    "year 0": {"text": "x", "on": "0000-01-01"},
    "year 10000": {"text": "x", "on": "10000-01-01"},
    "date in words": {"text": "x", "on": SECRET},
    "time in the future": {"text": "x", "occurred_at": "2199-01-01T00:00:00Z"},
    "time before our time": {"text": "x", "occurred_at": "0001-01-01T00:00:00+14:00"},
    "time after our time": {"text": "x", "occurred_at": "9999-12-31T23:59:59-14:00"},
    "time without offset": {"text": "x", "occurred_at": "2026-04-01T00:00:00"},
    "time is a number": {"text": "x", "occurred_at": 10**20},
    "id is none": {"text": "x", "id": SECRET},
    "id is half a character": '{"text": "x", "id": "\\ud800"}',
    "too many": {"text": "x", "flags": [True] * 4},
    "flag is a text": {"text": "x", "flags": [SECRET]},
}


def encoded(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()


@pytest.mark.parametrize("name", BODIES)
async def test_bad_input_is_refused_and_neither_stored_nor_repeated(
    notes: Notes, name: str
) -> None:
    body = encoded(BODIES[name])
    note = await notes.note()
    headers = {"content-type": "application/json"}
    async with notes.unchanged():
        async with notes.client() as client:
            for path in ("/v1/notes", f"/v1/notes/{note}/lines"):
                answer = await client.post(path, content=body, headers=headers)
                assert answer.status_code == 422, answer.text
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["errors"]
                assert SECRET not in answer.text
                assert json.dumps(SECRET)[1:-1] not in answer.text
        async with caller(notes.app) as client:  # whatever it holds, 401 comes first
            answer = await client.post("/v1/notes", content=body, headers=headers)
            assert answer.status_code == 401, answer.text
        async with notes.client("other") as client:
            answer = await client.post(f"/v1/notes/{note}/lines", content=body, headers=headers)
            assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/xml", "application/json-seq", "text/json", "x"],
)  # fmt: skip
async def test_a_body_of_another_kind_is_refused(notes: Notes, kind: str) -> None:
    async with notes.unchanged(), notes.client() as client:
        headers = {"content-type": kind} if kind else {}
        answer = await client.post("/v1/notes", content=b'{"text": "x"}', headers=headers)
    assert answer.status_code == 422


async def test_a_body_beyond_all_measure_is_not_read(notes: Notes) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"text": "'
        for _ in range(200):
            sent += 1
            yield b"x" * 100_000
        yield b'"}'

    async with notes.unchanged(), notes.client() as client:
        headers = {"content-type": "application/json"}
        whole = await client.post("/v1/notes", content=b"x" * 2_000_000, headers=headers)
        assert whole.status_code == 413
        in_pieces = await client.post("/v1/notes", content=pieces(), headers=headers)
        assert in_pieces.status_code == 413, in_pieces.text
        assert sent < 20
        lying: list[tuple[bytes, bytes]] = [(b"content-length", "²".encode("latin-1"))]
        lied = await client.post("/v1/notes", content=b"x", headers=lying)
        assert lied.status_code == 413


HEADERS: dict[str, tuple[str, bytes]] = {
    "no version": ("if-match", b'"x"'),
    "version beyond": ("if-match", b'"' + b"9" * 5000 + b'"'),
    "two versions": ("if-match", b'"1", "2"'),
    "long key": ("idempotency-key", b"k" * 201),
    "empty key": ("idempotency-key", b""),
    "no place": ("tsunagu-after", b"x"),
    "no stream": ("tsunagu-after", b"@1"),
    "no digits": ("tsunagu-after", b"case/1@x"),
    "digits of another kind": ("tsunagu-after", "case/1@²".encode("latin-1")),
    "version beyond all": ("tsunagu-after", b"case/1@99999999999"),
    "stream with a NUL": ("tsunagu-after", b"case/\0@1"),
    "stream is no ASCII": ("tsunagu-after", "case/é@1".encode("latin-1")),
    "many commas": ("tsunagu-after", b"case/1@1,,"),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_bad_headers_are_refused_after_the_token_was_seen(notes: Notes, name: str) -> None:
    header, value = HEADERS[name]
    headers = [(header.encode(), value)]
    async with notes.unchanged():
        async with notes.client() as client:
            answer = await client.post("/v1/notes", json={"text": "一"}, headers=headers)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["field"] == f"header.{header}"
        async with caller(notes.app) as client:
            answer = await client.post("/v1/notes", json={"text": "一"}, headers=headers)
            assert answer.status_code == 401, answer.text


async def test_only_a_trace_is_kept_of_what_a_client_says_of_its_trace(notes: Notes) -> None:
    sound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    kept = []
    async with notes.client() as client:
        for trace in (sound, SECRET, sound + SECRET, sound.upper(), "x" * 5000):
            headers = [(b"traceparent", trace.encode())]
            made = await client.post("/v1/notes", json={"text": "一"}, headers=headers)
            assert made.status_code == 201
            stream = made.json()["stream"]
            kept.append(
                await notes.rt.pool.fetchval(
                    "select traceparent from journal where stream = $1", stream
                )
            )
    assert kept == [sound, None, None, None, None]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*NewLine.model_fields, "unknown"])


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=JSON | st.dictionaries(FIELDS, JSON | st.just("text"), max_size=6), text=st.text())
async def test_whatever_is_sent_is_stored_whole_or_refused(
    notes: Notes, body: Any, text: str
) -> None:
    before = await notes.counts()
    async with notes.client() as client:
        answer = await client.post(
            f"/v1/notes?{httpx.QueryParams({'text': text})}",
            content=json.dumps(body).encode(),
            headers={"content-type": "application/json", "idempotency-key": str(uuid4())},
        )
    assert answer.status_code in (201, 409, 422), answer.text
    written = answer.status_code == 201
    after = await notes.counts()
    assert (after[0] - before[0], after[1] - before[1]) == (int(written), int(written))


@pytest.mark.parametrize("service", SERVICES)
async def test_in_every_service_no_token_is_told_before_anything_else(
    servers: Stack, service: str
) -> None:
    found = host.load(service)
    oidc = servers.oidc()
    rt: Any = type("Rt", (), {})()
    rt.http = Http(http_port=0)
    rt.issuer = Issuer(Oidc(issuer=oidc["OIDC_ISSUER"], jwks=oidc["OIDC_JWKS"]))
    app = application(found, rt)
    checked = 0
    async with caller(app) as client:
        for path, methods in app.openapi()["paths"].items():
            there = path.replace("{", "").replace("}", "")
            for method in methods:
                for body in (b"[" * 100_000, b"1" * 5000, b"\xff", b"{}", b""):
                    answer = await client.request(
                        method,
                        f"{there}?limit=many&at=x",
                        content=body,
                        headers={
                            "content-type": "application/json",
                            "idempotency-key": "k" * 300,
                            "if-match": "x",
                            "tsunagu-after": "x",
                        },
                    )
                    assert answer.status_code == 401, (method, path, body[:9], answer.text)
                    checked += 1
    assert checked


# Languages.


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, "ja"), ("ja", "ja"), ("en", "en"), ("en-GB,en;q=0.9", "en"), ("de", "ja"),
        ("ja,en;q=0.8", "ja"), ("ja;q=0.5,en", "en"), ("fr, en;q=0.3", "en"), ("*", "ja"),
        ("en;q=0", "ja"), ("en;q=x", "ja"), (";;,,", "ja"),
    ],
)  # fmt: skip
async def test_problems_are_told_in_the_callers_language(
    notes: Notes, accept: str | None, language: str
) -> None:
    async with caller(notes.app, {"accept-language": accept} if accept else {}) as client:
        answer = await client.get(f"/v1/notes/{uuid4()}")
    assert answer.headers["content-language"] == language
    assert ("Send" in answer.json()["title"]) == (language == "en")


# Tsunagu-After.


async def test_a_read_waits_until_what_its_caller_has_seen_is_applied(notes: Notes) -> None:
    note = await notes.note("一")
    async with notes.client() as client:
        for n in range(2, 6):
            wrote = await client.post(f"/v1/notes/{note}/lines", json={"text": "次"})
            position = wrote.headers["tsunagu-position"]
            assert position == f"case/{note}@{n}"
            shown = await client.get(f"/v1/notes/{note}", headers={"tsunagu-after": position})
            assert shown.status_code == 200
            assert await notes.rt.reached(f"case/{note}", n)
        both = await client.get(
            f"/v1/notes/{note}", headers={"tsunagu-after": f"{position}, case/{note}@1"}
        )
        assert both.headers["etag"] == '"5"'
        # It comes only while the request waits.
        async with asyncio.TaskGroup() as group:
            ahead = {"tsunagu-after": f"case/{note}@6"}
            waiting = group.create_task(client.get(f"/v1/notes/{note}", headers=ahead))
            await client.post(f"/v1/notes/{note}/lines", json={"text": "次"})
        assert waiting.result().status_code == 200


async def test_what_does_not_come_in_time_is_told(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.http.AFTER_SECONDS", 0.2)
    note = await notes.note("一")
    ahead = {"tsunagu-after": f"case/{note}@2, case/{uuid4()}@1"}
    async with notes.unchanged(), notes.client() as client:
        for answer in (
            await client.get(f"/v1/notes/{note}", headers=ahead),
            await client.post(f"/v1/notes/{note}/lines", json={"text": "x"}, headers=ahead),
        ):
            assert answer.status_code == 503
            assert answer.json()["type"].endswith("not-yet-visible")
            assert answer.headers["retry-after"]
    async with caller(notes.app) as client:
        assert (await client.get(f"/v1/notes/{note}", headers=ahead)).status_code == 401


async def test_what_is_parked_is_told_at_once(notes: Notes) -> None:
    note = await notes.note("一", "unpalatable", "三")
    ahead = {"tsunagu-after": f"case/{note}@3"}

    async def parked() -> bool:
        return await notes.rt.reached(f"case/{note}", 3) is None

    await until(parked)
    async with notes.client() as client:
        answer = await client.get(f"/v1/notes/{note}", headers=ahead)
        assert (answer.status_code, answer.json()["type"][-6:]) == (503, "parked")
        before = await client.get(f"/v1/notes/{note}", headers={"tsunagu-after": f"case/{note}@1"})
        assert before.status_code == 200


# Trouble.


async def test_trouble_that_passes_is_told_as_such(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = await notes.note()

    async def away(*_: Any) -> None:
        raise ConnectionRefusedError

    async with notes.client() as client:
        monkeypatch.setattr(notes.rt.keyring, "at_hand", lambda: lambda _: None)
        monkeypatch.setattr(notes.rt.keyring, "fetch", away)
        answer = await client.get(f"/v1/notes/{note}")
        assert (answer.status_code, answer.json()["type"][-11:]) == (503, "unavailable")
        monkeypatch.undo()
        assert (await client.get(f"/v1/notes/{note}")).status_code == 200


async def test_an_error_of_ours_says_nothing_of_itself(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError(SECRET)

    note = await notes.note()
    monkeypatch.setattr(notes.rt.clock, "now", broken)
    async with notes.unchanged(), notes.client() as client:
        answer = await client.post(f"/v1/notes/{note}/lines", json={"text": "x"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text


async def test_while_it_recovers_a_service_answers_repeats_and_refuses_to_write(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"idempotency-key": "recovering"}
    async with notes.client() as client:
        first = await client.post("/v1/notes", json={"text": "一"}, headers=key)
        monkeypatch.setattr(notes.rt, "recovering", True)
        async with notes.unchanged():
            again = await client.post("/v1/notes", json={"text": "一"}, headers=key)
            new = await client.post("/v1/notes", json={"text": "一"})
            read = await client.get(first.headers["location"])
            missing = await client.get(f"/v1/notes/{uuid4()}")
            ready = await client.get("/readyz")
    assert (again.status_code, again.text) == (201, first.text)
    for refused in (new, missing):  # it may only not be there yet
        assert (refused.status_code, refused.json()["type"][-10:]) == (503, "recovering")
    assert (read.status_code, ready.status_code) == (200, 503)


async def test_a_service_recovers_until_nothing_waits_for_what_must_come_before_it(
    servers: Stack, templates: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, come = asyncio.Event(), asyncio.Event()

    async def gaps() -> bool:
        asked.set()
        return not come.is_set()

    ddl = tmp_path / "toy.sql"
    ddl.write_text(DDL)
    async with fresh(servers) as place, runtime_of(servers, place, ddl) as (rt, _):
        monkeypatch.setattr(rt.applier, "gaps", gaps)

        async def recovered() -> bool:
            return not rt.recovering

        loops = asyncio.create_task(host.after_recovery(rt))
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
            asked.clear()
            await asked.wait()  # it was told, and asks again
        assert rt.recovering
        come.set()
        await until(recovered)
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)


async def test_the_clock_answers_only_when_no_timer_is_about_to_fire(notes: Notes) -> None:
    async def all_else_is_settled() -> bool:
        sql = "select exists (select from unsent)"
        return not await notes.rt.pool.fetchval(sql) and not await notes.rt.follower.behind()

    taken = "select 1 from timer where stream = $1 for update"
    note = await notes.note("timer")
    async with pool(notes.rt.database.database_url, size=1) as other:
        async with other.acquire() as db, db.transaction():
            # Another loop has it in hand; a timer that our own loop was quicker to fire is no use.
            while not await db.fetchval(taken, f"case/{note}"):
                note = await notes.note("timer")
            await until(all_else_is_settled)
            assert not await simulation.settled(notes.rt)
    async with caller(notes.app) as client:
        at = notes.rt.clock.now().isoformat()
        moved = await client.put("/dev/clock", json={"at": at})
        assert moved.status_code == 200
    versions = await notes.rt.pool.fetchval(
        "select count(*) from journal where stream = $1", f"case/{note}"
    )
    assert versions == 2
    assert await notes.rt.reached(f"case/{note}", 2)


@pytest.mark.parametrize("how", ["returns", "raises", "is cancelled by a library"])
async def test_a_service_whose_loop_ends_in_any_way_ends(
    servers: Stack, templates: None, tmp_path: Path, how: str
) -> None:
    async def loop() -> None:
        if how == "raises":
            raise ValueError
        if how != "returns":
            stray: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            stray.cancel()
            await stray

    def tasks(rt: Runtime) -> list[Coroutine[Any, Any, None]]:
        return [loop()]

    ddl = tmp_path / "toy.sql"
    ddl.write_text(DDL)
    async with fresh(servers) as place, runtime_of(servers, place, ddl, tasks) as (rt, _):
        with pytest.raises(ExceptionGroup):
            async with asyncio.timeout(PATIENCE):
                await host.after_recovery(rt)
