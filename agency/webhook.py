"""A document as it arrives by webhook: its signature checked (Standard Webhooks), then opened."""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from hashlib import sha256

from joserfc.jwk import KeySet
from pydantic import ValidationError

from agency.document import Document
from agency.sealed import Change, Poison, unsealed

TOLERANCE = 300
"""Seconds between their clock and ours; what is older may be a copy that somebody sends again."""


class Forged(Exception):
    """Not from the city, or too old: answer 401 and take nothing over."""


def change_in(
    headers: Mapping[str, str], body: bytes, secret: str, keys: KeySet, now: float | None = None
) -> Change:
    """`headers` by lower-case name; `secret` as views shows it. Raises Forged, Poison.

    Answer 2xx only when it is in your copy; 422 for Poison: then that document is put aside.
    """
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{id}.{at}.".encode() + body, sha256)
    wanted = "v1," + base64.b64encode(signed).decode()
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
        raise Forged("the signature is not the city's")
    if not at.isdigit() or abs((time.time() if now is None else now) - int(at)) > TOLERANCE:
        raise Forged("too old, or a clock is wrong")
    try:
        data = json.loads(body)["data"]
        handle, version, edition = data["handle"], data["document"], data["edition"]
        if data["ended"]:
            return Change(handle, version, edition)
        text = unsealed(data["sealed"].encode(), keys)
        document = Document.model_validate_json(text)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise Poison("the message has another shape") from error
    if (document.handle, document.document) != (handle, version):
        raise Poison("the document is not the one that its message names")
    return Change(handle, version, edition, text, document)
