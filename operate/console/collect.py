"""Asks all services at once; one that does not answer is shown as down, and nothing else suffers."""

import asyncio
import time
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel

from operate.console.answers import Agencies, Agency, Broker, Sharing, SharingPage, Stream, Year
from operate.console.settings import Settings
from operate.console.token import Tokens
from operate.places import SERVICES

TIMEOUT = 2.0
FRESH_SECONDS = 1.5
"""Everybody who looks within this time sees the same answers."""
SHARE = 0.05
Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Service:
    """`ready` None: it does not answer at all."""

    name: str
    ready: bool | None
    stream: Stream | None

    @property
    def state(self) -> str:
        return {None: "down", False: "starting", True: "up"}[self.ready]


@dataclass(frozen=True)
class Snapshot:
    """None stands for what could not be read just now."""

    services: tuple[Service, ...]
    year: Year | None
    agencies: tuple[Agency, ...] | None
    sharing: tuple[Sharing, ...] | None
    broker: Broker | None


class Collector:
    def __init__(self, settings: Settings) -> None:
        self._urls = settings.services
        self._tokens = Tokens(settings)
        self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        self._kept: dict[int | None, tuple[float, Snapshot]] = {}
        self._sharing: tuple[float, SharingPage | None] = (0.0, None)
        self._asking = asyncio.Lock()

    async def close(self) -> None:
        await self._client.aclose()

    async def snapshot(self, fiscal_year: int | None = None) -> Snapshot:
        """`fiscal_year` None: the one in which the services live."""
        async with self._asking:
            at, kept = self._kept.get(fiscal_year, (0.0, None))
            if kept is None or time.monotonic() - at > FRESH_SECONDS:
                kept = await self._ask(fiscal_year)
                self._kept = {fiscal_year: (time.monotonic(), kept)}
            return kept

    async def _ask(self, fiscal_year: int | None) -> Snapshot:
        query = f"?fiscal_year={fiscal_year}" if fiscal_year else ""
        (year, agencies, sharing, broker), services = await asyncio.gather(
            asyncio.gather(
                self._read(Year, "metrics", f"/v1/indicators{query}"),
                self._read(Agencies, "referral", "/v1/agencies?limit=500"),
                self._shared(),
                self._read(Broker, "views", "/v1/broker"),
            ),
            asyncio.gather(*(self._service(name) for name in SERVICES)),
        )
        return Snapshot(
            services=tuple(services),
            year=year,
            agencies=tuple(agencies.items) if agencies else None,
            sharing=tuple(sharing.items) if sharing else None,
            broker=broker,
        )

    async def _shared(self) -> SharingPage | None:
        """Of all that is asked this alone grows with what is shared: looking costs views a share of its
        time, however long one look takes.
        """
        until, kept = self._sharing
        began = time.monotonic()
        if kept is None or began > until:
            kept = await self._read(SharingPage, "views", "/v1/sharing")
            now = time.monotonic()
            self._sharing = (now + (now - began) / SHARE, kept)
        return kept

    async def _service(self, name: str) -> Service:
        ready, figures = await asyncio.gather(
            self._get(name, "/readyz"), self._get(name, "/metrics")
        )
        stream = None
        if figures is not None and figures.is_success:
            try:
                stream = Stream.read(name, figures.text)
            except ValueError:
                stream = None
        return Service(name, ready.is_success if ready is not None else None, stream)

    async def _read(self, shape: type[Answer], service: str, path: str) -> Answer | None:
        answer = await self._get(service, path, token=True)
        if answer is None or not answer.is_success:
            return None
        try:
            return shape.model_validate_json(answer.content)
        except ValueError:
            return None

    async def _get(self, service: str, path: str, *, token: bool = False) -> httpx.Response | None:
        headers = {"authorization": f"Bearer {self._tokens.current()}"} if token else {}
        try:
            return await self._client.get(self._urls[service] + path, headers=headers)
        except httpx.HTTPError:
            return None
