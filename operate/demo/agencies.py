"""The agencies' own systems: each follows its topic with its own login into its own copy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agency.copy import Copy
from agency.credentials import Credentials
from agency.receipts import Receipts
from agency.subscriber import Subscriber
from operate.demo.client import Api, Unexpected
from operate.demo.content import Content
from operate.demo.intent import Actor
from operate.demo.records import ends
from operate.demo.setting import OPERATOR
from operate.stack import Stack

CONFIRMING, RECEIPTING, OF = 3, 4, 6
"""Of six agencies three confirm what they deleted, one sends receipts only: its retractions stay
"told, not yet confirmed". The others only read, as an agency may.
"""

PATIENCE = 900.0


@dataclass
class Office:
    """One agency with its copy and the task that keeps it."""

    code: str
    copy: Copy
    subscriber: Subscriber
    task: asyncio.Task[None]
    topic: str

    def contents(self) -> list[Content]:
        """What the copy shows, case by case; ended ones are left out."""
        bodies = [held.body for held in self.copy.documents()]
        return [Content.held(body) for body in bodies if body and body["items"]]


class Offices:
    """All agencies that subscribe. Use `join`, later `settled`, at last `close`."""

    def __init__(self, stack: Stack, api: Api, folder: Path) -> None:
        self._stack, self._api, self._folder = stack, api, folder
        self.all: dict[str, Office] = {}

    async def join(self, codes: Sequence[str]) -> None:
        """Credentials, the public key given to views, and the copy begins; also in mid-year."""
        made = await asyncio.to_thread(self._stack.agencies, list(codes))
        for code in codes:
            path = f"/v1/subscriptions/{code}"
            key = {"public_key": made[code].public_key}
            answer = await self._api.send("views", "PUT", path, key, actor=OPERATOR, key=path)
            if not answer.good:
                raise Unexpected(f"views did not take the key of {code}: {answer.said()}")
            credentials = Credentials.model_validate(made[code].document())
            self._begin(code, credentials, len(self.all) % OF)

    def _begin(self, code: str, credentials: Credentials, turn: int) -> None:
        self._folder.mkdir(exist_ok=True)
        (self._folder / f"{code}.json").write_text(credentials.model_dump_json())
        copy = Copy(self._folder / f"{code}.sqlite")
        token = self._api.token(Actor(code, f"{code}.system", ("system",)))
        receipts = Receipts(self._stack.http("views"), token, confirm=turn < CONFIRMING)
        subscriber = Subscriber(credentials, copy, receipts=receipts if turn < RECEIPTING else None)
        task = asyncio.create_task(subscriber.run(), name=f"agency {code}")
        self.all[code] = Office(code, copy, subscriber, task, credentials.topic)

    def check(self) -> None:
        """Raises what ended a subscriber, if one has ended: none may before `close`."""
        for code, office in self.all.items():
            if office.task.done():
                office.task.result()
                raise Unexpected(f"the subscriber of {code} has ended without a word")

    async def caught_up(self) -> None:
        """Every copy holds what its topic holds, and every receipt that is owed has been given. Raises
        Unexpected with what is waited for when that takes too long.
        """
        tasks = [office.task for office in self.all.values()]
        taking = asyncio.create_task(self._taken())
        try:
            await asyncio.wait([taking, *tasks], timeout=PATIENCE, return_when="FIRST_COMPLETED")
            if taking.done():
                return taking.result()
        finally:
            taking.cancel()
        self.check()
        raise Unexpected("; ".join(await asyncio.to_thread(self.waits)))

    async def _taken(self) -> None:
        await asyncio.gather(*(one.subscriber.caught_up() for one in self.all.values()))
        while any(one.copy.owed(1) for one in self.all.values()):  # noqa: ASYNC110 (files are waited for)
            await asyncio.sleep(0.02)

    def waits(self) -> list[str]:
        """In words what each agency's system has still to do."""
        lags = self.lags()
        return [
            f"{code}: {lags[code]} records to take, {len(office.copy.owed())} receipts to give"
            f"{', ended' if office.task.done() else ''}"
            f"{f', {trouble}' if (trouble := office.subscriber.trouble) else ''}"
            for code, office in self.all.items()
        ]

    def lags(self) -> dict[str, int]:
        """Records of each agency's topic that its copy has not taken."""
        found = ends(self._stack, [one.topic for one in self.all.values()])
        lags = {}
        for code, office in self.all.items():
            position = office.copy.position(office.topic)
            _, end = found.get((office.topic, 0), (0, 0))
            lags[code] = max(0, end - (position.next if position else 0))
        return lags

    def refused(self) -> int:
        """Records that a copy could not open."""
        return sum(len(one.copy.refused(one.topic)) for one in self.all.values())

    async def close(self) -> None:
        for office in self.all.values():
            office.task.cancel()
        for office in self.all.values():
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await office.task
            office.copy.close()


def quiet() -> None:
    """The kit's and its client's log lines are an agency's own concern."""
    for name in ("agency", "aiokafka", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def emptied(folder: Path) -> Path:
    """A folder for this year's copies."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
