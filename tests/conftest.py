"""What all tests share: real PostgreSQL and real Kafka, and on them the whole city."""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import settings

from operate import processes
from operate.external import External
from operate.places import SERVICES
from operate.stack import Stack

if TYPE_CHECKING:
    from tests.integration._kit import Kit

settings.register_profile("promises", deadline=None)  # the machine is shared: no time is asserted
settings.load_profile("promises")


def free_block() -> int:
    """A base port with 40 free ports from it on."""
    for base in random.sample(range(20_000, 32_000, 50), 100):
        if all(processes.free(port) for port in range(base, base + 40)):
            return base
    raise RuntimeError("no free ports were found")


def given(base_port: int) -> AbstractContextManager[External | None]:
    """Servers that the environment names, else containers where an engine answers, else None."""
    if os.environ.get("DATABASE_URL") and os.environ.get("KAFKA_BOOTSTRAP"):
        return nullcontext(External.read())
    if which("docker") and not subprocess.run(["docker", "info"], capture_output=True).returncode:
        from tests._containers import containers

        return containers(base_port + 39)
    return nullcontext(None)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose servers run; `servers.external` is None where we may stop and kill them."""
    base_port = free_block()
    with given(base_port) as external:
        folder = tmp_path_factory.mktemp("servers")
        stack = Stack(folder, base_port, clock="simulated", external=external)
        stack.up(services=False, bound=True)
        yield stack
        stack.remove()


class City:
    """All five services on a simulated clock, as those who call them see it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.processes: list[str] = list(SERVICES)
        self.at = datetime.now(UTC)
        self._clients: list[httpx.AsyncClient] = []

    def client(
        self, service: str, agency: str, *roles: str, subject: str = "developer"
    ) -> httpx.AsyncClient:
        """A caller of one service, or of one replica of it, with a token."""
        token = self.stack.token(agency, roles, subject)
        made = httpx.AsyncClient(
            base_url=self.stack.http(service),
            headers={"authorization": f"Bearer {token}"},
            timeout=90,
        )
        self._clients.append(made)
        return made

    async def settle(self, to: datetime | None = None) -> datetime:
        """Move every process's clock to `to`, and wait until nothing new appears anywhere."""
        self.at = max(self.at, to or self.at).astimezone(UTC)
        before: list[int] | None = None
        async with httpx.AsyncClient(timeout=90) as client:
            while True:
                answers = await asyncio.gather(
                    *(
                        client.put(
                            f"{self.stack.http(name)}/dev/clock", json={"at": self.at.isoformat()}
                        )
                        for name in self.processes
                    )
                )
                shown = [answer.raise_for_status().json() for answer in answers]
                if before == [one["events"] for one in shown]:
                    return self.at
                before = [one["events"] for one in shown]

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients))


@pytest.fixture(scope="session")
async def city(servers: Stack) -> AsyncIterator[City]:
    await asyncio.to_thread(servers.up, services=list(SERVICES), bound=True)
    made = City(servers)
    yield made
    await made.close()
    await asyncio.gather(*(asyncio.to_thread(servers.stop, name) for name in SERVICES))


@pytest.fixture(scope="session")
async def templates(servers: Stack) -> AsyncIterator[None]:
    from tests.integration._place import Places

    places = Places(servers)
    await places.open()
    yield
    await places.close()


@pytest.fixture
async def spine(servers: Stack, templates: None, tmp_path: Path) -> AsyncIterator["Kit"]:
    """Journal, relay, follower and keyring on databases and a topic that nobody else has."""
    from tests.integration import _kit, _place

    _kit.plain_logs()
    ddl = tmp_path / "toy.sql"
    ddl.write_text(_kit.DDL)
    async with _place.fresh(servers) as place, _kit.kit_at(place, ddl) as kit:
        yield kit
