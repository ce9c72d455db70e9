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

from operate.bench.line import Line


class Load:
    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self.done: list[tuple[int, float, float]] = []

    async def line(self) -> Line:
        return await Line.open(self._asked["port"], self._asked["headers"])

    async def send(self, line: Line, n: int) -> None:
        body = json.dumps(self._asked["body"] | {"text": f"{self._asked['body']['text']}{n}"})
        paths = self._asked["paths"]
        began = time.monotonic()
        status, told = await line.ask("POST", paths[n % len(paths)], body.encode())
        if not 200 <= status < 300:
            raise SystemExit(f"request {n} was answered {status} {told.decode()}")
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
