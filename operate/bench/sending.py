"""The sending side alone, with the processor time that it takes: `python -m operate.bench.sending`.

`--after N` gives the journal N published rows before the last turns, and shows append and drain before
and after. Rates mean little on a machine that is busy with other work, where processor time is higher too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import structlog
import uvloop

from operate.bench import append, growth, relay, spent
from operate.bench.own import servers
from operate.bench.place import BARE, GIB
from operate.repair.place import runtime
from operate.repair.topics import as_administrator
from operate.stack import Stack
from shared.runtime import Runtime

ROWS, REPEATS, BASE, SECONDS = 20_000, 3, 8600, 3.0
ENDS = 0.3
"""Seconds in which a session of PostgreSQL ends that was left."""
Turn = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--latency", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with servers(BASE, GIB + asked.after * 1500) as stack:
        uvloop.run(_measure(stack, asked))


async def _measure(stack: Stack, asked: argparse.Namespace) -> None:
    bare = relay.Bare(BARE, as_administrator(stack))
    async with runtime(stack, "intake") as rt:
        await relay.drain(rt, 2_000)  # plans, caches
        if asked.latency:
            for figure in await relay.latencies(rt, bare, 8.0, REPEATS):
                print(json.dumps(figure.document()), flush=True)
            return
        if asked.after:
            await growth.settle(stack)
            _shown("fresh", [await _archive(stack, rt, asked.rows) for _ in range(REPEATS)])
            await growth.fill(rt, asked.after, shown=False)
            await growth.settle(stack)
            _shown(
                f"after {asked.after:,}",
                [await _archive(stack, rt, asked.rows) for _ in range(REPEATS)],
            )
            return
        limit: list[Turn] = []
        ours: list[Turn] = []
        for _ in range(REPEATS):
            messages = await relay.made(rt, bare, asked.rows)
            limit.append(await _turn(stack, asked.rows, partial(relay.produced, bare, messages)))
            before = await relay.filled(rt, asked.rows)
            ours.append(await _turn(stack, asked.rows, partial(relay.emptied, rt, before)))
        _shown("limit", limit)
        _shown("drain", ours)


async def _archive(stack: Stack, rt: Runtime, rows: int) -> Turn:
    appended = await append.appended(rt, SECONDS)
    before = await relay.filled(rt, rows)
    turn = await _turn(stack, rows, partial(relay.emptied, rt, before))
    return turn | {"append": appended}


async def _turn(stack: Stack, rows: int, work: Callable[[], Awaitable[float]]) -> Turn:
    """Rate, and µs of processor time an event of Python and of PostgreSQL."""
    before = spent.seconds(stack)
    rate = await work()
    await asyncio.sleep(ENDS)
    after = spent.seconds(stack)
    python, postgres = ((after[part] - before[part]) / rows * 1e6 for part in ("own", "postgres"))
    return {"rate": rate, "python": python, "postgres": postgres}


def _shown(what: str, turns: list[Turn]) -> None:
    middle = {name: round(median(turn[name] for turn in turns), 1) for name in turns[0]}
    rates = [round(turn["rate"]) for turn in turns]
    print(json.dumps({"what": what, **middle, "rates": rates}), flush=True)


if __name__ == "__main__":
    main()
