"""How much memory each part takes: shared pages are counted once."""

from __future__ import annotations

import contextlib

import psutil

from operate.stack import Stack

MIB = 1024 * 1024


def by_part(stack: Stack) -> dict[str, int]:
    """MiB of each part, its children included, of the fork server and of the demo itself."""
    found = {"demo": _of(psutil.Process())}
    if pid := stack.pid("forkserver"):
        found["forkserver"] = _of(psutil.Process(pid))
    for part in stack.status()["parts"]:
        if part["pid"]:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(part["pid"])
                found[part["name"]] = _of(process) + sum(map(_of, process.children(recursive=True)))
    return found


def _of(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return round(getattr(full, "pss", full.uss) / MIB)
    except psutil.Error:
        return 0
