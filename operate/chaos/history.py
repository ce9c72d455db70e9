"""What was asked and what came back, written outside of the system: each line before the next step."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import httpx

from operate import places
from operate.demo.client import PASSING, Api
from operate.stack import Stack

PATIENCE = 600.0
"""Seconds for which a service may be away: all are, while topics are made anew."""


class History:
    """A JSON line for each intent and for each outcome of an attempt: ok, fail or unknown.

    Unknown: the answer was lost, or said 502 to 504; the command may have been carried out.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._began = time.monotonic()
        self.outcomes: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        """By key, attempts that ended so."""
        self.open: dict[str, str] = {}
        """By key, the outcome of the newest attempt, until it is ok or fail."""

    def intent(self, key: str, what: str) -> None:
        self._write(key, "invoke", what)
        self.open.setdefault(key, "unknown")

    def outcome(self, key: str, how: str, what: str = "") -> None:
        self._write(key, how, what)
        self.outcomes[how] += 1
        self.open[key] = how
        self.unknown[key] += how == "unknown"
        if how != "unknown":
            self.open.pop(key)

    def _write(self, key: str, how: str, what: str) -> None:
        line = {"at": round(time.monotonic() - self._began, 4), "key": key, "do": how, "what": what}
        self._file.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


class Watched(Api):
    """The API of the demo with a history; now and then an answer is lost on its way, or not awaited.

    With `replicas` a repeat goes to the next one.
    """

    def __init__(
        self, stack: Stack, history: History, random: Random, lose: float, replicas: int = 1
    ) -> None:
        super().__init__(stack, patience=PATIENCE)
        self._history, self._random, self._lose = history, random, lose
        self._others = {
            stack.http(name): [stack.http(part) for part in places.replicas(name, replicas)]
            for name in places.SERVICES
        }
        self.lost = 0

    async def attempt(
        self, method: str, url: str, body: Any, headers: dict[str, str]
    ) -> httpx.Response:
        key = headers.get("idempotency-key")
        if key is None:
            return await super().attempt(method, url, body, headers)
        path = httpx.URL(url).path
        others = self._others[url.removesuffix(path)]
        turn = crc32(key.encode()) + self._history.unknown[key]
        url = others[turn % len(others)] + path
        self._history.intent(key, f"{method} {path}")
        try:
            answer = await self._one(method, url, body, headers)
        except httpx.TransportError as error:
            self._history.outcome(key, "unknown", type(error).__name__)
            raise
        passing = answer.status_code in PASSING
        how = "unknown" if passing else "ok" if answer.status_code < 300 else "fail"
        self._history.outcome(key, how, answer.headers.get("tsunagu-position", ""))
        return answer

    async def _one(
        self, method: str, url: str, body: Any, headers: dict[str, str]
    ) -> httpx.Response:
        drawn = self._random.random()
        if drawn >= self._lose:
            return await super().attempt(method, url, body, headers)
        self.lost += 1
        if drawn < self._lose / 2:
            await super().attempt(method, url, body, headers)
            raise httpx.ReadError("the answer was lost")
        try:
            async with asyncio.timeout(self._random.uniform(0.001, 0.05)):
                return await super().attempt(method, url, body, headers)
        except TimeoutError:
            raise httpx.ReadTimeout("the answer was not awaited") from None
