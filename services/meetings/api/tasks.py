"""Tasks: who does what by when, agreed at a sitting for one case; the worklist of who answers for them."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from shared.contracts.codes import OneOf
from shared.contracts.meetings import TaskAgreed
from shared.http import Body, Limit, Page, Receipt, Route, Text
from shared.ids import uuid7
from shared.journal import NEW
from shared.problems import Problem, bad_input

from .. import tasks as worklist
from ..domain import sitting as sittings
from ..domain import task as tasks
from .agenda import on_decided
from .common import NO_ID, Agency, Day, StaffDep, Subject, once
from .on_meeting import OnMeeting, OnMeetingDep
from .on_task import (
    OnAgreedDep,
    OnOwnDep,
    OnTaskDep,
    begun,
    day_of,
    fits,
    not_before,
    not_blocked,
)
from .task_shown import TaskFile, TaskLine, shown, whole

router = APIRouter(route_class=Route)
FIRST = date.min, NO_ID


class Terms(Body):
    """`owner` sat at the sitting; `staff`: who of it took it on. Empty `subjects`: the whole household."""

    text: Text
    owner: Agency
    staff: Subject | None = None
    due: Day
    subjects: list[UUID] = Field([], max_length=20)

    def fields(self) -> dict[str, Any]:
        """As a TaskTerms has them."""
        named = self.model_dump(include={"text", "owner", "staff", "due"})
        return {**named, "subjects": once(self.subjects)}


class NewTask(Terms):
    case: UUID


class Correction(Terms):
    """The whole task as it should have been written."""

    reason: Text


class Taking(Body):
    """`staff` empty: the caller."""

    staff: Subject | None = None


class NewDue(Body):
    due: Day
    reason: Text


class Reopening(Body):
    """`due` empty: the day that it had."""

    reason: Text
    due: Day | None = None


class Completion(Body):
    note: Text | None = None


class Dropping(Body):
    reason: Annotated[str, *OneOf("task_dropped")]
    note: Text | None = None


@router.post("/v1/meetings/{id}/tasks", status_code=201)
async def agree(on: Annotated[OnMeeting, Depends(on_decided)], body: NewTask) -> Receipt:
    """By the host, for a case that stayed on the agenda, on the day of the sitting or afterwards."""
    call, task, item = on.call, uuid7(), on.item(body.case)
    agreed = TaskAgreed(
        task=task,
        meeting=on.id,
        case=body.case,
        matter=item.item.matter if item.item else None,
        **body.fields(),
    )

    async def check() -> None:
        not_before(body.due, day_of(call, body))
        await fits(call, on.past, item, body.subjects, body.owner, body.staff)

    return await call.handle(
        tasks.DECIDER,
        f"task/{task}",
        str(body.case),
        tasks.Agree(agreed, begun(on.state, day_of(call, body)), item.status),
        body,
        check=check,
        location="/v1/tasks/{id}",
        past=NEW,
    )


@router.get("/v1/meetings/{id}/tasks")
async def tasks_of_meeting(on: OnMeetingDep) -> list[TaskLine]:
    """All for the host; for others what their agency is to do. By day."""
    return await shown(on.call, await worklist.tasks_of(on.call.rt, on.call.who, on.id))


@router.get("/v1/tasks")
async def list_tasks(
    call: StaffDep,
    mine: bool = False,
    overdue: bool = False,
    after: Annotated[str | None, Query(max_length=60)] = None,
    limit: Limit = 50,
) -> Page[TaskLine]:
    """What the caller's agency is to do yet, by day. `mine`: in the cases that the caller works, or whose
    worker he stands in for today; where nobody works the case, what he took on himself.
    """
    rows = await worklist.open_tasks(call.rt, call.who, mine, overdue, _place(after), limit)
    more = f"{rows[-1]['due']}.{rows[-1]['id']}" if len(rows) == limit else None
    return Page(items=await shown(call, rows), next=more)


@router.get("/v1/tasks/{id}")
async def get_task(on: OnTaskDep) -> TaskFile:
    on.call.shows(on.past.version)
    persons = await worklist.answering(on.call.rt, on.terms.task)
    return whole(on, persons)


@router.post("/v1/tasks/{id}/correction")
async def correct(on: OnAgreedDep, body: Correction) -> Receipt:
    meeting = await on.call.load(f"meeting/{on.terms.meeting}")
    item = await on.call.load(f"sitting/{on.terms.meeting}/{on.terms.case}")

    async def check() -> None:
        agreed = on.past.events[0].envelope.occurred_at
        not_before(body.due, day_of(on.call, Body(occurred_at=agreed)))
        sat = item.fold(sittings.DECIDER)
        await fits(on.call, meeting, sat, body.subjects, body.owner, body.staff)

    return await on.write(tasks.Correct(body.fields(), body.reason), body, check=check)


@router.post("/v1/tasks/{id}/taking")
async def take_on(on: OnOwnDep, body: Taking) -> Receipt:
    """Within the agency that is to do it: by who takes it on, of another by a supervisor or coordinator. He
    answers for it where nobody works the case there.
    """
    call, staff = on.call, body.staff or on.call.who.subject
    if call.who.agency != on.terms.owner:
        raise Problem("wrong-role")
    if staff != call.who.subject:
        call.need("supervisor", "coordinator")

    async def check() -> None:
        await not_blocked(call, staff, on.terms.case)

    return await on.write(tasks.TakeOn(staff), body, check=check)


@router.post("/v1/tasks/{id}/due")
async def change_due(on: OnAgreedDep, body: NewDue) -> Receipt:
    async def check() -> None:
        not_before(body.due, day_of(on.call, body))

    return await on.write(tasks.ChangeDue(body.due, body.reason), body, check=check)


@router.post("/v1/tasks/{id}/completion")
async def finish(on: OnOwnDep, body: Completion) -> Receipt:
    return await on.write(tasks.Finish(body.note), body)


@router.post("/v1/tasks/{id}/dropping")
async def drop(on: OnAgreedDep, body: Dropping) -> Receipt:
    return await on.write(tasks.Drop(body.reason, body.note), body)


@router.post("/v1/tasks/{id}/reopening")
async def reopen(on: OnAgreedDep, body: Reopening) -> Receipt:
    """What was reported done, or dropped, by mistake."""

    async def check() -> None:
        if body.due:
            not_before(body.due, day_of(on.call, body))

    return await on.write(tasks.Reopen(body.reason, body.due), body, check=check)


def _place(after: str | None) -> tuple[date, UUID]:
    if after is None:
        return FIRST
    day, _, id = after.partition(".")
    try:
        return date.fromisoformat(day), UUID(id)
    except ValueError:
        raise bad_input(
            "query.after", "use `next` as it was sent / next をそのまま付けてください"
        ) from None
