"""Servers, or a stack, for a benchmark that is started as a module, in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from operate.bench.place import GIB, place
from operate.stack import Stack

BASE_PORT = 8300


def servers(base_port: int, disk: int = GIB) -> AbstractContextManager[Stack]:
    """Without services, where temporary files are."""
    return place(Stack(Path(tempfile.gettempdir()) / "tsunagu", base_port), disk)


@contextmanager
def own(arguments: Sequence[str], *services: str) -> Iterator[Stack]:
    """`arguments`: perhaps a base port. Servers run, and these services; intake has run once, so that
    its view is there, and is stopped unless it is among them.
    """
    with servers(int(arguments[0]) if arguments else BASE_PORT) as stack:
        for service in {"intake", *services}:
            stack.start(service)
        if "intake" not in services:
            stack.stop("intake")
        yield stack
