"""A member of staff who goes on reading: no later reading may be older than an earlier one (C11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

from operate.demo.client import PASSING, Api
from operate.demo.intent import Actor
from operate.stack import Stack

PAUSE = 0.3


class Reader:
    """`may`: not while the clock moves, or each reading put on record would keep it from settling.

    `answered` and `unknown` count readings of documents, `back` tells of steps back."""

    def __init__(self, stack: Stack, agency: str, random: Random, may: Callable[[], bool]) -> None:
        self._stack, self._random, self._may = stack, random, may
        self._api = Api(stack)
        self.actor = Actor(agency, "chaos-reader", ("agency_worker",))
        self.answered = self.unknown = 0
        self.back: list[str] = []
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(PAUSE)
            if not self._may():
                continue
            lines = await self._get("/v1/views?limit=200")
            shown = lines["items"] if lines else []
            if shown:
                await self._read(str(self._random.choice(shown)["handle"]))

    async def _read(self, handle: str) -> None:
        self.unknown += 1
        document = await self._get(f"/v1/views/{handle}")
        if document is None:
            return
        self.unknown -= 1
        self.answered += 1
        number, before = document["document"], self._seen.get(handle, 0)
        if number < before:
            self.back.append(f"document {number} of {handle} was read after {before}")
        self._seen[handle] = max(number, before)

    async def _get(self, path: str) -> dict[str, Any] | None:
        headers = {"authorization": f"Bearer {self._api.token(self.actor)}"}
        try:
            answer = await self._api.attempt("GET", self._stack.http("views") + path, None, headers)
        except httpx.TransportError:
            return None
        if answer.status_code in PASSING or answer.status_code == 404:
            return None
        return dict(answer.raise_for_status().json())

    async def close(self) -> None:
        await self._api.close()
