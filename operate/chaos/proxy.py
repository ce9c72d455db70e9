"""A proxy between one service and a server that knows where messages begin, so that it can cut there.

Kafka: four bytes of length, then the number of the API. PostgreSQL: after the first message a
letter and four bytes of length. Brokers name themselves in their answers; these names are rewritten
to the proxy's, at the same length.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

How = Literal["before", "after", "half-open"]
HOST = b"127.0.0.1"
HEAD, PIECE = 5, 1 << 16
"""Bytes of a letter and a length; at the most of what is passed on together."""
OPENS = -1
"""The kind of what opens a connection to PostgreSQL."""


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
    """One message of Kafka's; `kind`: number of the API."""

    kind: int
    content: bytes


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    while True:
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length))
        yield Frame(int.from_bytes(body[:2]), length + body)


class Walk:
    """Finds PostgreSQL's messages in pieces of any size, so that none has to be awaited by itself: an
    answer may be of thousands, one a row. `opening`: the first has no letter.
    """

    def __init__(self, *, opening: bool) -> None:
        self._opening, self._rest, self._body = opening, b"", 0

    def of(self, piece: bytes) -> tuple[bytes, list[tuple[int, int]]]:
        """What may be passed on by now, up to a message's head that is not whole; and in it each
        message's kind and where it begins.
        """
        whole, at = self._rest + piece, self._body
        begins: list[tuple[int, int]] = []
        while at + HEAD <= len(whole):
            if self._opening:
                begins.append((OPENS, at))
                at += int.from_bytes(whole[at : at + HEAD - 1])
                self._opening = False
            else:
                begins.append((whole[at], at))
                at += 1 + int.from_bytes(whole[at + 1 : at + HEAD])
        upto = min(at, len(whole))
        self._rest, self._body = whole[upto:], at - upto
        return whole[:upto], begins


READY_FOR_QUERY = ord("Z")
"""The end of PostgreSQL's answer."""


class Proxy:
    """One listener on loopback before one server; `port` once it is started."""

    def __init__(self, upstream: int | Path) -> None:
        self._upstream = upstream
        self.kafka = isinstance(upstream, int)
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

    def renamed(self, content: bytes) -> bytes:
        if not isinstance(self._upstream, int):
            return content
        named = HOST + self._upstream.to_bytes(4)
        return content.replace(named, HOST + self.port.to_bytes(4))


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
            await (self._ask_kafka() if self._proxy.kafka else self._ask_postgres())

    async def _answer(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await (self._answer_kafka() if self._proxy.kafka else self._answer_postgres())

    def _cuts(self, kind: int) -> bool:
        """Is the connection cut before this request is passed on?"""
        if self._cut is None:
            self._cut = self._proxy.due(kind)
        return bool(self._cut and self._cut.how != "after")

    async def _ask_kafka(self) -> None:
        async for frame in frames(self._client[0]):
            if self._cuts(frame.kind):
                return
            await self._pass(self._server, frame.content)

    async def _answer_kafka(self) -> None:
        async for frame in frames(self._server[0]):
            if self._cut:
                return
            await self._pass(self._client, self._proxy.renamed(frame.content))

    async def _ask_postgres(self) -> None:
        walk = Walk(opening=True)
        while piece := await self._client[0].read(PIECE):
            content, begins = walk.of(piece)
            before = next((at for kind, at in begins if self._cuts(kind)), None)
            await self._pass(self._server, content[:before])
            if before is not None:
                return

    async def _answer_postgres(self) -> None:
        walk = Walk(opening=False)
        while piece := await self._server[0].read(PIECE):
            content, begins = walk.of(piece)
            if self._cut is None:
                await self._pass(self._client, content)
            elif any(kind == READY_FOR_QUERY for kind, _ in begins):
                return

    async def _pass(self, end: Ends, content: bytes) -> None:
        end[1].write(content)
        await end[1].drain()
