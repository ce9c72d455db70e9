"""Two of every service: the same results as with one, whoever of them stands still, wakes or leaves."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

import asyncpg
import httpx
import pytest

from operate import databases
from operate.places import SERVICES, replicas
from shared.db import connect
from tests.conftest import City
from tests.integration._kit import PATIENCE, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TWO = 2
BUSY = 3.0
"""Seconds until a caller gives up on one replica and asks the other."""
INBOX = """
select stream, version from inbox
 where version > 0 and view = (select $1 || '-' || number from view where state = 'live')"""
FOLLOWED = "select distinct topic from position"
UNJUDGED = "select id from live.cases where dirty"
NEWEST = "select stream, max(version) as version from journal group by stream"
PARKED = "select topic from parked"
SHEET = {"route": "family_visit", "worries": {"concerns": ["care"], "text": "家計"}}
AGENCY = {"name": "支援", "kind": "npo", "controller": "contractor", "purposes": ["consultation"]}


@pytest.fixture(scope="module")
async def pair(city: City) -> AsyncIterator[City]:
    """The city with two replicas of every service."""
    await asyncio.to_thread(city.stack.up, services=list(SERVICES), replicas=TWO, bound=True)
    city.processes = [name for service in SERVICES for name in replicas(service, TWO)]
    await city.settle()
    yield city
    second, city.processes = [replicas(name, TWO)[1] for name in SERVICES], list(SERVICES)
    await asyncio.gather(*(asyncio.to_thread(city.stack.stop, name) for name in second))


@dataclass
class Callers:
    """Clients as they should be: one repeat at the other replica, with the same Idempotency-Key."""

    city: City
    before: frozenset[str] = frozenset()
    answered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.intake = [
            self.city.client(name, "ikoma-city", "intake_worker", "coordinator")
            for name in replicas("intake", TWO)
        ]
        self.referral = [
            self.city.client(name, "ikoma-city", "operator") for name in replicas("referral", TWO)
        ]

    @classmethod
    async def of(cls, city: City) -> "Callers":
        return cls(city, await streams(city))

    async def twice(
        self, clients: list[httpx.AsyncClient], first: int, method: str, path: str, body: object
    ) -> httpx.Response | None:
        headers = {"Idempotency-Key": str(uuid4())}
        said = ""
        for client in (clients[first % TWO], clients[(first + 1) % TWO]):
            try:
                answer = await client.request(
                    method, path, json=body, headers=headers, timeout=BUSY if not said else PATIENCE
                )
            except httpx.TransportError as error:
                said = type(error).__name__
                continue
            if answer.is_success:
                return answer
            said = str(answer.status_code)
        self.failed.append(f"{method} {path}: {said}")
        return None

    async def open_case(self, first: int) -> None:
        if answer := await self.twice(self.intake, first, "POST", "/v1/cases", SHEET):
            self.answered.append(answer.json()["stream"])

    async def register(self, first: int) -> str:
        code = f"npo-{uuid4().hex[:10]}"
        if answer := await self.twice(self.referral, first, "PUT", f"/v1/agencies/{code}", AGENCY):
            self.answered.append(answer.json()["stream"])
        return code

    async def some(self, times: int = 3) -> None:
        """Writes to every replica, all at once."""
        await asyncio.gather(
            *(self.open_case(n % TWO) for n in range(2 * times)),
            *(self.register(n) for n in range(times)),
        )


async def newest(city: City) -> dict[str, dict[str, int]]:
    """By service, how far each stream of its journal is."""

    async def of(service: str) -> dict[str, int]:
        rows = await databases.fetch(city.stack.admin_database_url(service), NEWEST)
        return {row["stream"]: row["version"] for row in rows}

    return dict(zip(SERVICES, await asyncio.gather(*map(of, SERVICES)), strict=True))


async def streams(city: City) -> frozenset[str]:
    """All that callers have made; who works a case begins with it, and has no answer of its own."""
    made = await newest(city)
    found = {*made["intake"], *made["referral"]}
    return frozenset(one for one in found if not one.startswith("assignment/"))


async def differences(city: City) -> dict[str, object]:
    """By service: streams whose newest version its view has not, or more than there is."""
    written = await newest(city)

    async def of(service: str) -> tuple[int, int]:
        url = city.stack.admin_database_url(service)
        topics = {row["topic"] for row in await databases.fetch(url, FOLLOWED)}
        has = {row["stream"]: row["version"] for row in await databases.fetch(url, INBOX, service)}
        unjudged = await databases.fetch(url, UNJUDGED) if service == "views" else []
        wanted = {s: v for topic in topics for s, v in written[topic].items()}
        wrong = sum(has.get(s) != wanted.get(s) for s in has.keys() | wanted.keys())
        return wrong, len(unjudged)

    found = zip(SERVICES, await asyncio.gather(*map(of, SERVICES)), strict=True)
    return {service: amiss for service, amiss in found if any(amiss)}


async def in_step(city: City) -> None:
    """Wait until every view of every service is where the journals are."""

    async def condition() -> bool:
        return not await differences(city)

    await until(condition, "every view in step with the journals")


async def nothing_amiss(callers: Callers) -> None:
    """What was answered is there, once, in every view; nothing else is; nothing was put aside."""
    await in_step(callers.city)
    assert not callers.failed
    assert await streams(callers.city) - callers.before == set(callers.answered)
    assert len(set(callers.answered)) == len(callers.answered)
    urls = [callers.city.stack.admin_database_url(name) for name in SERVICES]
    assert not any([await databases.fetch(url, PARKED) for url in urls])


async def test_both_replicas_of_a_service_answer_the_same(pair: City) -> None:
    callers = await Callers.of(pair)
    await callers.some(10)
    await nothing_amiss(callers)
    assert len(callers.answered) == 30
    await pair.settle()
    paths = {"intake": "/v1/cases", "referral": "/v1/agencies", "metrics": "/v1/indicators"}
    for service, path in paths.items():
        said = []
        for name in replicas(service, TWO):
            client = pair.client(name, "ikoma-city", "intake_worker", "planner", "operator")
            said.append((await client.get(path, params={"limit": 500})).raise_for_status().json())
        assert said[0] == said[1]


async def documents(city: City, name: str, agency: str) -> list[object]:
    """What an agency holds, asked at one replica of views."""
    client = city.client(name, agency, "agency_worker")
    lines = (await client.get("/v1/views")).raise_for_status().json()["items"]
    return [(await client.get(f"/v1/views/{line['handle']}")).json()["items"] for line in lines]


async def test_what_one_replica_is_told_of_a_consent_holds_at_the_other(pair: City) -> None:
    callers, person = await Callers.of(pair), str(uuid4())
    care = await callers.register(0)
    sheet = {
        **SHEET,
        "people": [{"id": person, "relation": "self", "name": "生駒 花"}],
        "situations": [{"person": person, "health": "膝の痛み"}],
    }
    terms = {
        "person": person, "classes": ["health_disability"], "purposes": ["consultation"],
        "holders": [care], "text_version": "2026-04",
    }  # fmt: skip
    first, second = callers.intake
    await pair.settle()
    case = (await first.post("/v1/cases", json=sheet)).raise_for_status().json()["id"]
    await pair.settle()
    given = await second.post(f"/v1/cases/{case}/consents", json=terms)
    consent = given.raise_for_status().json()["id"]
    await pair.settle()
    shown = [await documents(pair, name, care) for name in replicas("views", TWO)]
    assert [len(items) for (items,) in shown] == [1, 1]
    assert shown[0] == shown[1]

    (await first.post(f"/v1/consents/{consent}/withdrawal", json={})).raise_for_status()
    await pair.settle()
    assert [await documents(pair, name, care) for name in replicas("views", TWO)] == [[[]], [[]]]


async def test_who_asks_any_replica_sees_what_was_written_at_any_other(pair: City) -> None:
    """The replica that is asked may not read that partition, and has not written the event."""
    paths = {"views": "/v1/freshness", "metrics": "/v1/indicators", "intake": "/v1/cases"}
    readers = [
        (pair.client(name, "ikoma-city", "operator", "planner", "intake_worker"), path)
        for service, path in paths.items()
        for name in replicas(service, TWO)
    ]

    async def sees(reader: httpx.AsyncClient, path: str, position: str) -> bool:
        answer = await reader.get(path, headers={"Tsunagu-After": position})
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200

    for n in range(8):
        window = pair.client(replicas("intake", TWO)[n % TWO], "ikoma-city", "intake_worker")
        opened = (await window.post("/v1/cases", json=SHEET)).raise_for_status()
        for reader, path in readers:
            seen = partial(sees, reader, path, opened.headers["Tsunagu-Position"])
            await until(seen, f"{reader.base_url} has seen it")


@pytest.mark.parametrize("turn", range(TWO))
async def test_who_stands_still_is_replaced_and_does_no_harm_on_waking(
    pair: City, turn: int
) -> None:
    """One replica of every service, all at once; then the other."""
    callers = await Callers.of(pair)
    still = [replicas(service, TWO)[turn] for service in SERVICES]
    await callers.some()
    await in_step(pair)
    for name in still:
        pair.stack.kill(name, signal.SIGSTOP)
    began = time.monotonic()
    try:
        await callers.some(1)
        await in_step(pair)
        print(f"{', '.join(still)} stopped: in step after {time.monotonic() - began:.1f} s")
        await callers.some()
        await in_step(pair)
    finally:
        for name in still:
            pair.stack.kill(name, signal.SIGCONT)
    await callers.some()
    await nothing_amiss(callers)
    await pair.settle()


@pytest.mark.parametrize("turn", range(TWO))
async def test_who_is_killed_is_replaced(pair: City, turn: int) -> None:
    """One replica of every service, all at once; then the other."""
    callers = await Callers.of(pair)
    before = {name: pair.stack.pid(name) for name in (replicas(s, TWO)[turn] for s in SERVICES)}
    if turn:
        pair.stack.kill("forkserver")  # nothing rests on it
    for name in before:
        pair.stack.kill(name)
    began = time.monotonic()
    await callers.some(1)
    await in_step(pair)
    print(f"{', '.join(before)} killed: in step after {time.monotonic() - began:.1f} s")
    await asyncio.gather(*(back(pair, name, pid) for name, pid in before.items()))
    await callers.some(1)
    await nothing_amiss(callers)


async def back(city: City, name: str, before: int | None) -> None:
    """Wait until another process has taken the place of this one, and is ready."""

    async def condition() -> bool:
        if city.stack.pid(name) in (None, before):
            return False
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{city.stack.http(name)}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    await until(condition, f"{name} is back")


async def test_a_rolling_restart_loses_no_request_that_is_repeated_once(pair: City) -> None:
    callers = await Callers.of(pair)
    over = asyncio.Event()

    async def load(first: int) -> None:
        while not over.is_set():
            await asyncio.gather(callers.open_case(first), callers.register(first))
            first += 1

    loads = [asyncio.create_task(load(n)) for n in range(4)]
    try:
        for name in pair.processes:
            before = pair.stack.pid(name)
            pair.stack.kill(name, signal.SIGTERM)
            await back(pair, name, before)
    finally:
        over.set()
        await asyncio.gather(*loads)
    print(f"{len(pair.processes)} SIGTERMs, {len(callers.answered)} writes")
    await nothing_amiss(callers)


async def test_a_session_that_nobody_reads_is_ended_by_the_service(pair: City) -> None:
    """It may hold locks, and PostgreSQL lets it wait for ever."""
    still = await connect(pair.stack.database_url("intake", "intake"))
    pid = still.get_server_pid()
    asking = asyncio.create_task(
        still.execute("select repeat('x', 1000000) from generate_series(1, 50)")
    )
    await asyncio.sleep(0)  # the question, one message, is on its way
    still._transport.pause_reading()  # type: ignore[attr-defined]
    admin = await asyncpg.connect(pair.stack.admin_database_url())

    async def ended() -> bool:
        return not await admin.fetchval("select count(*) from pg_stat_activity where pid = $1", pid)

    await until(ended, "its session is ended")
    await admin.close()
    still.terminate()
    await asyncio.gather(asking, return_exceptions=True)


async def test_the_clock_of_a_service_is_moved_on_each_of_its_replicas(pair: City) -> None:
    at = await pair.settle()
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        for name in pair.processes:
            shown = await client.put(
                f"{pair.stack.http(name)}/dev/clock", json={"at": at.isoformat()}
            )
            assert shown.json()["at"] == at.isoformat().replace("+00:00", "Z")
