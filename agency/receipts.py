"""Tells the city what has been placed in the agency's copy; never holds up the copy itself."""

import asyncio
import logging
from collections.abc import Callable, Mapping

import httpx

from agency.copy import Copy, Held
from agency.document import digest
from agency.store import Unavailable

LONGEST_PAUSE = 60.0
PASSING = frozenset({401, 403, 408, 425, 429})
"""Answers that another token or another moment may change; so may all of 500 and above."""

log = logging.getLogger("agency")


class Receipts:
    """`views` is the base URL of the city's views service; `token` may be a function that renews it.

    `confirm` also confirms, for each document that no longer holds what it held, that this agency has
    deleted it: leave it off when other systems of the agency read the copy and must delete first.
    """

    def __init__(
        self, views: str, token: str | Callable[[], str], *, confirm: bool = False
    ) -> None:
        self.trouble: str | None = None
        self._views, self._token, self._confirm = views.rstrip("/"), token, confirm
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self, copy: Copy) -> None:
        """Until cancelled: gives what is owed, kept in the copy's file until it has been given."""
        pause = 0.2
        async with httpx.AsyncClient(base_url=self._views, timeout=10) as client:
            while True:
                self._woken.clear()
                try:
                    while owed := copy.owed():
                        for handle, document, ended in owed:
                            held = copy.document(handle)
                            await self._give(client, handle, document, ended, held)
                            copy.paid(handle, document)
                    self.trouble, pause = None, 0.2
                    await self._woken.wait()
                except (httpx.HTTPError, Unavailable) as error:
                    self.trouble = f"{type(error).__name__}: {error}"
                    log.warning("receipts wait: %s", self.trouble)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)

    async def _give(
        self, client: httpx.AsyncClient, handle: str, document: int, ended: bool, held: Held | None
    ) -> None:
        """Raises httpx.HTTPError for what may pass; what views refuses for good is given up: where
        the digest is not that of what it sent, it sends the document again.
        """
        receipt = {"handle": handle, "document": document, "grade": "placed"}
        if held and held.body and held.document == document:
            receipt["digest"] = digest(held.body)
        await self._post(client, "/v1/receipts", receipt)
        if ended and self._confirm:
            confirmation = {"document": document}
            await self._post(client, f"/v1/views/{handle}/retraction-confirmation", confirmation)

    async def _post(self, client: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> None:
        token = self._token if isinstance(self._token, str) else self._token()
        answer = await client.post(path, json=body, headers={"authorization": f"Bearer {token}"})
        if answer.status_code in PASSING or answer.status_code >= 500:
            answer.raise_for_status()
        if answer.is_error:
            log.info("%s was refused with %d", path, answer.status_code)
