"""A whole command over HTTP beside a bare endpoint with one insert: a contact is put on record.

`python -m operate.bench.endpoint [BASE_PORT]` measures only this, with the processor time of each part.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import httpx
import psutil

from operate import control
from operate.bench import spent
from operate.bench.events import TEXT
from operate.bench.measured import Figure, answered, beside
from operate.bench.own import own
from operate.install import ROOT, Refused
from operate.places import http_port
from operate.repair.topics import as_administrator
from operate.stack import Stack

CONNECTIONS, CASES = 16, 200
BODY = {"method": "visit", "text": TEXT}
ACTOR = ("city-fukushi", ["intake_worker"], "bench")
SECONDS, TURNS = 4.0, 5


async def figures(stack: Stack, seconds: float, repeats: int) -> list[Figure]:
    """The services of `stack` run."""
    token = stack.token(*ACTOR)
    headers = {"authorization": f"Bearer {token}"}
    cases = await open_cases(stack.http("intake"), headers)
    paths = [f"/v1/cases/{case}/records" for case in cases]
    ours_port, bare_port = (http_port(stack.base_port, name) for name in ("intake", "intake-4"))

    async def rate(port: int) -> float:
        return float((await load(port, paths, headers, seconds))["rate"])

    async with bare(stack, bare_port):
        ours, limit = await beside(lambda: rate(ours_port), lambda: rate(bare_port), repeats)
    what = f"whole command, {CONNECTIONS} connections ÷ a bare endpoint with one insert"
    return [Figure("command", what, "requests/s", ours, limit, at_least=0.6)]


async def open_cases(base: str, headers: dict[str, str]) -> list[str]:
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
        made = []
        for _ in range(CASES):
            answer = await client.post("/v1/cases", json={"route": "family_visit"})
            made.append(str(answer.raise_for_status().json()["id"]))
        return made


@asynccontextmanager
async def bare(stack: Stack, port: int) -> AsyncIterator[int]:
    """The id of its process."""
    environment = {
        **os.environ,
        "DATABASE_URL": stack.database_url("intake", "intake"),
        "KAFKA": as_administrator(stack).model_dump_json(),
        "HTTP_PORT": str(port),
    }
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "operate.bench.bare", cwd=ROOT, env=environment
    )
    try:
        while not await asyncio.to_thread(control.answers, port):
            if server.returncode is not None:
                raise Refused("the bare endpoint does not start; its error stands above")
            await asyncio.sleep(0.05)
        yield server.pid
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def load(
    port: int,
    paths: list[str],
    headers: dict[str, str],
    seconds: float,
    rate: float | None = None,
    mark: str = "",
) -> dict[str, Any]:
    """What `operate.bench.load` answers. `mark` goes before the number in each text."""
    body = BODY | {"text": f"{TEXT} {mark}"}
    asked = {
        "port": port, "paths": paths, "headers": headers, "body": body,
        "connections": CONNECTIONS, "seconds": seconds, "rate": rate,
    }  # fmt: skip
    answer: dict[str, Any] = await answered("load", asked)
    return answer


async def measure(stack: Stack) -> dict[str, dict[str, float]]:
    headers = {"authorization": f"Bearer {stack.token(*ACTOR)}"}
    cases = await open_cases(stack.http("intake"), headers)
    paths = [f"/v1/cases/{case}/records" for case in cases]
    ours_port, bare_port = (http_port(stack.base_port, name) for name in ("intake", "intake-4"))

    async def turn(port: int, server: int | None) -> dict[str, float]:
        process = psutil.Process(server)
        before, began = spent.seconds(stack), sum(process.cpu_times()[:2])
        found = await load(port, paths, headers, SECONDS)
        used, count = sum(process.cpu_times()[:2]) - began, len(found["done"])
        others = spent.each(before, spent.seconds(stack), count, ("postgres", "kafka"))
        return {"rate": found["rate"], "python_ms": 1000 * used / count, **others}

    turns: dict[str, list[dict[str, float]]] = {"limit": [], "ours": []}
    async with bare(stack, bare_port) as server:
        for _ in range(TURNS):
            turns["limit"].append(await turn(bare_port, server))
            turns["ours"].append(await turn(ours_port, stack.pid("intake")))
    return {
        name: {what: round(median(one[what] for one in some), 3) for what in some[0]}
        for name, some in turns.items()
    }


def main() -> None:
    logging.disable(logging.CRITICAL)
    with own(sys.argv[1:], "intake") as stack:
        print(json.dumps(asyncio.run(measure(stack))))


if __name__ == "__main__":
    main()
