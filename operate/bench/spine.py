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
        found += _memory(stack, "_loaded", "after the load of documents")
        for name in stack.names(services=True):
            if name != "intake":  # whose commands are measured alone, as the bare endpoint's are
                stack.stop(name)
        progress("commands")
        found += asyncio.run(endpoint.figures(stack, size.seconds, size.repeats))
        stack.stop("intake")
        found += uvloop.run(_spine(stack, size, progress))
        progress("folds")
        found += uvloop.run(fold.figures(stack, size.rows, size.repeats))
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
    """From `up` to ready: cold, into an empty state folder; warm, with databases, topics and the
    broker's cache made. Then what it takes at rest.
    """
    stack.down()
    empty = Stack(stack.state / "cold", stack.base_port)
    cold = _ready(empty)
    empty.remove()
    warm: list[float] = []
    for _ in range(repeats + 1):
        stack.down()
        warm.append(_ready(stack))
    return [
        Figure(
            "up_cold_s", "all processes, from `up` in an empty state folder to ready", "s", [cold]
        ),
        Figure("up_warm_s", "all processes, from `up` to ready", "s", warm[1:], at_most=5),
        *_memory(stack, "", "at rest"),
    ]


def _ready(stack: Stack) -> float:
    began = time.monotonic()
    stack.up(bound=True)
    return time.monotonic() - began


def _memory(stack: Stack, suffix: str, when: str) -> list[Figure]:
    """Of the services together, and of each process."""
    parts = memory.by_part(stack)
    del parts["demo"]
    together = sum(parts[name] for name in (*SERVICES, "forkserver") if name in parts)
    most = None if suffix else 700
    return [
        Figure(f"{name}_mb{suffix}", f"{what}, {when}", "MiB", [float(taken)], at_most=promised)
        for name, what, taken, promised in (
            (
                "services",
                "the five services and what they are forked from, together",
                together,
                most,
            ),
            *((name, name, taken, None) for name, taken in parts.items()),
        )
    ]
