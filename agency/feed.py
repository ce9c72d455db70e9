"""Keeps the copy in sync over HTTP, for an agency that cannot reach the broker: the same documents."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import ValidationError

from agency.copy import Copy, Position
from agency.document import Document
from agency.sealed import Change, Poison

PLACE = "feed"
"""Under which the copy keeps the cursor, in the transaction of what it belongs to."""


def change_of(entry: Mapping[str, Any]) -> Change:
    """Raises Poison."""
    try:
        handle, version, edition = entry["handle"], entry["document"], entry["edition"]
        if entry["ended"]:
            return Change(handle, version, edition)
        document = Document.model_validate(entry["content"])
    except (KeyError, ValidationError):
        raise Poison("the entry has another shape") from None
    body = json.dumps(entry["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Change(handle, version, edition, body, document)


class Feed:
    """`client` has the base URL of views and a token. Call `follow` again and again, for ever."""

    def __init__(self, client: httpx.AsyncClient, copy: Copy, *, owe: bool = False) -> None:
        self._client, self._copy, self._owe = client, copy, owe

    async def follow(self, wait: float = 20) -> tuple[list[Change], bool]:
        """One page into the copy, with its cursor in one transaction: what was taken over, and whether
        that was all there is now. Raises httpx.HTTPError, Poison; then nothing has moved.
        """
        reached = self._copy.position(PLACE)
        cursor = {"cursor": reached.last_id} if reached and reached.last_id else {}
        answer = await self._client.get(
            "/v1/feed", params={**cursor, "wait": wait}, timeout=wait + 10
        )
        answer.raise_for_status()
        page = answer.json()
        changes = [(n, change_of(entry)) for n, entry in enumerate(page["items"])]
        position = Position(0, page["cursor"])
        taken = self._copy.apply(changes, topic=PLACE, position=position, owe=self._owe)
        return taken, page["up_to_date"]
