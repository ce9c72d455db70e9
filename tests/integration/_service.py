"""A real service in this process, on databases of its own; other services' events are handed to it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
import uvicorn
from uuid_utils.compat import uuid7

from operate.stack import Stack
from shared import host
from shared.app import application
from shared.broker import event_message
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import AssignmentEvent
from shared.db import Connection
from shared.follow import Applier, Record
from shared.runtime import Runtime
from shared.sealing import envelope_of
from shared.settings import Http
from tests.integration._kit import PATIENCE, Place, new_key, plain_logs, until
from tests.integration._place import fresh

TOPICS = ("intake", "referral", "meetings", "views", "metrics")
IDS = {topic: f"id of {topic}" for topic in TOPICS}
WAITS = """
select exists (select from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock')"""


@contextmanager
def environment(stack: Stack, place: Place) -> Iterator[None]:
    """What a service reads at its start."""
    with pytest.MonkeyPatch.context() as patch:
        given = {
            **{f"KAFKA_{name.upper()}": value for name, value in place.kafka.items()},
            **stack.oidc(),
            "DATABASE_URL": place.database,
            "KEYRING_DATABASE_URL": place.keyring,
            "KEYRING_MASTER_KEY": place.master,
            "KEYRING_CODES_KEY": place.codes,
            "INDEX_KEY": place.index or new_key(),
            "HTTP_PORT": "0",
            "CLOCK": "simulated",
            "DEVELOPMENT": "true",
        }
        for name, value in given.items():
            patch.setenv(name, value)
        yield


class Running:
    """The service, those who call it, and what the others tell it."""

    def __init__(self, stack: Stack, rt: Runtime, place: Place) -> None:
        self.stack, self.rt, self.place = stack, rt, place
        self.app = application(rt.service, rt)
        self._versions: Counter[str] = Counter()
        self._offsets: Counter[str] = Counter()

    def client(self, agency: str, *roles: str, subject: str = "tanaka") -> httpx.AsyncClient:
        token = self.stack.token(agency, roles, subject)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://service",
            headers={"authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )

    async def record(
        self, event: Event, agency: str = "city", at: datetime | None = None, skip: int = 0
    ) -> Record:
        """The next event of its stream as a relay sends it; `skip` leaves out so many versions."""
        name = "agency" if event.STREAM == "subscription" else event.STREAM
        named = f"{event.agency}/{event.case}" if isinstance(event, AssignmentEvent) else None
        stream = f"{event.STREAM}/{named or getattr(event, name)}"
        self._versions[stream] += 1 + skip
        return await self._sealed(event, stream, agency, at or self.rt.clock.now())

    async def _sealed(self, event: Event, stream: str, agency: str, at: datetime) -> Record:
        key = str(getattr(event, "case", stream.partition("/")[2]))
        envelope = Envelope(
            id=uuid7(), stream=stream, version=self._versions[stream], key=key, type=event.TYPE,
            at=at, occurred_at=at, actor="tanaka", agency=agency, correlation=uuid7(),
        )  # fmt: skip
        (wire,) = await self.rt.codec.seal([(event, envelope)])
        return self._as_record(event.TOPIC, envelope, wire)

    def _as_record(self, topic: str, envelope: Envelope, wire: dict[str, Any]) -> Record:
        message = event_message(topic, envelope, wire)
        self._offsets[topic] += 1
        at = self._offsets[topic] - 1
        return Record(topic, 0, at, message.key, message.value, tuple(message.headers))

    async def tell(self, *events: Event, **more: Any) -> None:
        """In one batch."""
        await self.apply([await self.record(event, **more) for event in events])

    async def apply(self, records: Sequence[Record]) -> None:
        await self.rt.applier.apply(records, IDS)

    async def own(self) -> list[Record]:
        """What the service has written itself, in order."""
        rows = await self.rt.pool.fetch("select * from journal order by seq")
        return [self._as_record(self.rt.service.name, envelope_of(r), r["data"]) for r in rows]

    async def written(self, *types: type[Event]) -> list[Any]:
        """Events of these types in its journal."""
        rows = await self.rt.pool.fetch("select * from journal order by seq")
        events = [recorded.event for recorded in await self.rt.read(rows)]
        return [event for event in events if isinstance(event, types)]

    async def apply_at_once(self, first: Sequence[Record], second: Sequence[Record]) -> None:
        """Two replicas: the second begins when the first has done its work and not committed yet;
        from another partition, so that no place in the topic makes it wait.
        """
        done, go = asyncio.Event(), asyncio.Event()
        view = self.rt.applier.view

        async def slow(db: Connection, events: Sequence[Recorded], live: bool) -> None:
            await view.react(db, events, live)
            done.set()
            await go.wait()

        async def answered(
            db: Connection, events: Sequence[Recorded], answer: Sequence[Any]
        ) -> None:
            await view.answered(db, events, answer)
            done.set()
            await go.wait()

        slower = replace(view, react=slow, answered=answered)
        replica = Applier(slower, 1, self.rt.pool, self.rt.codec, promoted=True)
        replica.live = self.rt.applier.live
        async with asyncio.TaskGroup() as group:
            group.create_task(replica.apply(first, IDS))
            async with asyncio.timeout(PATIENCE):
                await done.wait()
            other = group.create_task(
                self.apply([record._replace(partition=1) for record in second])
            )

            async def waits_or_is_done() -> bool:
                return other.done() or bool(await self.rt.pool.fetchval(WAITS))

            await until(waits_or_is_done)
            go.set()


@asynccontextmanager
async def service_on(
    stack: Stack, name: str, keys_of: Place | None = None
) -> AsyncIterator[Running]:
    """`keys_of`: where a service is at work whose keyring and keys this one shares."""
    plain_logs()
    found = host.load(name)
    async with fresh(stack, name) as place:
        place = replace(place, index=new_key())
        if keys_of:
            names = ("keyring", "master", "codes", "index")
            place = replace(place, **{name: getattr(keys_of, name) for name in names})
        with environment(stack, place):
            async with host.runtime(found, Http()) as rt:
                rt.recovering = False
                rt.applier.live = True
                yield Running(stack, rt, place)


@asynccontextmanager
async def served(running: Running) -> AsyncIterator[str]:
    """Over a real socket: its base URL."""
    server = uvicorn.Server(uvicorn.Config(running.app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await task


async def appoint(meetings: Running, body: str, agency: str = "city") -> None:
    """A clerk of the agency is the body's secretariat, as who keeps the directory appoints him."""
    path, clerk = f"/v1/bodies/{body}/members/clerk", {"agency": agency, "secretariat": True}
    async with meetings.client(agency, "operator", subject="registrar") as client:
        answer = await client.put(path, json=clerk)
    assert answer.status_code == 200, answer.text
