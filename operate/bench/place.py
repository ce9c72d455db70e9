"""A stack of its own for a benchmark, beside whatever is there, and gone after it, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from operate import topics
from operate.install import Refused, locked
from operate.places import owned
from operate.stack import Stack
from operate.topics import Topic, Wanted

GIB = 1024**3
MEMORY = 3 * GIB
"""Servers, services and the benchmark itself."""
BARE, PARTITIONS = "bench", 12
"""The topic that limits are measured on, as wide as those of the services."""
MARK = ".tsunagu-bench-"


@contextmanager
def place(given: Stack, disk: int) -> Iterator[Stack]:
    """Servers that run and the topic BARE, without services, in a folder beside the state folder.

    Raises Refused with less than `disk` bytes or MEMORY free.
    """
    _enough(psutil.virtual_memory().available, MEMORY, "memory")
    with own_folder(given.state.parent) as folder:
        stack = Stack(folder / "state", given.base_port)
        try:
            stack.places.make()
            # PostgreSQL's folder is apart where the state is closed to it.
            for holds in (stack.state, stack.postgres.folder):
                _enough(shutil.disk_usage(holds).free, disk, f"disk of {holds}")
            stack.up(services=False, bound=True)
            topics.apply(stack.kafka_admin(), Wanted({BARE: Topic(PARTITIONS)}))
            yield stack
        finally:
            stack.remove()


@contextmanager
def own_folder(beside: Path) -> Iterator[Path]:
    """A fresh one, which is ours until this process ends and then goes, at SIGTERM too; what processes
    left that were killed goes first.
    """
    beside.mkdir(parents=True, exist_ok=True)
    with locked(beside, f"waiting for {beside}"):
        for left in filter(owned, beside.glob(f"{MARK}*")):
            with suppress(BlockingIOError):
                os.close(_hold(left))
                if (left / "state").exists():
                    Stack(left / "state").remove()
                shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=MARK, dir=beside))
        held = _hold(folder)
    folder.chmod(0o711)  # PostgreSQL may run as another user, and passes through
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        signal.signal(signal.SIGTERM, before)
        os.close(held)


def _hold(folder: Path) -> int:
    """Raises BlockingIOError where a process that lives holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


def _enough(free: int, wanted: int, what: str) -> None:
    if free < wanted:
        raise Refused(
            f"the benchmark needs {wanted / GIB:.0f} GiB, and the {what} has {free / GIB:.1f}"
        )
