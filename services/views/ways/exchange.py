"""Files for networks that do not meet: an agency's documents out, sealed and signed; its receipts back."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from shared.runtime import Runtime

from ..domain.document import canonical
from ..seal import sealed_to
from . import feed
from .cursor import Cursor

DOCUMENTS, RECEIPTS = "tsunagu-documents-1", "tsunagu-receipts-1"
PAGE = 50


class Forged(Exception):
    """Not signed with the agency's secret, or changed since."""


@dataclass(frozen=True)
class File:
    text: str
    documents: int
    digest: str


def secret(index_key: bytes, agency: str, public_key: Mapping[str, str]) -> bytes:
    """Signs the files of one agency in both directions; goes to it by another way. It ends with the key
    that documents are sealed to: no key comes a second time.
    """
    return hmac.digest(index_key, f"exchange\n{agency}\n{public_key['x']}".encode(), sha256)


def signature(secret: bytes, text: str) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret, text.encode(), sha256)).decode()


async def documents(
    rt: Runtime, agency: str, public_key: dict[str, Any], after: Cursor, limit: int, at: datetime
) -> File:
    """Up to `limit` documents after the cursor, a line each, in the order of the feed. The first line
    tells what the file holds and where the next one begins; the last one signs all before it.
    """
    lines: list[str] = []
    page = await feed.page(rt, agency, after, min(limit, PAGE))
    restarted = page.restarted
    while True:
        for entry in page.entries:
            sealed = (
                None if entry.content is None else sealed_to(public_key, canonical(entry.content))
            )
            line = {
                "handle": str(entry.handle),
                "document": entry.document,
                "edition": entry.edition,
                "ended": entry.ended,
                "sealed": sealed,
            }
            lines.append(json.dumps(line, separators=(",", ":")))
        if page.up_to_date or len(lines) >= limit:
            break
        page = await feed.page(rt, agency, page.cursor, min(limit - len(lines), PAGE))
    key = rt.keys.index_key
    manifest = {
        "format": DOCUMENTS,
        "agency": agency,
        "at": at.isoformat(),
        "cursor": page.cursor.text(key, agency),
        "up_to_date": page.up_to_date,
        "restarted": restarted,
        "sha256": [sha256(line.encode()).hexdigest() for line in lines],
    }
    text = "\n".join([json.dumps(manifest, separators=(",", ":")), *lines, ""])
    signed = (
        text + json.dumps({"signature": signature(secret(key, agency, public_key), text)}) + "\n"
    )
    return File(signed, len(lines), sha256(signed.encode()).hexdigest())


def receipts(secret: bytes, lines: Sequence[str], signed: str) -> list[dict[str, Any]]:
    """The lines of a file of receipts, without its head. Raises Forged."""
    wanted = signature(secret, "\n".join(lines))
    if not hmac.compare_digest(wanted.encode(), signed.encode()):
        raise Forged
    try:
        head, *found = [json.loads(line) for line in lines]
        if head["format"] != RECEIPTS or not all(isinstance(one, dict) for one in found):
            raise Forged
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Forged from None
    return found
