"""A kept connection of HTTP/1.1, by hand: what generates load should cost little beside what it measures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from uuid_utils.compat import uuid7


class Line:
    """One request at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str
    ) -> None:
        self._reader, self._writer, self._head = reader, writer, head

    @classmethod
    async def open(cls, port: int, headers: Mapping[str, str]) -> Self:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return cls(*await asyncio.open_connection("127.0.0.1", port), head)

    async def ask(self, verb: str, path: str, content: bytes = b"") -> tuple[int, bytes]:
        """Status and body; `content` is JSON, and each time another command."""
        head = f"{verb} {path} HTTP/1.1\r\nhost: bench\r\n{self._head}"
        if content:
            head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
            head += f"idempotency-key: {uuid7()}\r\n"
        self._writer.write(head.encode() + b"\r\n" + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(field.split(b":")[1])
            for field in answer.lower().split(b"\r\n")
            if field.startswith(b"content-length")
        )
        return int(answer.split(b" ", 2)[1]), await self._reader.readexactly(length)
