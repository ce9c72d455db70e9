"""Files from a network that does not meet ours: documents into the copy, receipts for the way back."""

import base64
import hmac
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from joserfc.jwk import KeySet
from pydantic import ValidationError

from agency.copy import Copy, Held, Position
from agency.document import Document, digest
from agency.sealed import Change, Poison, unsealed
from agency.webhook import Forged

PLACE = "exchange"


def take_over(text: str, agency: str, secret: str, keys: KeySet, copy: Copy) -> list[Change]:
    """A file of documents into the copy, whole or not at all; a receipt is owed for each. Files may
    come twice or in any order. Raises Forged, Poison.
    """
    signed, _, last = text.rstrip("\n").rpartition("\n")
    try:
        head, *lines = signed.split("\n")
        manifest, given = json.loads(head), json.loads(last)["signature"]
    except (ValueError, KeyError, TypeError):
        raise Forged("the file has another shape") from None
    if not hmac.compare_digest(signature(secret, signed + "\n").encode(), str(given).encode()):
        raise Forged("the signature is not the city's")
    digests = [sha256(line.encode()).hexdigest() for line in lines]
    if manifest.get("agency") != agency or manifest.get("sha256") != digests:
        raise Forged("the file is another agency's, or not whole")
    changes = [(n, _change(json.loads(line), keys)) for n, line in enumerate(lines)]
    position = Position(0, manifest["cursor"])
    return copy.apply(changes, topic=PLACE, position=position, owe=True)


def cursor(copy: Copy) -> str | None:
    """What the next file is to be asked for with."""
    reached = copy.position(PLACE)
    return reached.last_id if reached else None


def receipts(copy: Copy, secret: str, *, confirm: bool = False) -> dict[str, Any]:
    """What is owed, signed, with the digests of what this copy holds; hand the city's answer to `settle`.
    `confirm`: what was retracted is deleted here.
    """
    owed = [
        _line(copy.document(handle), handle, document, ended and confirm)
        for handle, document, ended in copy.owed(1999)
    ]
    lines = [json.dumps(line) for line in ({"format": "tsunagu-receipts-1"}, *owed)]
    return {"lines": lines, "signature": signature(secret, "\n".join(lines))}


def settle(copy: Copy, given: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    """The receipts that were given are owed no more, those that the city refused included: the same again
    would not help, and what it found to be another document it sends again. Their handles and reasons.
    """
    reasons = {one["line"]: one["reason"] for one in answer["refused"]}
    refused = []
    for n, text in enumerate(given["lines"][1:], 2):
        line = json.loads(text)
        copy.paid(line["handle"], line["document"])
        if n in reasons and reasons[n] != "not-retracted":  # then there was nothing to give back
            refused.append(f"{line['handle']}: {reasons[n]}")
    return refused


def _line(held: Held | None, handle: str, document: int, deleted: bool) -> dict[str, Any]:
    line = {"handle": handle, "document": document, "grade": "placed", "deleted": deleted}
    if held and held.body and held.document == document:
        line["digest"] = digest(held.body)
    return line


def _change(entry: dict[str, Any], keys: KeySet) -> Change:
    handle, version, edition = entry["handle"], entry["document"], entry["edition"]
    if entry["ended"]:
        return Change(handle, version, edition)
    text = unsealed(entry["sealed"].encode(), keys)
    try:
        document = Document.model_validate_json(text)
    except ValidationError as error:
        raise Poison("the document has another shape") from error
    if (document.handle, document.document) != (handle, version):
        raise Poison("the document is not the one that its line names")
    return Change(handle, version, edition, text, document)


def signature(secret: str, text: str) -> str:
    """`secret` as views shows it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, text.encode(), sha256)).decode()
