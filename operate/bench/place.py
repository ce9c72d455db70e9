"""A stack of its own for a benchmark, beside whatever is there, and gone after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from operate import topics
from operate.install import Refused
from operate.stack import Stack
from operate.topics import Topic, Wanted

GIB = 1024**3
MEMORY = 3 * GIB
"""Servers, services and the benchmark itself."""
BARE, PARTITIONS = "bench", 12
"""The topic that limits are measured on, as wide as those of the services."""


@contextmanager
def place(given: Stack, disk: int) -> Iterator[Stack]:
    """Servers that run and the topic BARE, without services.

    Raises Refused with less than `disk` bytes or MEMORY free.
    """
    folder = given.state if given.state.exists() else given.state.parent
    for free, wanted, what in (
        (shutil.disk_usage(folder).free, disk, f"disk of {folder}"),
        (psutil.virtual_memory().available, MEMORY, "memory"),
    ):
        if free < wanted:
            raise Refused(
                f"the benchmark needs {wanted / GIB:.0f} GiB, and the {what} has {free / GIB:.1f}"
            )
    given.state.mkdir(parents=True, exist_ok=True)
    given.state.chmod(0o711)
    stack = Stack(Path(tempfile.mkdtemp(prefix="bench-", dir=given.state)), given.base_port)
    try:
        stack.up(services=False, bound=True)
        topics.apply(stack.kafka_admin(), Wanted({BARE: Topic(PARTITIONS)}))
        yield stack
    finally:
        stack.remove()
