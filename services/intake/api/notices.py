"""Notices-in (気になる人の連絡): from volunteers, businesses, alarm centres; and telephone memos of staff."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.contracts import ERASED, readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import CaseOpened, NoticeClosed, NoticeReceived, NoticeTaken
from shared.db import Connection
from shared.http import Body, Call, Caller, Line, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW, Past
from shared.problems import bad_input, not_found

from .. import disposal, view, worklist
from ..domain import notice as notices
from ..domain import watch as watches
from .at_once import at_once
from .common import WORKERS, Agency, OnCaseDep, blocked_from, stands_in, taken_on, worker
from .own import OnOwn
from .sheet import Phone

router = APIRouter(route_class=Route)
ROUTES = {
    "minsei": "minsei_neighbour",
    "neighbourhood": "minsei_neighbour",
    "citizen": "minsei_neighbour",
    "memo": "person_phone",
    "family": "family_phone",
    "council_member": "agency",
    "complaint": "person_phone",
}
"""Kind of notice → route of the case that begins with it; others are watch notices."""


class NewNotice(Body):
    """`to` empty: the caller's own agency, as a memo of a call, an enquiry or a complaint before there is a
    case. `watch`: the business or alarm unit of that agency's registry that it came from.
    """

    to: Agency | None = None
    kind: Annotated[str, *OneOf("notice_kind")]
    sender: Line | None = None
    phone: Phone | None = None
    about: Line | None = None
    place: Line | None = None
    text: Text
    watch: UUID | None = None


class Taking(Body):
    """Into this case; empty: into a new one."""

    case: UUID | None = None


class Closing(Body):
    reason: Annotated[str, *OneOf("notice_closing")]
    note: Text | None = None


class NoticeReceipt(BaseModel):
    """All that a sender ever learns of its notice (L10)."""

    id: UUID
    status: Literal["received"] = "received"
    received_at: datetime


class Notice(BaseModel):
    """For the agency that was asked to look. `waiting_hours`: since it came, None once it is dealt with.
    Of one that was disposed of nothing is told but that it was there.
    """

    id: UUID
    version: int
    status: notices.Status
    received_at: datetime
    waiting_hours: int | None
    sent_by: str
    case: UUID | None
    kind: str | None
    sender: str | None
    phone: str | None
    about: str | None
    place: str | None
    text: str | None
    watch: UUID | None


class OnNotice(OnOwn[notices.Notice, notices.Command]):
    KIND, DECIDER = "notice", notices.DECIDER


async def on_notice(id: PathId, call: Caller) -> OnNotice:
    """For a worker of the agency that was asked (404 otherwise)."""
    found = to_uuid(id)
    on = OnNotice(call, found, await call.load(f"notice/{found}"))
    if on.state.to != call.who.agency:
        raise not_found()
    if on.state.case and await blocked_from(call, on.state.case):
        raise not_found()
    call.need(*WORKERS)
    return on


OnNoticeDep = Annotated[OnNotice, Depends(on_notice)]


@router.post("/v1/notices", status_code=201)
async def send(call: Caller, body: NewNotice) -> Receipt:
    call.need("notice_sender", *WORKERS)
    id, to = uuid7(), body.to or call.who.agency
    if body.to is None and not call.who.roles.intersection(WORKERS):
        raise bad_input("body.to", "name the agency that is to look / 宛先の機関を指定してください")
    fields = body.model_dump(exclude={"to", "occurred_at"})

    async def check() -> None:
        if body.to and body.to not in (await view.the_world(call.rt)).agencies:
            raise bad_input("body.to", "not in the directory / 機関一覧にありません")
        if body.watch and await _keeper(call, body.watch) != to:
            raise bad_input("body.watch", "not in the registry / 宛先の台帳にありません")

    return await call.handle(
        notices.DECIDER,
        f"notice/{id}",
        str(id),
        NoticeReceived(notice=id, to=to, **fields),
        body,
        check=check,
        location="/v1/notices/{id}",
        past=NEW,
    )


@router.get("/v1/notices")
async def list_notices(call: Annotated[Call, Depends(worker)]) -> list[Notice]:
    """Those that wait for the caller's agency, the oldest first."""
    ids = await worklist.notices(call.rt, call.who.agency)
    return await _shown(call, ids)


@router.get("/v1/notices/{id}")
async def get_notice(id: PathId, call: Caller) -> Notice | NoticeReceipt:
    """For the agency that was asked; its sender sees that it was received, and nothing else (L10)."""
    found = to_uuid(id)
    past = await call.load(f"notice/{found}")
    if not past.events:
        raise not_found()
    first, who = past.events[0].envelope, call.who
    state: notices.Notice = past.fold(notices.DECIDER)
    if state.to == who.agency and state.case and await blocked_from(call, state.case):
        raise not_found()
    if state.to == who.agency and who.roles.intersection(WORKERS):
        call.shows(past.version)
        call.reads(past.events[0].envelope.stream, "addressee", past.events)
        return _notice(call, past)
    if first.agency != who.agency:
        raise not_found()
    call.need("notice_sender", *WORKERS)
    call.reads(f"notice/{found}", "sender")
    return NoticeReceipt(id=found, received_at=first.at)


@router.post("/v1/notices/{id}/taking")
async def take(on: OnNoticeDep, body: Taking) -> Receipt:
    """Into a case in which the caller's agency has standing, or into a new one, which begins in the
    same transaction with its route and reporter; the notice then says which.
    """
    if body.case:
        return await _into(on, body.case, body)
    case = uuid7()
    opening = (f"case/{case}", str(case), [_opening(on, case)])
    taken = NoticeTaken(notice=on.id, into=case)
    return await on.write(taken, body, born=[opening, taken_on(on.call, case)])


@router.post("/v1/notices/{id}/closing")
async def close(on: OnNoticeDep, body: Closing) -> Receipt:
    event = NoticeClosed(notice=on.id, reason=body.reason, note=body.note)
    return await on.write(event, body)


@router.get("/v1/cases/{id}/notices")
async def notices_of_case(on: OnCaseDep) -> list[Notice]:
    """Notices that the caller's agency took into the case."""
    return await _shown(on.call, await worklist.notices_of(on.call.rt, on.case, on.call.who.agency))


async def _into(on: OnNotice, case: UUID, body: Taking) -> Receipt:
    call, there = on.call, await stands_in(on.call, case)

    async def write(db: Connection) -> Receipt:
        async def check() -> None:
            if there is None:
                raise bad_input("body.case", "not a case of yours / 担当するケースではありません")
            await disposal.kept(call.rt, db, [case])

        taken = NoticeTaken(notice=on.id, into=case)
        stream, key = f"notice/{on.id}", str(on.id)
        return await call.handle(notices.DECIDER, stream, key, taken, body, check=check, db=db)

    return await at_once(call, body, disposal.BEFORE, write)


async def _shown(call: Call, ids: list[UUID]) -> list[Notice]:
    pasts = await call.loads(*(f"notice/{id}" for id in ids))
    for past in pasts:
        call.reads(past.events[0].envelope.stream, "addressee", past.events)
    return [_notice(call, past) for past in pasts]


async def _keeper(call: Call, watch: UUID) -> str:
    """The agency in whose registry it is; empty if it is in none."""
    found: watches.Watch = (await call.load(f"watch/{watch}")).fold(watches.DECIDER)
    return found.agency


def _received(past: Past) -> NoticeReceived:
    event = past.events[0].event
    assert isinstance(event, NoticeReceived)
    return event


def _opening(on: OnNotice, case: UUID) -> CaseOpened:
    received = _received(on.past)
    return CaseOpened(
        case=case,
        household=uuid7(),
        lead=on.call.who.agency,
        route=ROUTES.get(received.kind, "watch_notice"),
        reporter=readable(received.sender),
    )


def _notice(call: Call, past: Past) -> Notice:
    state: notices.Notice = past.fold(notices.DECIDER)
    first, received = past.events[0].envelope, _received(past)
    hours = int((call.now() - first.at).total_seconds() // 3600)
    values = received.model_dump(
        include={"kind", "sender", "phone", "about", "place", "text", "watch"}
    )
    if values["text"] is ERASED:
        values = dict.fromkeys(values)
    return Notice(
        id=received.notice,
        version=past.version,
        status=state.status,
        received_at=first.at,
        waiting_hours=hours if state.status == "received" else None,
        sent_by=first.agency,
        case=state.case,
        **{name: readable(value) for name, value in values.items()},
    )
