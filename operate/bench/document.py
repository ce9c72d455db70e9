"""From a command to the agency's document, opened and committed by the agency's own process.

Beside the bare path: POST, commit, produce, consume, commit. Ours has one hop more and seals twice.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from operate.bench import endpoint
from operate.bench.measured import Figure, percentile, reading
from operate.bench.place import BARE
from operate.places import http_port
from operate.repair.topics import as_administrator
from operate.stack import Stack

RATES = ((20, (2.0, 3.0)), (200, (None, None)))


async def figures(stack: Stack, seconds: float, repeats: int) -> list[Figure]:
    """The services of `stack` run. The agency that records holds its own records."""
    agency = endpoint.ACTOR[0]
    credentials = await asyncio.to_thread(stack.agency, agency)
    await asyncio.to_thread(stack.register, credentials)
    headers = {"authorization": f"Bearer {stack.token(*endpoint.ACTOR)}"}
    own, bare_port = (http_port(stack.base_port, name) for name in ("intake", "intake-4"))
    login = as_administrator(stack).model_dump(mode="json")
    found: list[Figure] = []
    async with endpoint.bare(stack, bare_port):
        for rate, at_most in RATES:
            ours, limit = [], []
            for _ in range(repeats):
                cases = await endpoint.open_cases(stack.http("intake"), headers)
                paths = [f"/v1/sent/{case}/records" for case in cases]
                where: dict[str, Any] = {"topic": BARE, "kafka": login}
                limit.append(await _latencies(where, bare_port, paths, headers, rate, seconds))
                paths = [f"/v1/cases/{case}/records" for case in cases]
                where = {"credentials": credentials.document()}
                ours.append(await _latencies(where, own, paths, headers, rate, seconds))
            for percent, most in zip((50, 99), at_most, strict=True):
                suffix = "" if rate == 20 else f"_{rate}"
                what = f"command → document in the agency's copy, {rate}/s, p{percent} ÷ bare path"
                found.append(
                    Figure(
                        f"document_p{percent}{suffix}", what, "ms",
                        [1000 * percentile(one, percent) for one in ours],
                        [1000 * percentile(one, percent) for one in limit], at_most=most,
                    )
                )  # fmt: skip
    return found


async def _latencies(
    where: dict[str, Any],
    port: int,
    paths: list[str],
    headers: dict[str, str],
    rate: float,
    seconds: float,
) -> list[float]:
    """Seconds from sending each command to the commit of the copy."""
    mark = f"{uuid4().hex}/"
    asked = {"records": round(rate * seconds), "mark": mark, **where}
    async with reading("hold", asked) as answer:
        sent = await endpoint.load(port, paths, headers, seconds, rate, mark)
        seen = await answer()
    return [seen[str(n)] - began for n, began, _ in sent["done"]]
