"""The reading side alone, with the processor time that it takes: `python -m operate.bench.reading`.

Of 3 events 2 are worries and 1 is a line of a 支援経過記録. Rates mean little on a machine that is busy with
other work; processor time is a few tenths higher there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import structlog
import uvloop

from operate.bench import fold, follower, spent
from operate.bench.events import sealed, written
from operate.bench.measured import running
from operate.bench.own import servers
from operate.bench.relay import drained
from operate.repair.place import runtime
from operate.stack import Stack
from shared.relay import JournalOutbox, Relay

ROWS, REPEATS, BASE = 20_000, 3, 8400
Work = Callable[[], Awaitable[float]]


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    only = sys.argv[2:] or ["follower", "follower_values", "rebuild", "replay_fold"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with servers(BASE) as stack:
        events = uvloop.run(_filled(stack, rows))
        if "rebuild" in only or "follower" in only:
            uvloop.run(_views(stack, events, only))
        if "replay_fold" in only:
            uvloop.run(_metrics(stack, events))


async def _filled(stack: Stack, rows: int) -> int:
    """So many events are in the journal of intake and on its topic."""
    async with runtime(stack, "intake") as rt:
        await written(rt, await sealed(rt, rows * 2 // 3))
        await written(rt, await fold.contacts(rt, rows - rows * 2 // 3))
        relay = Relay("intake", rt.database.database_url, rt.kafka, JournalOutbox("intake"))
        async with running(relay.run()):
            await drained(rt)
    return rows


async def _views(stack: Stack, events: int, only: list[str]) -> None:
    async with runtime(stack, "views") as rt:
        for name, ours, limit in await follower.pairs(stack, rt):
            if name in only or name == "follower":
                await _shown(stack, name, events, ours, limit)


async def _metrics(stack: Stack, events: int) -> None:
    async with runtime(stack, "metrics") as rt:
        await _shown(stack, "replay_fold", events, *await fold.replay(stack, rt))


async def _shown(stack: Stack, name: str, events: int, ours: Work, limit: Work) -> None:
    """One line: rates, and µs of processor time an event of Python and of PostgreSQL, in turns."""
    found: dict[str, list[tuple[float, ...]]] = {"ours": [], "limit": []}
    for _ in range(REPEATS):
        for what, work in (("limit", limit), ("ours", ours)):
            before = spent.seconds(stack)
            rate = await work()
            after = spent.seconds(stack)
            took = [(after[part] - before[part]) / events * 1e6 for part in ("own", "postgres")]
            found[what].append((rate, *took))
    shown: dict[str, Any] = {"figure": name, "events": events}
    for what, all_ in found.items():
        rate, python, postgres = (median(column) for column in zip(*all_, strict=True))
        shown[what] = {
            "rate": round(rate),
            "python": round(python, 1),
            "postgres": round(postgres, 1),
        }
        shown[f"{what}_rates"] = [round(one[0]) for one in all_]
    shown["ratio"] = round(shown["ours"]["rate"] / shown["limit"]["rate"], 2)
    print(json.dumps(shown), flush=True)


if __name__ == "__main__":
    main()
