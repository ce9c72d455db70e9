"""Messages between agencies on a case (連絡), with a receipt for the one who wrote."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.audit import content_free
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import MessageRead, MessageSent, PersonToldOf
from shared.http import Body, Call, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW, Past
from shared.problems import Problem, bad_input, not_found

from .. import worklist
from ..domain.message import DECIDER, Send
from .common import Agency, OnCase, OnCaseDep, all_known, worker
from .given import may_be_told, no_live_basis

router = APIRouter(route_class=Route)
CLASS = "life_history"


class NewMessage(Body):
    """`text` is about `person` only, or without one about the whole household; empty: the topic says all.
    `answers`: a message that the caller's agency received.
    """

    to: Agency
    topic: Annotated[str, *OneOf("message_topic")]
    person: UUID | None = None
    text: Text | None = None
    answers: UUID | None = None


class Reading(Body):
    pass


class Message(BaseModel):
    """`read_at`: when the addressee's first reader read it. `withheld`: there is a text, and no basis
    gives it to the caller's agency any more.
    """

    id: UUID
    version: int
    sent_at: datetime
    sender: str
    to: str
    topic: str | None
    person: UUID | None
    text: str | None
    withheld: bool
    answers: UUID | None
    read_at: datetime | None


class Unread(BaseModel):
    case: UUID
    message: UUID
    sender: str
    since: datetime


@router.post("/v1/cases/{id}/messages", status_code=201)
async def send(on: OnCaseDep, body: NewMessage) -> Receipt:
    """To the lead agency, or to another with standing that a live basis gives what is told (409
    otherwise, alike for an agency that has nothing to do with the case). The lead agency may send a
    topic without a text to whoever has standing.
    """
    id = uuid7()
    own: dict[str, Any] = {"message": id, "case": on.case}
    event = MessageSent(
        **own,
        to=body.to,
        topic=body.topic,
        text=None if body.person else body.text,
        answers=body.answers,
    )
    of_person = None
    if body.person and body.text:
        of_person = PersonToldOf(**own, person=body.person, text=body.text)

    async def check() -> None:
        all_known(on, [body.person] if body.person else [], "body.person")
        if body.to == on.call.who.agency:
            raise bad_input("body.to", "another agency / 他の機関を指定してください")
        if body.answers and not await _received(on, body.answers):
            raise bad_input("body.answers", "no message to you / 受け取った連絡ではありません")
        told = body.text is not None or on.call.who.agency != on.lead
        if not await on.stands(body.to) or (
            told and not await _may_be_told(on, body.to, on.call.who.agency, of_person)
        ):
            raise no_live_basis(on)

    return await on.call.handle(
        DECIDER,
        f"message/{id}",
        str(on.case),
        Send(event, of_person),
        body,
        check=check,
        location=f"/v1/cases/{on.case}/messages/{{id}}",
        past=NEW,
    )


@router.get("/v1/cases/{id}/messages")
async def list_messages(on: OnCaseDep) -> list[Message]:
    """Those that the caller's agency sent or received, the oldest first."""
    pasts = await on.streams("message")
    found = [await _shown(on, past) for past in pasts if await _between(on, past)]
    return sorted(found, key=lambda shown: (shown.sent_at, shown.id))


@router.get("/v1/cases/{id}/messages/{message}")
async def get_message(on: OnCaseDep, message: PathId) -> Message:
    past = await _load(on, message)
    on.call.shows(past.version)
    return await _shown(on, past)


@router.post("/v1/cases/{id}/messages/{message}/reading")
async def read(on: OnCaseDep, message: PathId, body: Reading) -> Receipt:
    """By the agency that it was sent to."""
    past = await _load(on, message)
    sent = _sent(past)
    if sent.to != on.call.who.agency:
        raise Problem("wrong-role")
    event = MessageRead(message=sent.message, case=on.case, reader=on.call.who.subject)
    stream = f"message/{sent.message}"
    return await on.call.handle(DECIDER, stream, str(on.case), event, body, past=past)


@router.get("/v1/messages")
@content_free
async def list_unread(call: Annotated[Call, Depends(worker)]) -> list[Unread]:
    """Messages that nobody of the caller's agency has read yet, the oldest first."""
    rows = await worklist.messages(call.rt, call.who.agency, call.who.subject)
    return [
        Unread(case=r["case_id"], message=r["id"], sender=r["sender"], since=r["sent_at"])
        for r in rows
    ]


def _sent(past: Past) -> MessageSent:
    event = past.events[0].event
    assert isinstance(event, MessageSent)
    return event


def _of_person(past: Past) -> PersonToldOf | None:
    return next((e.event for e in past.events if isinstance(e.event, PersonToldOf)), None)


def _subjects(on: OnCase, of_person: PersonToldOf | None) -> set[UUID]:
    return {of_person.person} if of_person else set(on.state.people)


async def _load(on: OnCase, id: str) -> Past:
    past = await on.call.load(f"message/{to_uuid(id)}")
    if not past.events or past.events[0].envelope.key != str(on.case):
        raise not_found()
    if not await _between(on, past):
        raise not_found()
    return past


async def _between(on: OnCase, past: Past) -> bool:
    """The caller's agency is one of the two, and both have standing now."""
    two = [past.events[0].envelope.agency, _sent(past).to]
    if on.call.who.agency not in two:
        return False
    (other,) = {*two} - {on.call.who.agency}
    return await on.stands(other)


async def _may_be_told(
    on: OnCase, agency: str, teller: str, of_person: PersonToldOf | None
) -> bool:
    return await may_be_told(on, agency, teller, CLASS, _subjects(on, of_person))


async def _received(on: OnCase, id: UUID) -> bool:
    past = await on.call.load(f"message/{id}")
    return bool(past.events) and (
        past.events[0].envelope.key == str(on.case) and _sent(past).to == on.call.who.agency
    )


async def _shown(on: OnCase, past: Past) -> Message:
    sent, first = _sent(past), past.events[0].envelope
    of_person, mine = _of_person(past), on.call.who.agency
    written = of_person.text if of_person else sent.text
    told = mine == first.agency or await _may_be_told(on, mine, first.agency, of_person)
    on.reads(past.events if told else ())
    reads = [e.envelope.at for e in past.events if isinstance(e.event, MessageRead)]
    return Message(
        id=sent.message,
        version=past.version,
        sent_at=first.at,
        sender=first.agency,
        to=sent.to,
        topic=readable(sent.topic),
        person=of_person.person if of_person else None,
        text=readable(written) if told else None,
        withheld=written is not None and not told,
        answers=sent.answers,
        read_at=reads[0] if reads else None,
    )
