"""One document to one endpoint: sealed, signed (Standard Webhooks), and what its answer means."""

import base64
import hmac
import json
import ssl
import time
from asyncio import timeout
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

import httpcore

from .feed import Entry
from .outside import Forbidden, Outside

LONGEST_ASKED = 3600
CONNECT, ANSWER, ALTOGETHER = 5.0, 10.0, 15.0
LARGEST_ANSWER = 65_536
"""Bytes that are read of an answer, so that its connection can be used again."""
REFUSED_FOR_ITSELF = frozenset({400, 406, 409, 411, 412, 413, 414, 415, 422, 431})
"""Answers that speak of the document alone."""
ASKS_TO_WAIT = frozenset({429, 503})

Meaning = Literal["taken", "refused", "broken", "dead"]


@dataclass(frozen=True)
class Outcome:
    """`taken`; `refused`: this document only; `broken`: the endpoint is not there, not open, not well,
    or this document makes it so; `dead`: the endpoint, whatever it is sent, for it asks to wait or
    leads astray. `after`: seconds that it asked to be left alone.
    """

    meaning: Meaning
    reason: str = ""
    after: int = 0


def secret(index_key: bytes, way: UUID) -> bytes:
    """Known to us and to whom the webhook belongs; another way, another secret."""
    return hmac.digest(index_key, f"webhook\n{way}".encode(), sha256)


def shown(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def signature(secret: bytes, id: str, at: int, body: bytes) -> str:
    signed = hmac.digest(secret, f"{id}.{at}.".encode() + body, sha256)
    return "v1," + base64.b64encode(signed).decode()


def body(entry: Entry, sealed: str | None) -> bytes:
    data: dict[str, Any] = {
        "handle": str(entry.handle),
        "document": entry.document,
        "edition": entry.edition,
        "ended": entry.ended,
        "sealed": sealed,
    }
    return json.dumps({"type": "view.changed", "data": data}, separators=(",", ":")).encode()


class Post:
    """Connections are kept and shared; none leads into a private network, none follows a redirect."""

    def __init__(self, development: bool) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=64,
            keepalive_expiry=30,
            network_backend=Outside(development),
        )

    async def send(self, url: str, secret: bytes, entry: Entry, sealed: str | None) -> Outcome:
        content = body(entry, sealed)
        mark = f"{entry.handle}\n{entry.document}\n{entry.edition}\n{entry.ended}"
        id = "msg_" + hmac.digest(secret, mark.encode(), sha256).hex()[:32]  # of a repeat the same
        at = int(time.time())
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "user-agent": "tsunagu",
            "webhook-id": id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(secret, id, at, content),
        }
        limits = {"connect": CONNECT, "read": ANSWER, "write": ANSWER, "pool": ANSWER}
        try:
            async with (
                timeout(ALTOGETHER),
                self._pool.stream(
                    "POST", url, headers=headers, content=content, extensions={"timeout": limits}
                ) as answer,
            ):
                read = 0
                async for part in answer.aiter_stream():
                    read += len(part)
                    if read > LARGEST_ANSWER:
                        break
                return _meaning(answer.status, dict(answer.headers))
        except Forbidden:
            return Outcome("dead", "private-network")
        except (TimeoutError, httpcore.TimeoutException):
            return Outcome("broken", "timeout")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError):
            return Outcome("broken", "no-connection")


def _meaning(status: int, headers: dict[bytes, bytes]) -> Outcome:
    if 200 <= status < 300:
        return Outcome("taken")
    if status in REFUSED_FOR_ITSELF:
        return Outcome("refused", str(status))
    asked = next((v for k, v in headers.items() if k.lower() == b"retry-after"), b"")
    after = min(int(asked[:9]), LONGEST_ASKED) if asked.isdigit() else 0
    if 300 <= status < 400:
        return Outcome("dead", "redirect", after)
    return Outcome("dead" if status in ASKS_TO_WAIT else "broken", str(status), after)
