"""Files of a case: signed consents, certificates, photographs; sealed, and gone with the key."""

import asyncio
import binascii
import hashlib
import os
from base64 import b64decode
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from shared.contracts import Unreadable, readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import AttachmentAdded, AttachmentRemoved, MediaType
from shared.http import Body, Line, PathId, Receipt, Route, Text
from shared.ids import uuid7
from shared.journal import ALONE, NEW, Beside, Past
from shared.problems import bad_input, not_found
from shared.runtime import Runtime
from shared.sealing import ErasedKey

from ..domain import attachment, files
from ..domain.pictures import NotAFile
from . import joint
from .common import OnCase, OnCaseDep, all_known

router = APIRouter(route_class=Route)
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}
KEEP = "kept as (insert into attachment (id, case_id, content) values ($25, $26, $27)),"
CONTENT = "select content from attachment where id = $1"
DROP = "dropped as (delete from attachment where id = $25),"


def _decoded(value: Any) -> bytes:
    try:
        found = b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("not base64 / base64 ではありません。") from None
    if not 0 < len(found) <= files.LARGEST:
        raise ValueError(files.TOO_LARGE)
    return found


Content = Annotated[
    bytes,
    BeforeValidator(_decoded),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class NewAttachment(Body):
    """`person`: whose it is, so that it goes with his data; empty: the household's. `media_type` is
    what the sender believes; the content decides.
    """

    person: UUID | None = None
    record: UUID | None = None
    kind: Annotated[str, *OneOf("attachment_kind")]
    title: Line | None = None
    media_type: MediaType
    content: Content


class Removal(Body):
    reason: Text


class AttachmentLine(BaseModel):
    id: UUID
    at: datetime
    recorded_by: str
    person: UUID | None
    record: UUID | None
    kind: str | None
    title: str | None
    media_type: str
    size: int
    removed: bool


class OnAttachment:
    """A file that the caller sees of a case, or of one that goes on with it (404 otherwise)."""

    def __init__(self, on: OnCase, id: UUID, past: Past) -> None:
        self.on, self.id, self.past = on, id, past
        self.added = _added(past)

    async def write(
        self, command: attachment.Command, body: Body, beside: Beside = ALONE
    ) -> Receipt:
        return await self.on.call.handle(
            attachment.DECIDER,
            f"attachment/{self.id}",
            str(self.on.case),
            command,
            body,
            past=self.past,
            beside=beside,
        )


async def on_attachment(on: OnCaseDep, attachment: PathId) -> OnAttachment:
    return OnAttachment(*await joint.within(on, "attachment", attachment))


OnAttachmentDep = Annotated[OnAttachment, Depends(on_attachment)]


@router.post("/v1/cases/{id}/attachments", status_code=201)
async def add_attachment(on: OnCaseDep, body: NewAttachment) -> Receipt:
    id, rt = uuid7(), on.call.rt
    try:
        media_type, content = await asyncio.to_thread(files.recognised, body.content)
    except NotAFile as problem:
        raise bad_input("body.content", str(problem)) from None
    if media_type != body.media_type:
        raise bad_input(
            "body.media_type",
            f"the content is {media_type} / 内容は {media_type} で、種類と一致しません。",
        )
    if body.person:
        all_known(on, [body.person], "body.person")
    if body.record:
        line = await on.call.load(f"record/{body.record}")
        if not line.events or line.events[0].envelope.key != str(on.case):
            raise bad_input(
                "body.record", "not a record of this case / このケースの記録ではありません。"
            )
    sealed = await _sealed(rt, id, _key_id(on.case, body.person), content)
    event = AttachmentAdded(
        attachment=id,
        case=on.case,
        media_type=media_type,
        size=len(content),
        digest=hashlib.sha256(sealed).hexdigest(),
        **body.model_dump(include={"person", "record", "kind", "title"}),
    )
    return await on.call.handle(
        attachment.DECIDER,
        f"attachment/{id}",
        str(on.case),
        event,
        body,
        location=f"/v1/cases/{on.case}/attachments/{{id}}",
        past=NEW,
        beside=Beside(KEEP, [id, on.case, sealed]),
    )


@router.get("/v1/cases/{id}/attachments")
async def list_attachments(on: OnCaseDep) -> list[AttachmentLine]:
    """Those too of the cases that go on with this one."""
    return [line for file in await joint.files(on) for line in await _of(file)]


async def _of(on: OnCase) -> list[AttachmentLine]:
    seen = [past for past in await on.streams("attachment") if on.sees(past.events[0])]
    on.reads(e for past in seen for e in past.events)
    return [_line(past) for past in seen]


@router.get("/v1/cases/{id}/attachments/{attachment}", response_class=Response)
async def get_attachment(at: OnAttachmentDep) -> Response:
    """The file. 404 where it was removed, or erased with the person's data."""
    rt = at.on.call.rt
    sealed = await rt.pool.fetchval(CONTENT, at.id)
    key_id = _key_id(at.added.case, at.added.person)
    key = (await rt.keyring.fetch([key_id]))[key_id]
    if sealed is None or isinstance(key, Unreadable):
        raise not_found()
    name = f"{at.id}.{ENDINGS[at.added.media_type]}"
    return Response(
        key.decrypt(sealed[:12], sealed[12:], _bound(at.id, key_id)),
        media_type=at.added.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.post("/v1/cases/{id}/attachments/{attachment}/removal")
async def remove_attachment(at: OnAttachmentDep, body: Removal) -> Receipt:
    """By the agency that added it, or the lead agency."""
    event = AttachmentRemoved(attachment=at.id, case=at.on.case, reason=body.reason)
    return await at.write(event, body, Beside(DROP, [at.id]))


def _key_id(case: UUID, person: UUID | None) -> str:
    return f"person/{person}" if person else f"text/{case}"


def _bound(id: UUID, key_id: str) -> bytes:
    return f"attachment\x1f{id}\x1f{key_id}".encode()


async def _sealed(rt: Runtime, id: UUID, key_id: str, content: bytes) -> bytes:
    key = (await rt.keyring.fetch([key_id], make=True))[key_id]
    if isinstance(key, Unreadable):
        raise ErasedKey
    nonce = os.urandom(12)
    return nonce + key.encrypt(nonce, content, _bound(id, key_id))


def _added(past: Past) -> AttachmentAdded:
    event = past.events[0].event
    assert isinstance(event, AttachmentAdded)
    return event


def _line(past: Past) -> AttachmentLine:
    added, envelope = _added(past), past.events[0].envelope
    return AttachmentLine(
        id=added.attachment,
        at=envelope.at,
        recorded_by=envelope.agency,
        person=added.person,
        record=added.record,
        kind=readable(added.kind),
        title=readable(added.title),
        media_type=added.media_type,
        size=added.size,
        removed=past.fold(attachment.DECIDER) == "removed",
    )
