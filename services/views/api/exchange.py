"""Files of documents for an agency whose network does not meet ours, and its receipts back."""

from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from shared.contracts.codes import OneOf
from shared.contracts.views import FileMade, SecretShown
from shared.decider import Refused
from shared.http import Body, Call, Route
from shared.problems import bad_input

from ..domain import disclosure, subscription, way
from ..refusals import put_on_record
from ..view import of_handle
from ..ways import exchange
from ..ways.cursor import Cursor
from ..ways.exchange import Forged
from ..ways.post import shown
from .common import Code
from .feed import cursor_of
from .receipts import Digest, compared
from .ways import Subscriber

router = APIRouter(route_class=Route, prefix="/v1/subscriptions/{code}/exchange")
FILE = "application/x-ndjson"
UNFIT = ("unreadable", "no-such-document")
"""Lines that no copy of the agency's documents could have led to."""
Signed = Annotated[str, StringConstraints(max_length=1000)]


class NewFile(Body):
    """`cursor`: that of the last file which arrived; none for all documents from the start."""

    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class Receipts(Body):
    """As the agency's kit writes them."""

    lines: Annotated[list[Signed], Field(min_length=1, max_length=2000)]
    signature: Signed


class Line(BaseModel):
    """`deleted`: what was retracted is gone, or `kept` on that ground. `digest`: as over HTTP."""

    handle: UUID
    document: int = Field(ge=1, le=2**31 - 1)
    grade: Literal["delivered", "placed", "opened"] = "placed"
    deleted: bool = False
    kept: Annotated[str, *OneOf("kept")] | None = None
    digest: Digest | None = None


class Refusal(BaseModel):
    """`digest-mismatch` is on record with the document, which is sent again."""

    line: int
    reason: str


class Imported(BaseModel):
    """`taken`: lines that are on record now, or were before."""

    taken: int
    refused: list[Refusal]


class Secret(BaseModel):
    secret: str


@router.get("/secret")
async def get_secret(code: Code, call: Subscriber) -> Secret:
    """Signs files in both directions, until the agency has another key or none. It goes to the agency by
    another way than the files; whom it was shown to is on record.
    """
    call.need_whole()
    key, context = await _secret(call, code), replace(call.context(), command=None)
    event, stream = SecretShown(agency=code), f"subscription/{code}"
    await call.rt.journal.handle(way.DECIDER, stream, code, event, context)
    return Secret(secret=shown(key))


@router.post("/documents", responses={200: {"content": {FILE: {"schema": {"type": "string"}}}}})
async def make_file(code: Code, call: Subscriber, body: NewFile) -> Response:
    """Documents sealed to the agency's key, in the order of its feed; who made the file is on record. A
    repeat is one more file, on record as well, whatever its Idempotency-Key: it holds what flows now.
    """
    after = await cursor_of(call, code, "body.cursor", body.cursor) or Cursor()
    call.need_whole()
    past = await call.load(f"subscription/{code}")
    key = past.fold(subscription.DECIDER).public_key
    now = call.now()
    way.may_flow(past.fold(way.DECIDER))
    assert key is not None
    made = await exchange.documents(call.rt, code, key, after, body.limit, now)
    event = FileMade(agency=code, documents=made.documents, digest=made.digest)
    context = replace(call.context(body.occurred_at), command=None)
    stream = f"subscription/{code}"
    await call.rt.journal.handle(way.DECIDER, stream, code, event, context, call.if_match)
    name = f"{code}-{now:%Y%m%dT%H%M%S}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(made.text, media_type=FILE, headers=headers)


@router.post("/receipts")
async def import_receipts(code: Code, call: Subscriber, body: Receipts) -> Imported:
    """What the agency signed goes on record; a line that does not fit is named, the others count."""
    key = await _secret(call, code)
    try:
        found = exchange.receipts(key, body.lines, body.signature)
    except Forged:
        await put_on_record(call, code, "receipt")
        message = "not signed by this agency, or changed since / この機関の署名ではありません"
        raise bad_input("body.signature", message) from None
    call.need_whole()
    refused = [
        Refusal(line=n, reason=reason)
        for n, one in enumerate(found, 2)
        if (reason := await _taken(call, code, one))
    ]
    if any(one.reason in UNFIT for one in refused):
        await put_on_record(call, code, "line")
    return Imported(taken=len(found) - len(refused), refused=refused)


async def _secret(call: Call, code: str) -> bytes:
    past = await call.load(f"subscription/{code}")
    key = way.keyed(past.fold(way.DECIDER))
    return exchange.secret(call.rt.keys.index_key, code, key)


async def _taken(call: Call, code: str, given: dict[str, Any]) -> str | None:
    """Why not."""
    try:
        line = Line.model_validate(given)
    except ValidationError:
        return "unreadable"
    row = await of_handle(call.rt, code, line.handle)
    if not row:
        return "no-such-document"
    case = row["case_id"]
    matches = await compared(call.rt, code, case, line.document, line.digest)
    commands: list[disclosure.Command] = [
        disclosure.Acknowledge(line.document, line.grade, matches)
    ]
    if line.deleted or line.kept:
        commands.append(disclosure.ConfirmRetraction(line.document, line.kept))
    stream, context = f"disclosure/{code}/{case}", replace(call.context(), command=None)
    try:
        for command in commands:
            await call.rt.journal.handle(disclosure.DECIDER, stream, str(case), command, context)
    except Refused as refused:
        # Whoever has a new copy, or a correction, cannot know that there was nothing to give back.
        if refused.reason != "not-retracted" or line.kept:
            return refused.reason
    return "digest-mismatch" if matches is False else None
