"""The public HTTP APIs as staff of the agencies call them: a token each, retries with the same key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from operate.demo.intent import Actor
from operate.install import Refused
from operate.stack import Stack

PASSING = frozenset({502, 503, 504})
PATIENCE = 120.0
"""Seconds for which a service may be away: a killed one is back in two or three."""
LONGEST_PAUSE = 1.0


class Unexpected(Refused):
    """A service answered what the plan does not allow for: the demo ends."""


@dataclass(frozen=True)
class Answer:
    """`tries` counts attempts; `reason` is the slug of a refusal."""

    status: int
    body: Mapping[str, Any]
    position: str
    tries: int

    @property
    def good(self) -> bool:
        return self.status < 300

    @property
    def reason(self) -> str:
        slug = str(self.body.get("type", "")).rpartition(":")[2]
        return str(self.body.get("reason") or slug)

    def said(self) -> str:
        """What went wrong, without anything that was sent."""
        fields = [str(error.get("field")) for error in self.body.get("errors") or ()]
        parts = [str(self.status), self.reason, str(self.body.get("detail") or ""), *fields]
        return " ".join(part for part in parts if part)


class Api:
    """Connections are kept; a token is made once for each actor. `patience`: seconds for which a service
    may be away.
    """

    def __init__(self, stack: Stack, connections: int = 16, *, patience: float = PATIENCE) -> None:
        self._stack, self._patience = stack, patience
        self._tokens: dict[Actor, str] = {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=4 * connections)
        self._client = httpx.AsyncClient(limits=limits, timeout=70, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    def token(self, actor: Actor) -> str:
        if actor not in self._tokens:
            self._tokens[actor] = self._stack.token(actor.agency, actor.roles, actor.subject)
        return self._tokens[actor]

    async def send(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        actor: Actor | None = None,
        key: str | None = None,
        after: str | None = None,
        patience: float | None = None,
    ) -> Answer:
        """The first answer that is not passing trouble; raises Refused after `patience` seconds."""
        patience = self._patience if patience is None else patience
        headers = {} if actor is None else {"authorization": f"Bearer {self.token(actor)}"}
        headers |= {"idempotency-key": key} if key else {}
        headers |= {"tsunagu-after": after} if after else {}
        url, until, pause, tries = (
            self._stack.http(service) + path,
            time.monotonic() + patience,
            0.05,
            0,
        )
        while True:
            tries += 1
            try:
                got = await self.attempt(method, url, body, headers)
                if got.status_code not in PASSING:
                    shown = got.json() if got.content else {}
                    body_of = shown if isinstance(shown, dict) else {"items": shown}
                    return Answer(
                        got.status_code, body_of, got.headers.get("tsunagu-position", ""), tries
                    )
                trouble = f"answered {got.status_code}"
            except httpx.TransportError as error:
                trouble = type(error).__name__
            if time.monotonic() > until:
                raise Refused(
                    f"{service} was away for {patience:.0f} s ({trouble}); "
                    f"the reason is in {self._stack.places.log(service)}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def attempt(
        self, method: str, url: str, body: Any, headers: dict[str, str]
    ) -> httpx.Response:
        """One request. Raises httpx.TransportError: whether it was carried out is not known."""
        return await self._client.request(method, url, json=body, headers=headers)

    async def read(self, service: str, path: str, actor: Actor) -> Mapping[str, Any]:
        answer = await self.send(service, "GET", path, actor=actor)
        if not answer.good:
            raise Unexpected(f"{service} {path} answered {answer.said()}")
        return answer.body
