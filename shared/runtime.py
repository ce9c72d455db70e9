"""What a running service holds: made once by the host, handed to endpoints and loops."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter

from shared.audit import Readings
from shared.auth import Issuer, Principal
from shared.clock import Clock
from shared.contracts import Recorded
from shared.db import Pool
from shared.deadline import Fire, Plan, no_fire, no_plan
from shared.follow import Applier, Follower
from shared.journal import Journal
from shared.keyring import Keyring
from shared.relay import Outbox, Relay
from shared.sealing import Codec, envelope_of
from shared.settings import Database, Http, Kafka, Keys
from shared.timers import Timers
from shared.views import View

LATER_SECONDS = 0.01
VERSION = "select max(version) from journal where stream = $1"


@dataclass
class Runtime:
    """`reads` is a pool whose search_path is the promoted view."""

    service: "Service"
    http: Http
    database: Database
    kafka: Kafka
    keys: Keys
    pool: Pool
    reads: Pool
    keyring: Keyring
    codec: Codec
    clock: Clock
    issuer: Issuer
    journal: Journal = field(init=False)
    applier: Applier = field(init=False)
    follower: Follower = field(init=False)
    timers: Timers = field(init=False)
    readings: Readings = field(init=False)
    relays: list[Relay] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    """What a service keeps for itself in this process."""
    recovering: bool = True
    """Until its journal and its view are where they were before this start: nothing is decided on
    less, and nothing is said to be missing.
    """

    on_commit: list[Callable[[], object]] = field(default_factory=list)
    """Called when something was committed here."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is asked to end: who answers at length, ends his answer."""

    def wake(self) -> None:
        for relay in self.relays:
            relay.wake()
        for call in self.on_commit:
            call()

    def reacted(self) -> None:
        """The view may have written something, for which nobody waits as for what it is to send."""
        for relay in self.relays[1:]:
            relay.wake()
        for own in self.relays[:1]:
            asyncio.get_running_loop().call_later(LATER_SECONDS, own.wake)
        for call in self.on_commit:
            call()

    async def reached(self, stream: str, version: int) -> bool | None:
        """Is it applied here? None: parked. Own streams count when they are in the journal,
        unless this service's own view follows them too.
        """
        if self.service.reached:
            return await self.service.reached(self, stream, version)
        kind = stream.split("/", 1)[0]
        if kind in self.service.streams and self.service.name not in self.applier.view.topics:
            return bool((await self.pool.fetchval(VERSION, stream) or 0) >= version)
        return await self.applier.reached(stream, version)

    async def read(self, rows: Any) -> list[Recorded]:
        """Rows of a view that keep the wire form of events, opened; unreadable ones are left out."""
        opened = await self.codec.open((envelope_of(row), row["data"]) for row in rows)
        return [one for one in opened if isinstance(one, Recorded)]


Unfit = Literal["size", "form"]


async def no_settle(rt: Runtime) -> bool:
    return True


@dataclass(frozen=True)
class Service:
    """One service as a value: the host turns it into a process.

    `streams`: kinds of stream that it writes. `view` makes its view, given the runtime.
    `outboxes`: further things to relay. `tasks`: further loops. `settled`: is nothing left to do?
    """

    name: str
    streams: tuple[str, ...]
    router: APIRouter
    view: Callable[[Runtime], View]
    plan: Plan = no_plan
    fire: Fire = no_fire
    outboxes: Callable[[Runtime], dict[str, Outbox]] = lambda rt: {}
    tasks: Callable[[Runtime], list[Coroutine[Any, Any, None]]] = lambda rt: []
    settled: Callable[[Runtime], Awaitable[bool]] = no_settle
    reached: Callable[[Runtime, str, int], Awaitable[bool | None]] | None = None
    """What `Tsunagu-After` means where it is more than applied (views: judged as well)."""
    follows_by_itself: bool = False
    """Metrics feeds its applier from Faust; the host then starts no follower."""
    largest_body: int = 1_500_000
    unfit: Callable[[Runtime, Principal, Unfit], Awaitable[None]] | None = None
    """Hears of a body that is refused before anybody reads it, and who sent it; before the answer."""
    audited: bool = False
    """Each GET leaves a row in its table `reading`, or is not answered."""
