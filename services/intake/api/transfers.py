"""A worker's cases pass to successors in one act, each with its 引継書; effective at its date (April)."""

import asyncio
from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, model_validator

from shared.audit import content_free
from shared.blocks import blocked
from shared.calendar import TOKYO
from shared.contracts import readable
from shared.contracts.intake import (
    HandoverWritten,
    TransferAccepted,
    TransferDeclined,
    TransferProposed,
    TransferWithdrawn,
)
from shared.http import Body, Call, Caller, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW, Born
from shared.problems import Problem, bad_input, not_found

from .. import staffing, worklist
from ..domain import transfer
from .common import WORKERS, OnCase, Staff, names, standing, still_own, worker
from .line import contacts
from .own import OnOwn
from .page import page

router = APIRouter(route_class=Route)
OVERSEERS = ("supervisor", "coordinator")


class Handover(BaseModel):
    """One case; `text` is its 引継書."""

    case: UUID
    successor: Staff
    text: Text


class NewTransfer(Body):
    """`staff` empty: the caller. All open cases that he works have to be named, unless `partly`."""

    staff: Staff | None = None
    effective_on: date
    handovers: list[Handover] = Field(min_length=1, max_length=1000)
    partly: bool = False

    @model_validator(mode="after")
    def _each_once(self) -> "NewTransfer":
        named = [handover.case for handover in self.handovers]
        if len(named) != len(set(named)):
            raise ValueError("a case is named twice / 同じケースが二度あります")
        if not 1900 <= self.effective_on.year <= 2200:
            raise ValueError("must lie between 1900 and 2200 / 1900年から2200年までです")
        return self


class Acceptance(Body):
    pass


class Decline(Body):
    note: Text | None = None


class Withdrawal(Body):
    pass


class Part(BaseModel):
    case: UUID
    successor: str
    accepted: bool


class Transfer(BaseModel):
    """`cases`: those that are there for the caller. It takes effect when all successors have accepted,
    on its day or, if that is over, at once.
    """

    id: UUID
    version: int
    status: transfer.Status
    staff: str
    effective_at: datetime
    cases: list[Part]


class OnTransfer(OnOwn[transfer.Transfer, transfer.Command]):
    KIND, DECIDER = "transfer", transfer.DECIDER

    def concerned(self) -> bool:
        who = self.call.who
        mine = {self.state.staff, *self.state.successors.values()}
        return who.subject in mine or bool(who.roles.intersection(OVERSEERS))

    async def shown(self) -> Transfer:
        gone = await blocked(self.call.rt.reads, self.call.who, list(self.state.successors))
        return Transfer(
            id=self.id,
            version=self.past.version,
            status=self.state.status,
            staff=self.state.staff,
            effective_at=self.state.effective_at,
            cases=[
                Part(case=case, successor=who, accepted=who in self.state.accepted)
                for case, who in self.state.successors.items()
                if case not in gone
            ],
        )


async def on_transfer(id: PathId, call: Caller) -> OnTransfer:
    """For who hands over, who takes over, and who oversees, in that agency (404 elsewhere)."""
    found = to_uuid(id)
    on = OnTransfer(call, found, await call.load(f"transfer/{found}"))
    if on.state.agency != call.who.agency:
        raise not_found()
    call.need(*WORKERS)
    if not on.concerned():
        raise Problem("wrong-role")
    return on


OnTransferDep = Annotated[OnTransfer, Depends(on_transfer)]


@router.post("/v1/transfers", status_code=201)
async def propose(call: Annotated[Call, Depends(worker)], body: NewTransfer) -> Receipt:
    """One's own cases; another's by a supervisor or coordinator. With all 引継書 in one transaction."""
    id, staff = uuid7(), body.staff or call.who.subject
    if staff != call.who.subject:
        call.need(*OVERSEERS)
    event = TransferProposed(
        transfer=id,
        agency=call.who.agency,
        staff=staff,
        cases=tuple(handover.case for handover in body.handovers),
        successors=tuple(handover.successor for handover in body.handovers),
        effective_at=datetime.combine(body.effective_on, time(), TOKYO),
    )

    async def check() -> None:
        _fits(body, staff, await staffing.worked_by(call.rt, call.who.agency, staff))
        for n in await staffing.blocked_among(call.rt, call.who.agency, _pairs(body)):
            raise bad_input(
                f"body.handovers.{n}.successor", "blocked from this case / 担当から外されています"
            )

    return await call.handle(
        transfer.DECIDER,
        f"transfer/{id}",
        str(id),
        event,
        body,
        check=check,
        born=[_written(id, handover) for handover in body.handovers],
        location="/v1/transfers/{id}",
        past=NEW,
    )


@router.get("/v1/transfers")
@content_free
async def list_transfers(call: Annotated[Call, Depends(worker)]) -> list[Transfer]:
    """Those of the caller's agency that concern him and are not over, the next one first."""
    ids = await staffing.transfers(call.rt, call.who.agency)
    pasts = await call.loads(*(f"transfer/{id}" for id in ids))
    found = [OnTransfer(call, id, past) for id, past in zip(ids, pasts, strict=True)]
    return [await on.shown() for on in found if on.concerned()]


@router.get("/v1/transfers/{id}")
@content_free
async def get_transfer(on: OnTransferDep) -> Transfer:
    on.call.shows(on.past.version)
    return await on.shown()


@router.post("/v1/transfers/{id}/acceptance")
async def accept(on: OnTransferDep, body: Acceptance) -> Receipt:
    """By each successor; the last one's makes it take effect at its date."""
    event = TransferAccepted(transfer=on.id, successor=on.call.who.subject)
    return await on.write(event, body)


@router.post("/v1/transfers/{id}/decline")
async def decline(on: OnTransferDep, body: Decline) -> Receipt:
    event = TransferDeclined(transfer=on.id, successor=on.call.who.subject, note=body.note)
    return await on.write(event, body)


@router.post("/v1/transfers/{id}/withdrawal")
async def withdraw(on: OnTransferDep, body: Withdrawal) -> Receipt:
    """By who hands over, or who oversees."""
    if on.call.who.subject != on.state.staff:
        on.call.need(*OVERSEERS)
    return await on.write(TransferWithdrawn(transfer=on.id), body)


@router.get("/v1/transfers/{id}/print", response_class=HTMLResponse)
async def print_handovers(
    on: OnTransferDep, successor: Annotated[str | None, Query(max_length=120)] = None
) -> HTMLResponse:
    """The 引継書 as a page for A4 paper, of all cases or of one successor's; with what is still to do."""
    chosen = {c: who for c, who in on.state.successors.items() if successor in (None, who)}
    files = await asyncio.gather(*(_file(on.call, case) for case in chosen))
    there = [file for file in files if file]
    actions = await _actions(on.call, [file.case for file in there])
    cases = [
        {
            "id": file.case,
            "names": list(names(file).values()),
            "successor": chosen[file.case],
            "accepted": chosen[file.case] in on.state.accepted,
            "lead": file.state.lead,
            "text": await _text(on, file),
            "actions": actions.get(file.case, []),
        }
        for file in there
    ]
    return page(
        "handover.html",
        agency=on.state.agency,
        staff=on.state.staff,
        effective_at=on.state.effective_at,
        cases=cases,
        printed=on.call.now(),
        by=on.call.who.subject,
    )


def _fits(body: NewTransfer, staff: str, his: set[UUID]) -> None:
    for n, handover in enumerate(body.handovers):
        if handover.case not in his:
            text = "not an open case of that worker / 担当中のケースではありません"
            raise bad_input(f"body.handovers.{n}.case", text)
        if handover.successor == staff:
            raise bad_input(f"body.handovers.{n}.successor", "somebody else / 本人以外です")
    left = len(his) - len(body.handovers)
    if left and not body.partly:
        raise bad_input("body.handovers", f"{left} open cases are missing / {left}件が漏れています")


def _pairs(body: NewTransfer) -> list[tuple[UUID, str]]:
    return [(handover.case, handover.successor) for handover in body.handovers]


def _written(id: UUID, handover: Handover) -> Born:
    text = HandoverWritten(transfer=id, case=handover.case, text=handover.text)
    return f"handover/{id}/{handover.case}", str(handover.case), [text]


async def _file(call: Call, case: UUID) -> OnCase | None:
    """None: not there for the caller."""
    try:
        return await standing(call, case)
    except Problem as problem:
        if problem.slug != "not-found":
            raise
        return None


async def _text(on: OnTransfer, file: OnCase) -> str | None:
    past = await on.call.load(f"handover/{on.id}/{file.case}")
    file.reads(past.events)
    (written,) = (e.event for e in past.events if isinstance(e.event, HandoverWritten))
    text: str | None = readable(written.text)
    return text


async def _actions(call: Call, cases: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    rows = await worklist.actions_of(call.rt, call.who.agency, cases)
    pasts = await call.loads(*(f"record/{row['record']}" for row in rows))
    found: dict[UUID, list[dict[str, Any]]] = {}
    own = await still_own(call, pasts)
    for row, past, its in zip(rows, pasts, own, strict=True):
        if not its:
            continue
        call.reads(f"case/{row['case_id']}", "own_record", past.events, row["case_id"])
        text = readable(contacts(past)[-1][1].next_action)
        found.setdefault(row["case_id"], []).append({"on": row["due"], "text": text})
    return found
