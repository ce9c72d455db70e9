"""Receipts of agencies in three grades, compared with what was sent."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from shared.contracts.views import DocumentChanged
from shared.decider import Refused
from shared.http import Body, Receipt, Route
from shared.runtime import Runtime

from .. import account
from ..delivery import opened_again
from ..domain import disclosure
from ..domain.document import canonical, is_whole, mark, outward
from .common import Reader, held

router = APIRouter(route_class=Route)
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class NewReceipt(Body):
    """`digest`: SHA-256 of the document as the agency holds it (docs/how-to/subscribe.md)."""

    handle: UUID
    document: int = Field(ge=1, le=2**31 - 1)
    grade: Literal["delivered", "placed", "opened"]
    digest: Digest | None = None


@router.post("/v1/receipts")
async def add_receipt(call: Reader, body: NewReceipt) -> Receipt:
    """Delivered, placed in the agency's system, opened by a person; a repeat changes nothing.

    With another digest than that of what was sent it is refused (409 `digest-mismatch`), recorded,
    and the document is sent again.
    """
    on = await held(str(body.handle), call)
    matches = await compared(call.rt, call.who.agency, on.case, body.document, body.digest)
    command = disclosure.Acknowledge(body.document, body.grade, matches)
    if matches is not False:
        return await on.write(command, body)
    # Refused, so a repeat of its Idempotency-Key is looked at anew; and yet on record.
    call.need_whole()
    stream, key = f"disclosure/{call.who.agency}/{on.case}", str(on.case)
    context = replace(call.context(body.occurred_at), command=None)
    await call.rt.journal.handle(disclosure.DECIDER, stream, key, command, context)
    raise Refused("digest-mismatch", str(body.document))


async def compared(
    rt: Runtime, agency: str, case: UUID, document: int, digest: str | None
) -> bool | None:
    """Is it the digest of this document, as it was sent or as it is on record? None where there is nothing
    to compare with: no digest, no such document, or one that can no more be shown as it was.
    """
    if digest is None:
        return None
    given = mark(rt.keys.index_key, digest)
    number, sent = await account.sent_mark(rt, agency, case)
    if given == sent:
        return document == number  # the number is in what the digest is of
    past = await rt.journal.load(f"disclosure/{agency}/{case}")
    for recorded in past.events:
        event = recorded.event
        if isinstance(event, DocumentChanged) and event.document == document:
            shown = await opened_again(rt, agency, case, event, recorded.envelope.at)
            if given == mark(rt.keys.index_key, outward(canonical(shown))):
                return True
            return False if is_whole(rt.keys.index_key, shown, event.digest) else None
    return None
