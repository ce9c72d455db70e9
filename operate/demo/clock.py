"""The simulated clock of the whole stack: moved on all services until nothing new appears."""

from __future__ import annotations

import asyncio
from datetime import datetime

from operate.demo.client import Api, Unexpected
from operate.places import SERVICES

PATIENCE = 900.0
"""Seconds for one settling: on a slow machine much may be waiting for views."""


class Clock:
    """`at` is the domain time of all services; `events` what their journals hold."""

    def __init__(self, api: Api) -> None:
        self._api = api
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
                    SERVICES,
                    await asyncio.gather(*(self._put(s, at) for s in SERVICES)),
                    strict=True,
                )
            )
            if counts == known:
                self.at, self.events = at, counts
                return counts
            known = counts

    async def _put(self, service: str, at: datetime) -> int:
        answer = await self._api.send(
            service, "PUT", "/dev/clock", {"at": at.isoformat()}, patience=PATIENCE
        )
        if not answer.good:
            raise Unexpected(f"{service} does not move its clock: {answer.said()}")
        return int(answer.body["events"])
