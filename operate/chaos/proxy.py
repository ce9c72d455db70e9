"""A proxy between one service and a server that knows where messages begin, so that it can cut there.

Kafka: four bytes of length, then the number of the API. PostgreSQL: after the first message a
letter and four bytes of length. Brokers name themselves in their answers; these names are rewritten
to the proxy's, at the same length.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

How = Literal["before", "after", "half-open"]
HOST = b"127.0.0.1"


@dataclass
class Cut:
    """Waits for a request of `kind`, then cuts its connection: before it is passed on, after the
    server acted and before its answer arrives, or by silence with both ends open for `seconds`.
    """

    kind: int
    how: How
    seconds: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Frame:
    """`kind`: number of the API, or the message's letter; -1 for what opens a connection."""

    kind: int
    content: bytes


async def kafka_frames(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    while True:
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length))
        yield Frame(int.from_bytes(body[:2]), length + body)


async def postgres_requests(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    length = await reader.readexactly(4)
    yield Frame(-1, length + await reader.readexactly(int.from_bytes(length) - 4))
    async for frame in postgres_answers(reader):
        yield frame


async def postgres_answers(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    while True:
        head = await reader.readexactly(5)
        yield Frame(head[0], head + await reader.readexactly(int.from_bytes(head[1:]) - 4))


Frames = Callable[[asyncio.StreamReader], AsyncIterator[Frame]]
READY_FOR_QUERY = ord("Z")


class Proxy:
    """One listener on loopback before one server; `port` once it is started."""

    def __init__(self, upstream: int | Path) -> None:
        self._upstream = upstream
        self._kafka = isinstance(upstream, int)
        self._cuts: list[Cut] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST.decode(), 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cut(self, cut: Cut, patience: float) -> bool:
        """Whether such a request came by in that many seconds."""
        self._cuts.append(cut)
        try:
            async with asyncio.timeout(patience):
                await cut.done.wait()
            return True
        except TimeoutError:
            if cut in self._cuts:
                self._cuts.remove(cut)
                return False
            await cut.done.wait()  # somebody has just come by
            return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._connect(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._upstream, int):
            server = await asyncio.open_connection(HOST.decode(), self._upstream)
        else:
            server = await asyncio.open_unix_connection(self._upstream)
        try:
            await _Line(self, (reader, writer), server).run()
        finally:
            server[1].transport.abort()

    def due(self, kind: int) -> Cut | None:
        for cut in self._cuts:
            if cut.kind == kind:
                self._cuts.remove(cut)
                return cut
        return None

    def frames(self, reader: asyncio.StreamReader, *, asked: bool) -> AsyncIterator[Frame]:
        if self._kafka:
            return kafka_frames(reader)
        return postgres_requests(reader) if asked else postgres_answers(reader)

    def renamed(self, content: bytes) -> bytes:
        if not isinstance(self._upstream, int):
            return content
        named = HOST + self._upstream.to_bytes(4)
        return content.replace(named, HOST + self.port.to_bytes(4))

    def answered(self, frame: Frame) -> bool:
        """Is this the end of the server's answer?"""
        return self._kafka or frame.kind == READY_FOR_QUERY


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Line:
    """One connection and its two directions; the end of either ends both."""

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._cut: Cut | None = None

    async def run(self) -> None:
        ways = [asyncio.ensure_future(self._ask()), asyncio.ensure_future(self._answer())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if self._cut and self._cut.how == "half-open":
                self._cut.done.set()
                await asyncio.sleep(self._cut.seconds)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            if self._cut:
                self._cut.done.set()

    async def _ask(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            async for frame in self._proxy.frames(self._client[0], asked=True):
                if self._cut is None:
                    self._cut = self._proxy.due(frame.kind)
                if self._cut and self._cut.how != "after":
                    return
                self._server[1].write(frame.content)
                await self._server[1].drain()

    async def _answer(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            async for frame in self._proxy.frames(self._server[0], asked=False):
                if self._cut:
                    if self._proxy.answered(frame):
                        return
                    continue
                self._client[1].write(self._proxy.renamed(frame.content))
                await self._client[1].drain()
