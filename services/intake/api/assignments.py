"""Inside an agency (L23): who works a case, who must not, and who stands in for whom."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, model_validator

from shared.audit import content_free
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    AssignmentEvent,
    DeputyEnded,
    DeputyNamed,
    StaffAssigned,
    StaffBlocked,
    StaffRelieved,
    StaffUnblocked,
)
from shared.http import Body, Call, Caller, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW
from shared.problems import bad_input, not_found

from .. import staffing
from ..domain import assignment
from .common import WORKERS, OnCase, OnCaseDep, Staff, assignment_of, worker

router = APIRouter(route_class=Route)


class Assigning(Body):
    staff: Staff


class Blocking(Body):
    staff: Staff
    reason: Annotated[str, *OneOf("block_reason")]
    note: Text | None = None


class StaffOnCase(BaseModel):
    """Of the caller's agency. `blocked` is for a supervisor: it tells who is near to the household."""

    version: int
    assigned: list[str]
    blocked: list[str] | None


class NewDeputyship(Body):
    """Both days included. `staff` empty: the caller."""

    staff: Staff | None = None
    deputy: Staff
    begins: date
    until: date

    @model_validator(mode="after")
    def _in_order(self) -> "NewDeputyship":
        if self.until < self.begins:
            raise ValueError("until lies before begins / 終わりの日が始まりの日より前です")
        return self


class Ending(Body):
    pass


class Deputyship(BaseModel):
    id: UUID
    staff: str
    deputy: str
    begins: date
    until: date


@router.get("/v1/cases/{id}/assignments")
async def get_assignments(on: OnCaseDep) -> StaffOnCase:
    on.call.shows(on.staff_past.version)
    supervises = "supervisor" in on.call.who.roles
    return StaffOnCase(
        version=on.staff_past.version,
        assigned=sorted(on.staff.assigned),
        blocked=sorted(on.staff.blocked) if supervises else None,
    )


@router.post("/v1/cases/{id}/assignments")
async def assign(on: OnCaseDep, body: Assigning) -> Receipt:
    return await _write(on, StaffAssigned(**_of(on, body.staff)), body)


@router.post("/v1/cases/{id}/assignments/relief")
async def relieve(on: OnCaseDep, body: Assigning) -> Receipt:
    return await _write(on, StaffRelieved(**_of(on, body.staff)), body)


@router.post("/v1/cases/{id}/blocks")
async def block(on: OnCaseDep, body: Blocking) -> Receipt:
    """By any worker, of himself too: a relative, a neighbour. From here on the case is not there for
    the one who is blocked, whatever his role (404), and he is relieved of it.
    """
    event = StaffBlocked(**_of(on, body.staff), reason=body.reason, note=body.note)
    return await _write(on, event, body)


@router.post("/v1/cases/{id}/blocks/lifting")
async def lift(on: OnCaseDep, body: Assigning) -> Receipt:
    on.call.need("supervisor")
    return await _write(on, StaffUnblocked(**_of(on, body.staff)), body)


@router.post("/v1/deputyships", status_code=201)
async def name_deputy(call: Annotated[Call, Depends(worker)], body: NewDeputyship) -> Receipt:
    """One's own deputy; for somebody else by a supervisor or coordinator."""
    id, staff = uuid7(), body.staff or call.who.subject
    if staff != call.who.subject:
        call.need("supervisor", "coordinator")
    event = DeputyNamed(
        deputyship=id,
        agency=call.who.agency,
        staff=staff,
        **body.model_dump(include={"deputy", "begins", "until"}),
    )

    async def check() -> None:
        if body.deputy == staff:
            raise bad_input("body.deputy", "somebody else / 本人以外を指定してください")

    return await call.handle(
        assignment.DEPUTYSHIP,
        f"deputyship/{id}",
        str(id),
        event,
        body,
        check=check,
        location="/v1/deputyships/{id}",
        past=NEW,
    )


@router.get("/v1/deputyships")
@content_free
async def list_deputyships(call: Annotated[Call, Depends(worker)]) -> list[Deputyship]:
    """Of the caller's agency, those that are not over yet."""
    rows = await staffing.deputyships(call.rt, call.who.agency)
    return [Deputyship.model_validate(row) for row in rows]


@router.post("/v1/deputyships/{id}/ending")
async def end_deputyship(id: PathId, call: Caller, body: Ending) -> Receipt:
    found = to_uuid(id)
    past = await call.load(f"deputyship/{found}")
    state: assignment.Deputyship = past.fold(assignment.DEPUTYSHIP)
    if state.agency != call.who.agency:
        raise not_found()
    call.need(*WORKERS)
    if call.who.subject not in (state.staff, state.deputy):
        call.need("supervisor", "coordinator")
    return await call.handle(
        assignment.DEPUTYSHIP,
        f"deputyship/{found}",
        str(found),
        DeputyEnded(deputyship=found),
        body,
        past=past,
    )


def _of(on: OnCase, staff: str) -> dict[str, Any]:
    return {"case": on.case, "agency": on.call.who.agency, "staff": staff}


async def _write(on: OnCase, command: AssignmentEvent, body: Body) -> Receipt:
    stream = assignment_of(on.call, on.case)
    return await on.call.handle(
        assignment.DECIDER, stream, str(on.case), command, body, past=on.staff_past
    )
