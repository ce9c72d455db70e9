"""A stack in a folder of its own, for a benchmark that is started as a module; intake is made ready."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from operate.bench.place import GIB, place
from operate.stack import Stack

BASE_PORT = 8300


@contextmanager
def own(name: str, arguments: Sequence[str], *services: str) -> Iterator[Stack]:
    """`arguments`: perhaps a base port. Servers run, and these services; intake has run once, so that
    its view is there, and is stopped unless it is among them.
    """
    base = int(arguments[0]) if arguments else BASE_PORT
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        Path(folder).chmod(0o711)
        with place(Stack(Path(folder), base), GIB) as stack:
            for service in {"intake", *services}:
                stack.start(service)
            if "intake" not in services:
                stack.stop("intake")
            yield stack
