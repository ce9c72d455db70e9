"""What was measured: ours and the limit beside it, once a repeat; a figure is the ratio of medians."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from operate.install import ROOT, Refused


@dataclass(frozen=True)
class Figure:
    """`ours` and `limit` in `unit`. Without a limit, `ours` itself is the figure. `at_least` and
    `at_most` are what was promised.
    """

    name: str
    what: str
    unit: str
    ours: Sequence[float]
    limit: Sequence[float] = ()
    at_least: float | None = None
    at_most: float | None = None

    @property
    def value(self) -> float:
        own = median(self.ours)
        return round(own / median(self.limit), 3) if self.limit else round(own, 2)

    @property
    def kept(self) -> bool:
        """Is the promise kept?"""
        over = self.at_most is None or self.value <= self.at_most
        return over and (self.at_least is None or self.value >= self.at_least)

    @property
    def promise(self) -> str:
        """Empty where nothing was promised."""
        if self.at_least is not None:
            return f"≥ {self.at_least}"
        return "" if self.at_most is None else f"≤ {self.at_most}"

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": self.what,
            "value": self.value,
            "promise": self.promise,
            "kept": self.kept,
            "unit": self.unit,
            "ours": [round(one, 3) for one in self.ours],
            "limit": [round(one, 3) for one in self.limit],
        }


Measurement = Callable[[], Awaitable[float]]
Answer = Callable[[], Awaitable[dict[str, float]]]


async def beside(
    ours: Measurement, limit: Measurement, repeats: int
) -> tuple[list[float], list[float]]:
    """Both in turns, so that a machine that drifts drifts for both."""
    own, bare = [], []
    for _ in range(repeats):
        bare.append(await limit())
        own.append(await ours())
    return own, bare


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


@asynccontextmanager
async def running(loop: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """A loop that never returns, for as long as something is measured."""
    task = asyncio.create_task(loop)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def answered(module: str, asked: Mapping[str, Any]) -> Any:
    """What a process of its own answers to one line of JSON. By a file: of a pipe the end of a long
    answer was missing now and then. Raises Refused.
    """
    with tempfile.TemporaryFile() as out:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"operate.bench.{module}", cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=out,
        )  # fmt: skip
        await client.communicate(json.dumps(asked).encode() + b"\n")
        if client.returncode:
            raise Refused(f"operate.bench.{module} ended early; its error stands above")
        out.seek(0)
        return json.loads(out.read())


@asynccontextmanager
async def reading(module: str, asked: Mapping[str, Any]) -> AsyncIterator[Answer]:
    """A reader in a process of its own that is ready; what it is called with answers when it has
    read all that was asked for: one line of JSON.
    """
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"operate.bench.{module}", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**24,
    )  # fmt: skip
    assert reader.stdin
    assert reader.stdout
    lines = reader.stdout

    async def line() -> bytes:
        if not (found := await lines.readline()):
            raise Refused("the reader ended early; its error stands above")
        return found

    async def answer() -> dict[str, float]:
        found: dict[str, float] = json.loads(await line())
        return found

    try:
        reader.stdin.write(json.dumps(asked).encode() + b"\n")
        await line()
        yield answer
    finally:
        if reader.returncode is None:
            reader.terminate()
        await reader.wait()
