"""Receipts of agencies in three grades, compared with what was sent."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from shared.decider import Refused
from shared.http import Body, Receipt, Route

from .. import account
from ..delivery import document_of
from ..domain import disclosure
from ..domain.document import canonical, mark, outward
from .common import Held, Reader, held

router = APIRouter(route_class=Route)


class NewReceipt(Body):
    """`digest`: SHA-256 of the document as the agency holds it (docs/how-to/subscribe.md)."""

    handle: UUID
    document: int = Field(ge=1, le=2**31 - 1)
    grade: Literal["delivered", "placed", "opened"]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


@router.post("/v1/receipts")
async def add_receipt(call: Reader, body: NewReceipt) -> Receipt:
    """Delivered, placed in the agency's system, opened by a person; a repeat changes nothing.

    With another digest than that of what was sent it is refused (409 `digest-mismatch`), recorded,
    and the document is sent again.
    """
    on = await held(str(body.handle), call)
    matches = await _matches(on, body.document, body.digest) if body.digest else None
    command = disclosure.Acknowledge(body.document, body.grade, matches)
    if matches is not False:
        return await on.write(command, body)
    # Refused, so a repeat of its Idempotency-Key is looked at anew; and yet on record.
    call.need_whole()
    stream, key = f"disclosure/{call.who.agency}/{on.case}", str(on.case)
    context = replace(call.context(body.occurred_at), command=None)
    await call.rt.journal.handle(disclosure.DECIDER, stream, key, command, context)
    raise Refused("digest-mismatch", str(body.document))


async def _matches(on: Held, document: int, digest: str) -> bool | None:
    """None for an older document: what it held is not kept."""
    rt, agency = on.call.rt, on.call.who.agency
    given = mark(rt.keys.index_key, digest)
    if given == await account.sent_mark(rt, agency, on.case):
        return True
    shown, recorded = await document_of(rt, agency, on.case)
    if recorded.document != document:
        return None
    return given == mark(rt.keys.index_key, outward(canonical(shown)))
