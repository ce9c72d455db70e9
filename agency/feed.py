"""Keeps the copy in sync over HTTP, for an agency that cannot reach the broker: the same documents."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from pydantic import ValidationError

from agency.copy import Copy, Position, Refusal
from agency.document import Document
from agency.receipts import Receipts
from agency.sealed import Change, Poison, Record
from agency.store import Unavailable

PLACE = "feed"
"""Under which the copy keeps the cursor, in the transaction of what it belongs to."""
LONGEST_PAUSE = 30.0

log = logging.getLogger("agency")


def change_of(entry: Mapping[str, Any]) -> Change:
    """Raises Poison."""
    try:
        handle, version, edition = entry["handle"], entry["document"], entry["edition"]
        if entry["ended"]:
            return Change(handle, version, edition)
        document = Document.model_validate(entry["content"])
    except (KeyError, TypeError, ValidationError):
        raise Poison("the entry has another shape") from None
    body = json.dumps(entry["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Change(handle, version, edition, body, document)


class Feed:
    """`client` has the base URL of views and a token. `run` follows for ever; `follow` is one step of it.

    `on_change` is called after each commit to the copy with what was taken over, in order.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        copy: Copy,
        *,
        owe: bool = False,
        receipts: Receipts | None = None,
        on_change: Callable[[Sequence[Change]], None] | None = None,
    ) -> None:
        self.trouble: str | None = None  # why nothing is read just now
        self._client, self._copy, self._receipts = client, copy, receipts
        self._owe, self._on_change = owe or receipts is not None, on_change
        self._up_to_date = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Trouble is waited out with a growing pause."""
        async with asyncio.TaskGroup() as group:
            if self._receipts:
                group.create_task(self._receipts.run(self._copy))
            group.create_task(self._steps())

    async def caught_up(self) -> None:
        """Returns when everything that the feed holds at this moment is in the copy."""
        self._up_to_date.clear()
        await self._up_to_date.wait()

    async def _steps(self) -> None:
        pause, wait = 0.2, 0.0
        while True:
            try:
                taken, done = await self.follow(wait)
            except (httpx.HTTPError, Unavailable, ValueError, KeyError, TypeError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
                log.warning("waiting for the feed: %s", self.trouble)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self.trouble, pause, wait = None, 0.2, 20.0 if done else 0.0
            if taken and self._receipts:
                self._receipts.wake()
            if taken and self._on_change:
                try:
                    self._on_change(taken)
                except Exception:
                    log.exception("the agency's own on_change failed; the copy goes on")
            if done:
                self._up_to_date.set()

    async def follow(self, wait: float = 20) -> tuple[list[Change], bool]:
        """One page into the copy, with its cursor in one transaction: what was taken over, and whether
        that was all there is now. An entry of another shape is kept aside; the next good one of its
        handle heals it. Raises httpx.HTTPError; then nothing has moved.
        """
        reached = self._copy.position(PLACE)
        cursor = {"cursor": reached.last_id} if reached and reached.last_id else {}
        answer = await self._client.get(
            "/v1/feed", params={**cursor, "wait": wait}, timeout=wait + 10
        )
        answer.raise_for_status()
        page = answer.json()
        first = reached.next if reached else 0
        changes: list[tuple[int, Change]] = []
        refusals: list[Refusal] = []
        for n, entry in enumerate(page["items"], first):
            try:
                changes.append((n, change_of(entry)))
            except Poison as poison:
                refusals.append(_aside(n, entry, str(poison)))
                log.error("entry %d is kept aside: %s", n, poison)
        position = Position(first + len(page["items"]), page["cursor"])
        taken = self._copy.apply(changes, refusals, topic=PLACE, position=position, owe=self._owe)
        return taken, page["up_to_date"]


def _aside(place: int, entry: Any, reason: str) -> Refusal:
    handle = str(entry.get("handle", "")) if isinstance(entry, dict) else ""
    record = Record(place, handle.encode(), json.dumps(entry).encode(), ())
    return Refusal(record, handle, reason)
