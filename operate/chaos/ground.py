"""What faults are worked on: the running copy, its parts, and what has been done to it so far."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random

from operate import control
from operate.chaos.proxy import Proxy
from operate.demo.agencies import Offices
from operate.demo.client import Api
from operate.demo.clock import Clock
from operate.install import Refused
from operate.stack import Stack

SKEW = 2.0
SETTLING = 4.0
"""Seconds of a settling in which faults go on; after them it is let come to its end."""
PATIENT = {"FOLLOWER_INVALID_IN_A_ROW": "100000", "FOLLOWER_PARKED": "100000"}
"""More poison comes at once than an operator's limit would let pass."""
BACK = 300.0
"""Seconds in which a part that was ended must be back, on whatever machine."""


class Skewed(Clock):
    """`ahead`: the service whose clock jumps to the next stop before all others. `jumped`: to
    where that of views did, and from where.
    """

    ahead: str | None = None
    latest: datetime | None = None

    def __init__(self, api: Api, parts: Sequence[str]) -> None:
        super().__init__(api, parts)
        self._still, self._since = asyncio.Event(), 0.0
        self._still.set()
        self.jumped: dict[datetime, datetime] = {}

    @property
    def moving(self) -> bool:
        return not self._still.is_set()

    async def calm(self) -> None:
        """Waits where a settling has gone on for long: faults without a pause would never let it end."""
        if self.moving and time.monotonic() - self._since > SETTLING:
            await self._still.wait()

    async def move(self, at: datetime) -> dict[str, int]:
        """A day ends when what was said on it has been heard: a withdrawal that is on its way for
        the seconds of a fault is none of yesterday.
        """
        self._since = time.monotonic()
        self._still.clear()
        try:
            if self.at and at > self.at:
                await super().move(self.at)
            self.latest = at
            if service := self.ahead:
                self.ahead = None
                if service == "views" and self.at:
                    self.jumped[at] = self.at
                await self._put(service, at)
                await asyncio.sleep(SKEW)
            return await super().move(at)
        finally:
            self._still.set()


@dataclass
class Ground:
    """`faults` counts by kind what was done; `missed` names what could not be brought about."""

    stack: Stack
    random: Random
    offices: Offices
    clock: Skewed
    databases: dict[str, Proxy] = field(default_factory=dict)
    brokers: dict[str, Proxy] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    notes: dict[str, float] = field(default_factory=dict)
    reached: set[tuple[str, str]] = field(default_factory=set)
    """Kill points and modes."""
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    forgetful: bool = False
    """Whether a broker has lost what it had acknowledged."""
    poison: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Records that no service can take, by topic, and by type where only the value is wrong: who does not
    read that type passes it by.
    """

    def weapon(self, part: str) -> Path:
        """The file that arms a kill point of this part."""
        return self.stack.state / "kill" / part

    def environment(self, service: str) -> dict[str, str]:
        """What a service is given on top of its ordinary environment."""
        given = {"TSUNAGU_KILL": f"@{self.weapon(service)}", **PATIENT}
        if service in self.databases:
            ordinary = self.stack.env(service)
            port = self.databases[service].port
            for name in ("DATABASE_URL", "KEYRING_DATABASE_URL"):
                login, _, rest = ordinary[name].partition("@/")
                database = rest.partition("?")[0]
                given[name] = f"{login}@127.0.0.1:{port}/{database}?sslmode=disable"
            given["KAFKA_BOOTSTRAP"] = f"127.0.0.1:{self.brokers[service].port}"
        return given

    async def begin(self) -> None:
        """Starts the services, behind their proxies where there are any."""
        self.weapon("x").parent.mkdir(exist_ok=True)
        for proxy in (*self.databases.values(), *self.brokers.values()):
            await proxy.start()
        await asyncio.gather(*(self.start(part) for part in self.clock.parts))

    async def drain(self, service: str) -> None:
        """Starts a service where nobody finds it: it sends what it has written, and is asked nothing."""
        more = {**self.environment(service), "HTTP_PORT": "0"}
        await asyncio.to_thread(partial(self.stack.start, service, more, wait=False))

    async def start(self, part: str) -> None:
        service = part in self.clock.parts
        more = self.environment(part) if service else {}
        await asyncio.to_thread(partial(self.stack.start, part, more, wait=not service))
        if service:  # it may have much to take back, or to read again
            await self.ready(part)

    async def stop(self, part: str) -> None:
        await asyncio.to_thread(self.stack.stop, part)

    async def ready(self, *parts: str) -> None:
        """Waits until these parts answer. Raises Refused if one does not come back."""
        until = time.monotonic() + BACK
        for part in parts:
            while not await asyncio.to_thread(control.ready, self.stack, part):
                if time.monotonic() > until:
                    raise Refused(
                        f"{part} did not come back in {BACK:.0f} s; the reason is in "
                        f"{self.stack.places.log(part)}"
                    )
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def alone(self, *parts: str) -> AsyncIterator[None]:
        """One fault at a time for each of these parts. All that a fault needs is named at once: a part more
        later on would be waited for by two that hold what the other wants.
        """
        async with contextlib.AsyncExitStack() as held:
            for part in sorted(parts):
                await held.enter_async_context(self.locks[part])
            yield

    async def succeeded(self, part: str, pid: int | None) -> None:
        """Waits until another process has taken the place of `pid`, and answers."""
        until = time.monotonic() + BACK
        while self.stack.pid(part) in (None, pid):
            if time.monotonic() > until:
                raise Refused(f"{part} was ended and no other took its place")
            await asyncio.sleep(0.02)
        await self.ready(part)

    async def end(self, *parts: str, by: int = signal.SIGKILL) -> None:
        """Ends parts by a signal and waits until others have taken their places."""
        before = {part: self.stack.pid(part) for part in parts}
        for part in parts:
            self.stack.kill(part, by)
        for part, pid in before.items():
            await self.succeeded(part, pid)

    def resume(self) -> None:
        """Nothing stays armed or stopped."""
        for part in self.clock.parts:
            self.weapon(part).unlink(missing_ok=True)
            self.stack.kill(part, signal.SIGCONT)
