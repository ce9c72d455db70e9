"""All figures of the spine, one after another, on one stack."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from operate.bench import append, document, endpoint, fold, follower, growth, relay
from operate.bench.measured import Figure
from operate.bench.place import BARE, GIB, place
from operate.demo import memory
from operate.places import SERVICES
from operate.repair.place import runtime
from operate.repair.topics import as_administrator
from operate.stack import Stack


@dataclass(frozen=True)
class Size:
    """`seconds` of one load, `rows` of one batch; each measured `repeats` times."""

    seconds: float
    rows: int
    repeats: int
    disk: int
    growth: growth.Sizes | None = None


FULL = Size(seconds=10, rows=100_000, repeats=3, disk=24 * GIB, growth=growth.FULL)
QUICK = Size(seconds=4, rows=20_000, repeats=3, disk=3 * GIB)


def run(given: Stack, quick: bool, progress: Callable[[str], None]) -> list[Figure]:
    size = QUICK if quick else FULL
    for name in ("aiokafka", "asyncio"):  # of sessions that a measurement ends
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with place(given, size.disk) as stack:
        progress("services")
        found = _whole(stack, size.repeats)
        progress("documents")
        found += asyncio.run(document.figures(stack, size.seconds, size.repeats))
        for name in stack.names(services=True):
            if name != "intake":  # whose commands are measured alone, as the bare endpoint's are
                stack.stop(name)
        progress("commands")
        found += asyncio.run(endpoint.figures(stack, size.seconds, size.repeats))
        stack.stop("intake")
        progress("folds")
        found += asyncio.run(fold.figures(stack, size.rows, size.repeats))
        found += uvloop.run(_spine(stack, size, progress))
        if size.growth:
            progress("growth")
            found += asyncio.run(growth.figures(stack, size.growth, size.seconds, size.repeats))
    return found


async def _spine(stack: Stack, size: Size, progress: Callable[[str], None]) -> list[Figure]:
    found: list[Figure] = []
    async with runtime(stack, "intake") as rt:
        progress("journal")
        found += await append.figures(rt, size.seconds, size.repeats)
        progress("relay")
        bare = relay.Bare(BARE, as_administrator(stack))
        found += await relay.figures(rt, bare, size.rows, size.seconds, size.repeats)
    async with runtime(stack, "views") as rt:
        progress("follower and view")
        found += await follower.figures(stack, rt, size.rows, size.repeats)
    return found


def _whole(stack: Stack, repeats: int) -> list[Figure]:
    """From `up` to ready with everything installed and the broker's cache made; and at rest."""
    seconds: list[float] = []
    for _ in range(repeats + 1):
        stack.down()
        began = time.monotonic()
        stack.up(bound=True)
        seconds.append(time.monotonic() - began)
    parts = memory.by_part(stack)
    return [
        Figure("up_warm_s", "all processes, from `up` to ready", "s", seconds[1:], at_most=5),
        Figure(
            "services_mb", "the five services together, at rest", "MiB",
            [float(sum(parts[name] for name in SERVICES))], at_most=700,
        ),
    ]  # fmt: skip
