"""The simulated clock of the whole stack: moved on all services until nothing new appears."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from operate.demo.client import Api, Unexpected
from operate.places import SERVICES

PATIENCE = 900.0
"""Seconds for one settling: on a slow machine much may be waiting for views."""


class Clock:
    """`at` is the domain time of all `parts`; `events` what their journals hold."""

    def __init__(self, api: Api, parts: Sequence[str] = SERVICES) -> None:
        self._api, self.parts = api, parts
        self.at: datetime | None = None
        self.events: dict[str, int] = {}
        self.rounds = 0

    async def move(self, at: datetime) -> dict[str, int]:
        """Answers when all timers due by then have fired and every service has heard the others."""
        known: dict[str, int] = {}
        while True:
            self.rounds += 1
            counts = dict(
                zip(
                    self.parts,
                    await asyncio.gather(*(self._put(part, at) for part in self.parts)),
                    strict=True,
                )
            )
            if counts == known:
                self.at, self.events = at, counts
                return counts
            known = counts

    async def _put(self, part: str, at: datetime) -> int:
        answer = await self._api.send(
            part, "PUT", "/dev/clock", {"at": at.isoformat()}, patience=PATIENCE
        )
        if not answer.good:
            raise Unexpected(f"{part} does not move its clock: {answer.said()}")
        return int(answer.body["events"])
