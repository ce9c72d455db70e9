"""Processor time by part: what a machine that is busy with other work cannot blur as it does a rate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

from operate.stack import Stack


def seconds(stack: Stack) -> dict[str, float]:
    """Of each part of the stack so far, and of this process ("own")."""
    found = {"own": time.process_time()}
    for part in stack.status()["parts"]:
        if part["pid"]:
            with suppress(psutil.Error):
                process = psutil.Process(part["pid"])
                own = process.cpu_times()  # those of children that have ended are in it
                used = own.user + own.system + own.children_user + own.children_system
                name = part["name"].partition("-")[0]
                children = process.children(recursive=True)
                found[name] = found.get(name, 0) + used + sum(map(_used, children))
    return found


def _used(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        spent = process.cpu_times()
        return float(spent.user + spent.system)
    return 0.0


def each(
    before: Mapping[str, float], after: Mapping[str, float], count: int, parts: Sequence[str]
) -> dict[str, float]:
    """Milliseconds for one of so many, of these parts."""
    return {
        f"{name}_ms": round(1000 * (after.get(name, 0) - before.get(name, 0)) / count, 2)
        for name in parts
    }
