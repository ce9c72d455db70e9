"""What an agency's system tells the city of its own accord: answers to referrals, retractions, receipts."""

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal
from uuid import uuid4

import httpx

from agency.copy import Held
from agency.document import digest

TRIES, PAUSE = 5, 0.2
"""A lost answer and a service that is down for a moment are waited out, twice as long each time."""


class Refused(Exception):
    """The city took nothing over, and the same again would not help. `code` as in the problem document."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail


class Commands:
    """`views` and `referral` have the base URL of the service and a token with the role `system`.

    Each call is one act: it bears an Idempotency-Key, so that it is done once however often it is sent.
    Give `key` yourself (the number of the act in your own records) if you may call again after a crash.
    All raise Refused, and httpx.HTTPError when the city cannot be reached.
    """

    def __init__(self, views: httpx.AsyncClient, referral: httpx.AsyncClient) -> None:
        self._views, self._referral = views, referral

    async def inbox(self) -> list[dict[str, Any]]:
        """Referrals to this agency that are not ended yet, all pages."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = await _sent(self._referral, "GET", "/v1/inbox", params=after)
            found += page["items"]
            if not page["next"]:
                return found
            after = {"after": page["next"]}

    async def receive(self, referral: str, *, key: str = "") -> None:
        await self._answer(referral, "receipt", {}, key)

    async def accept(
        self, referral: str, first_contact_on: date | None = None, *, key: str = ""
    ) -> None:
        await self._answer(referral, "acceptance", {"first_contact_on": first_contact_on}, key)

    async def decline(
        self, referral: str, code: str, text: str | None = None, *, key: str = ""
    ) -> None:
        await self._answer(referral, "decline", {"code": code, "text": text}, key)

    async def start(self, referral: str, first_contact_on: date, *, key: str = "") -> None:
        await self._answer(referral, "service-start", {"first_contact_on": first_contact_on}, key)

    async def complete(
        self, referral: str, outcome: str, text: str | None = None, *, key: str = ""
    ) -> None:
        await self._answer(referral, "completion", {"outcome": outcome, "text": text}, key)

    async def acknowledge(
        self, held: Held, grade: Literal["delivered", "placed", "opened"], *, key: str = ""
    ) -> None:
        """A receipt with the digest of what this copy holds: `opened` when a person has read it."""
        body = {"handle": held.handle, "document": held.document, "grade": grade}
        body |= {"digest": digest(held.body)} if held.body else {}
        await _done(self._views, "/v1/receipts", body, key)

    async def confirm(
        self, handle: str, document: int, kept: str | None = None, *, key: str = ""
    ) -> None:
        """What was withdrawn up to this document is deleted here; or `kept`, by the code of the ground."""
        body = {"document": document, "kept": kept}
        await _done(self._views, f"/v1/views/{handle}/retraction-confirmation", body, key)

    async def _answer(self, id: str, act: str, body: Mapping[str, Any], key: str) -> None:
        await _done(self._referral, f"/v1/referrals/{id}/{act}", body, key)


async def _done(client: httpx.AsyncClient, path: str, body: Mapping[str, Any], key: str) -> None:
    said = {name: _text(value) for name, value in body.items() if value is not None}
    await _sent(client, "POST", path, json=said, headers={"idempotency-key": key or str(uuid4())})


async def _sent(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
    for attempt in range(TRIES):
        try:
            answer = await client.request(method, path, **more)
            if answer.status_code < 500 and answer.status_code not in (408, 425, 429):
                break
            answer.raise_for_status()
        except httpx.HTTPError:
            if attempt == TRIES - 1:
                raise
        await asyncio.sleep(PAUSE * 2**attempt)
    if answer.is_error:
        problem = answer.json()
        code = str(problem.get("type", "")).rpartition(":")[2]
        raise Refused(answer.status_code, code, str(problem.get("detail", "")))
    return answer.json()


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
