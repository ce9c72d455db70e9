"""A client in a process of its own: requests over kept connections, each with what its answer was.

Reads one line of JSON: port, headers, connections, `rate` (requests a second, evenly; none: one after
another on each connection), and requests: verb, path, body or null, `holds` (what the answer should
hold), `keeps` (a name for the id that is answered; `{name}` in what follows stands for it). Answers with
one line: for each request in its order the status, milliseconds, bytes of the body, and whether it held.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, NamedTuple

import uvloop

from operate.bench.line import Line
from operate.bench.measured import answered
from operate.install import Refused

Answer = tuple[int, float, int, bool]


class Client:
    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self.done: list[Answer | None] = [None] * len(asked["requests"])
        self._kept: dict[str, str] = {}

    async def ask(self, line: Line, n: int) -> None:
        verb, path, body, holds, keeps = self._asked["requests"][n]
        for name, id in self._kept.items():
            path = path.replace(f"{{{name}}}", id)
        content = b"" if body is None else json.dumps(body).encode()
        began = time.perf_counter()
        status, told = await line.ask(verb, path, content)
        took = 1000 * (time.perf_counter() - began)
        self.done[n] = status, took, len(told), holds.encode() in told
        if keeps:
            self._kept[keeps] = json.loads(told)["id"]

    async def all(self) -> list[Answer | None]:
        lines: asyncio.Queue[Line] = asyncio.Queue()
        for _ in range(self._asked["connections"]):
            lines.put_nowait(await Line.open(self._asked["port"], self._asked["headers"]))
        rate, began = self._asked["rate"], time.monotonic()

        async def one(line: Line, n: int) -> None:
            await self.ask(line, n)
            lines.put_nowait(line)

        async with asyncio.TaskGroup() as group:
            for n in range(len(self.done)):
                if rate:
                    await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
                group.create_task(one(await lines.get(), n))
        return self.done


class Request(NamedTuple):
    verb: str
    path: str
    body: Any = None
    holds: str = ""
    keeps: str = ""


async def ask(
    port: int,
    headers: dict[str, str],
    requests: list[Request],
    rate: float | None = None,
    connections: int = 1,
) -> list[Answer]:
    """The answers of one run. Raises Refused where one of them is no 2xx."""
    asked = {
        "port": port, "headers": headers, "requests": requests, "rate": rate,
        "connections": connections,
    }  # fmt: skip
    found: list[Answer] = [(*one,) for one in await answered("asking", asked)]
    for request, (status, *_) in zip(requests, found, strict=True):
        if not 200 <= status < 300:
            raise Refused(f"{request.verb} {request.path.partition('?')[0]} was answered {status}")
    return found


if __name__ == "__main__":
    print(json.dumps(uvloop.run(Client(json.loads(sys.stdin.readline())).all())))
