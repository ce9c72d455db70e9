"""A kit of the spine's parts on a database and a topic of their own, with a toy decider and view."""

import asyncio
import json
import os
import signal
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7, uuid8

from shared import views
from shared.broker import Message, consumer, describe, event_message, producer
from shared.clock import SimulatedClock
from shared.contracts import Envelope, Event, Recorded, Unreadable
from shared.contracts.intake import PersonDescribed, WorriesRecorded
from shared.db import ONE_PLAN, Connection, Pool, pool
from shared.deadline import Due, Fire, Plan, Timer, no_plan
from shared.decider import Decider, Refused
from shared.follow import Applier, Follower, Record
from shared.journal import Context, Journal, Written
from shared.keyring import Keyring
from shared.loops import unending
from shared.relay import JournalOutbox, Relay
from shared.sealing import Codec
from shared.settings import Kafka
from shared.timers import Timers
from shared.views import View
from tests.integration import _process

PATIENCE = float(os.environ.get("PATIENCE", "60"))
"""Seconds until a wait is given up. No test depends on how long anything takes."""

DDL = """
create table applied (n bigint generated always as identity, stream text not null,
                      version int not null, id uuid not null, value text);
create table reacted (stream text not null, version int not null, live boolean not null);
"""
APPLY = """
insert into applied (stream, version, id, value)
select * from unnest($1::text[], $2::int[], $3::uuid[], $4::text[])"""
REACT = "insert into reacted select *, $3 from unnest($1::text[], $2::int[])"
CHILD = "tests.integration._child"


@dataclass(frozen=True)
class Place:
    """Where a kit works; goes to a child process as JSON."""

    name: str
    database: str
    keyring: str
    kafka: Mapping[str, Any]
    master: str | None
    codes: str
    index: str | None = None

    def settings(self, instance: str | None = None) -> Kafka:
        return Kafka(**self.kafka, instance=instance)

    def text(self) -> str:
        return json.dumps(asdict(self))


# A toy stream: each command writes one event a text, whatever was before.


def stream_of(case: UUID) -> str:
    return f"case/{case}"


def worry(case: UUID, text: str) -> WorriesRecorded:
    return WorriesRecorded(case=case, concerns=("money",), text=text)


def describe_person(case: UUID, person: UUID, name: str) -> PersonDescribed:
    return PersonDescribed(case=case, person=person, name=name)


def decide(state: int, command: Sequence[Event]) -> Sequence[Event]:
    """Writes what it is given; "refuse" as text is refused."""
    if any(isinstance(e, WorriesRecorded) and e.text == "refuse" for e in command):
        raise Refused("as-asked", state=str(state), allowed=["other"])
    return command


DECIDER: Decider[int, Sequence[Event]] = Decider(0, decide, lambda state, event: state + 1)


def at_once(event: Event, envelope: Envelope) -> list[Timer]:
    """Each event whose text says so sets a timer that is due with it."""
    if isinstance(event, WorriesRecorded) and str(event.text).startswith("timer"):
        return [Timer(f"{envelope.stream}#{envelope.version}", envelope.at, envelope.stream, {})]
    return []


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    case = UUID(stream.split("/")[1])
    return Due(DECIDER, str(case), [worry(case, "fired")])


def timers_of(kit: "Kit", plan: Plan = at_once, fire: Fire = fire) -> Timers:
    """They see all that is set as due."""
    journal = Journal(kit.pool, kit.codec, lambda: None, plan)
    return Timers(journal, SimulatedClock(datetime.now(UTC) + timedelta(1)), fire)


KEY = uuid8(0, 0, 1)
"""A command's."""


def context(**more: Any) -> Context:
    at = datetime.now(UTC)
    return replace(Context("tanaka", "city-fukushi", at, at), **more)


def value_of(event: Event) -> str | None:
    value = event.text if isinstance(event, WorriesRecorded) else getattr(event, "name", None)
    return repr(value) if isinstance(value, Unreadable) else value


@dataclass
class Toy:
    """The toy view: every applied event is a row, so that a double shows; `refuses` raises on a value."""

    refuses: Callable[[str | None], bool] = lambda value: False

    async def project(self, db: Connection, events: Sequence[Recorded]) -> None:
        values = [value_of(e.event) for e in events]
        if any(self.refuses(value) for value in values):
            raise ValueError("refused")
        marks = [e.envelope for e in events]
        streams, versions = [m.stream for m in marks], [m.version for m in marks]
        await db.execute(APPLY, streams, versions, [m.id for m in marks], values)

    async def react(self, db: Connection, events: Sequence[Recorded], live: bool) -> None:
        marks = [e.envelope for e in events]
        await db.execute(REACT, [m.stream for m in marks], [m.version for m in marks], live)


async def until(condition: Callable[[], Awaitable[object]], what: str = "") -> None:
    """Wait until it holds."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain: {what or condition}") from None


@asynccontextmanager
async def running(*loops: Any) -> AsyncIterator[None]:
    """Loops that never return, for a while; an error that ends one of them ends the test."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(unending(loop.run())) for loop in loops]
        yield
        for task in tasks:
            task.cancel()


class Kit:
    """Journal, relay, follower and keyring of one place, in this process."""

    def __init__(self, place: Place, db: Pool, keys: Pool, toy: Toy, plan: Plan, ddl: Path) -> None:
        self.place, self.pool, self.keys, self.toy = place, db, keys, toy
        self.topic, self.kafka = place.name, place.settings()
        self.keyring = self.keyring_with(master=place.master)
        self.codec = Codec(self.keyring)
        self.journal = Journal(db, self.codec, self._written, plan)
        self.view = View(place.name, (place.name,), ddl, toy.project, toy.react)
        self.relays: list[Relay] = []

    def keyring_with(self, db: Pool | None = None, master: str | None = None) -> Keyring:
        wrap = b64decode(master) if master else None
        return Keyring(db or self.keys, b64decode(self.place.codes), wrap)

    def _written(self) -> None:
        for relay in self.relays:
            relay.wake()

    def relay(self) -> Relay:
        made = Relay(
            self.topic, self.place.database, self.kafka, JournalOutbox(self.topic), heartbeat=True
        )
        self.relays.append(made)
        return made

    async def applier(self, codec: Codec | None = None) -> Applier:
        number = await views.ensure(self.pool, self.view)
        return Applier(self.view, number, self.pool, codec or self.codec, promoted=True)

    async def follower(self, instance: str | None = None, codec: Codec | None = None) -> Follower:
        kafka = self.place.settings(instance).model_copy(update={"session_timeout_ms": 2000})
        return Follower(await self.applier(codec), kafka, self.pool)

    # Writing

    async def write(self, case: UUID, *texts: str, **more: Any) -> Written:
        expected = more.pop("expected", None)
        return await self.journal.handle(
            DECIDER,
            stream_of(case),
            str(case),
            [worry(case, text) for text in texts],
            context(**more),
            expected,
        )

    async def message(self, case: UUID, version: int, text: str) -> Message:
        """A record as a relay sends it, of an event that is in no journal."""
        at = datetime.now(UTC)
        envelope = Envelope(
            id=uuid7(),
            stream=stream_of(case),
            version=version,
            key=str(case),
            type=WorriesRecorded.TYPE,
            at=at,
            occurred_at=at,
            actor="tanaka",
            agency="city-fukushi",
            correlation=uuid7(),
        )
        (wire,) = await self.codec.seal([(worry(case, text), envelope)])
        return event_message(self.topic, envelope, wire)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Send to the topic past the journal, one after the other."""
        sender = producer(self.kafka)
        await sender.start()
        try:
            sent = [await sender.send(m.topic, m.value, m.key, headers=m.headers) for m in messages]
            await asyncio.gather(*sent)
        finally:
            await sender.stop()

    # Looking

    async def on_topic(self, topic: str | None = None) -> list[Record]:
        return await records_on(self.kafka, topic or self.topic)

    async def published(self) -> dict[str, list[int]]:
        """Versions on the topic by stream, in order."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for record in await self.on_topic():
            headers = {name: (value or b"").decode() for name, value in record.headers}
            found[headers["ce_stream"]].append(int(headers["ce_version"]))
        return dict(found)

    async def written(self) -> dict[str, list[int]]:
        """Versions in the journal by stream."""
        rows = await self.pool.fetch("select stream, version from journal order by stream, version")
        return _by_stream(rows)

    async def unpublished(self) -> int:
        return int(
            await self.pool.fetchval(
                "select (select count(*) from unsent) + (select count(*) from held)"
            )
        )

    async def drained(self) -> None:
        async def condition() -> bool:
            return not await self.unpublished()

        await until(condition, "all published")

    async def applied(self) -> dict[str, list[int]]:
        """Versions that the view applied by stream, in the order of applying."""
        if not await self.pool.fetchval("select to_regclass('view_1.applied')"):
            return {}
        return _by_stream(
            await self.pool.fetch("select stream, version from view_1.applied order by n")
        )

    async def values(self) -> list[str]:
        rows = await self.pool.fetch("select value from view_1.applied order by n")
        return [row["value"] for row in rows]

    async def parked(self) -> dict[str | None, list[int | None]]:
        rows = await self.pool.fetch("select stream, version from parked order by stream, version")
        found: defaultdict[str | None, list[int | None]] = defaultdict(list)
        for row in rows:
            found[row["stream"]].append(row["version"])
        return dict(found)

    async def reached(self, wanted: Mapping[str, list[int]]) -> None:
        """Wait for these streams to be applied, each version once and in order."""

        async def condition() -> bool:
            there = await self.applied()
            return all(len(there.get(stream, [])) >= len(all_) for stream, all_ in wanted.items())

        with suppress(AssertionError):
            await until(condition)
        there = await self.applied()
        streams = there.keys() | wanted.keys()
        differ = {
            s: (there.get(s), wanted.get(s)) for s in streams if there.get(s) != wanted.get(s)
        }
        assert not differ, "by stream: what is applied, what should be"

    async def in_step(self) -> None:
        """Wait until the view has applied the whole journal, each event once and in order."""
        await self.reached(await self.written())
        reacted = await self.pool.fetch("select stream, version from view_1.reacted")
        assert sorted(map(tuple, reacted)) == sorted(
            (stream, version) for stream, all_ in (await self.applied()).items() for version in all_
        )

    # Other processes

    def child(
        self, role: str, kill: str = "", **more: str
    ) -> AbstractAsyncContextManager[_process.Process]:
        """A process that plays a role of `_child`; `kill` names the kill point that ends it."""
        more |= {"TSUNAGU_KILL": kill, "SPINE": self.place.text()}
        return _process.running(CHILD, role, **more)

    async def falls(self, role: str, point: str, **more: str) -> None:
        """Run a role until it is killed at that point."""
        async with self.child(role, point, **more) as process, asyncio.timeout(PATIENCE):
            assert await process.wait() == -signal.SIGKILL


async def records_on(kafka: Kafka, topic: str) -> list[Record]:
    """All records of a topic; in order within a partition."""
    described = (await describe(kafka, [topic]))[topic]
    reader = consumer(kafka, None)
    await reader.start()
    try:
        reader.assign(list(described.places))
        await reader.seek_to_beginning()
        ends = await reader.end_offsets(described.places)
        found: list[Record] = []
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=100)).values():
                found += [
                    Record(r.topic, r.partition, r.offset, r.key, r.value, tuple(r.headers))
                    for r in records
                ]
        return found
    finally:
        await reader.stop()


def _by_stream(rows: Sequence[Any]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        found[row["stream"]].append(row["version"])
    return dict(found)


def plain_logs() -> None:
    """Short lines: the library's own tracebacks take longer than what they tell of."""
    render = structlog.processors.KeyValueRenderer(key_order=["event"])
    structlog.configure(processors=[structlog.processors.format_exc_info, render])


@asynccontextmanager
async def kit_at(
    place: Place, ddl: Path, toy: Toy | None = None, plan: Plan = no_plan
) -> AsyncIterator[Kit]:
    async with (
        pool(place.database, plan_cache_mode=ONE_PLAN) as db,
        pool(place.keyring, size=4) as keys,
    ):
        yield Kit(place, db, keys, toy or Toy(), plan, ddl)


def new_key() -> str:
    return b64encode(os.urandom(32)).decode()
