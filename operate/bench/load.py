"""A load generator in a process of its own: so many connections, each with one request at a time.

Reads one line of JSON: port, paths, headers, body, connections, seconds. Answers with one line:
requests a second. Each request has an Idempotency-Key of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import Any

import uvloop
from uuid_utils.compat import uuid7


async def load(asked: dict[str, Any]) -> float:
    head = "".join(f"{name}: {value}\r\n" for name, value in asked["headers"].items())
    body = json.dumps(asked["body"]).encode()
    paths, done = cycle(asked["paths"]), 0

    async def connection() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", asked["port"])
        while time.monotonic() < until:
            request = (
                f"POST {next(paths)} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nidempotency-key: {uuid7()}\r\n{head}\r\n"
            )
            writer.write(request.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(field.split(b":")[1])
                for field in answer.lower().split(b"\r\n")
                if field.startswith(b"content-length")
            )
            content = await reader.readexactly(length)
            if not answer.split(b" ", 2)[1].startswith(b"2"):
                raise SystemExit(f"a request was answered {answer.decode()}{content.decode()}")
            done += 1
        writer.close()

    began = time.monotonic()
    until = began + asked["seconds"]
    await asyncio.gather(*(connection() for _ in range(asked["connections"])))
    return done / (time.monotonic() - began)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(json.loads(sys.stdin.readline())))))
