"""A load generator in a process of its own, over kept connections.

Reads one line of JSON: port, paths, headers, body (with `text`), connections, seconds, and with
`rate` an even number of requests a second, whatever the answers take; without it each connection
sends its next request when it has its answer. Answers with one line: requests a second, and for
each the number that its text ends with, when it was sent (CLOCK_MONOTONIC) and its milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import count
from typing import Any

import uvloop
from uuid_utils.compat import uuid7

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Load:
    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._head = "".join(f"{name}: {value}\r\n" for name, value in asked["headers"].items())
        self.done: list[tuple[int, float, float]] = []

    async def line(self) -> Line:
        return await asyncio.open_connection("127.0.0.1", self._asked["port"])

    async def send(self, line: Line, n: int) -> None:
        reader, writer = line
        body = json.dumps(self._asked["body"] | {"text": f"{self._asked['body']['text']}{n}"})
        paths = self._asked["paths"]
        content = body.encode()
        request = (
            f"POST {paths[n % len(paths)]} HTTP/1.1\r\nhost: bench\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
            f"idempotency-key: {uuid7()}\r\n{self._head}\r\n"
        )
        began = time.monotonic()
        writer.write(request.encode() + content)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(field.split(b":")[1])
            for field in answer.lower().split(b"\r\n")
            if field.startswith(b"content-length")
        )
        content = await reader.readexactly(length)
        if not answer.split(b" ", 2)[1].startswith(b"2"):
            raise SystemExit(f"request {n} was answered {answer.decode()}{content.decode()}")
        self.done.append((n, began, 1000 * (time.monotonic() - began)))

    async def closed(self, until: float, numbers: count[int]) -> None:
        line = await self.line()
        while time.monotonic() < until:
            await self.send(line, next(numbers))

    async def open(self, rate: float, seconds: float) -> None:
        lines: asyncio.Queue[Line] = asyncio.Queue()
        for _ in range(self._asked["connections"]):
            lines.put_nowait(await self.line())

        async def one(n: int) -> None:
            line = await lines.get()
            await self.send(line, n)
            lines.put_nowait(line)

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n in range(round(rate * seconds)):
                await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
                group.create_task(one(n))


async def load(asked: dict[str, Any]) -> dict[str, Any]:
    made = Load(asked)
    began, seconds = time.monotonic(), asked["seconds"]
    if rate := asked.get("rate"):
        await made.open(rate, seconds)
    else:
        numbers = count()
        lines = range(asked["connections"])
        await asyncio.gather(*(made.closed(began + seconds, numbers) for _ in lines))
    return {"rate": len(made.done) / (time.monotonic() - began), "done": made.done}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(json.loads(sys.stdin.readline())))))
