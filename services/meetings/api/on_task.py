"""A call on one task: who stands in it, how it is written, who may be asked to do it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from shared.auth import Principal
from shared.blocks import blocked
from shared.calendar import TOKYO
from shared.contracts.meetings import MeetingHeld, TaskTerms
from shared.http import Body, Call, Caller, PathId, Receipt, to_uuid
from shared.journal import Past
from shared.problems import Problem, bad_input, not_found

from ..domain import meeting as meetings
from ..domain import sitting as sittings
from ..domain import task as tasks
from .common import HOSTS, STAFF, WORKERS, Check
from .on_matter import load_matter
from .on_meeting import ONLY_HOST


@dataclass
class OnTask:
    """A call on a task. `terms`: as they stand now."""

    call: Call
    past: Past
    state: tasks.Task
    terms: TaskTerms

    @property
    def host(self) -> str:
        return self.past.events[0].envelope.agency

    @property
    def hosting(self) -> bool:
        return self.call.who.agency == self.host

    async def write(
        self, command: tasks.Command, body: Body, check: Check | None = None
    ) -> Receipt:
        stream, key = f"task/{self.terms.task}", str(self.terms.case)
        return await self.call.handle(
            tasks.DECIDER, stream, key, command, body, past=self.past, check=check
        )


async def on_task(id: PathId, call: Caller) -> OnTask:
    """For the host that agreed it and the agency that is to do it (404 elsewhere)."""
    past = await call.load(f"task/{to_uuid(id)}")
    state: tasks.Task = past.fold(tasks.DECIDER)
    if state.terms is None:
        raise not_found()
    on = OnTask(call, past, state, state.terms)
    there = call.who.agency in (on.host, on.terms.owner)
    if not there or await blocked(call.rt.reads, call.who, [on.terms.case]):
        raise not_found()
    if not await may_know(call, on.host, on.terms.matter):
        raise not_found()
    call.need(*STAFF)
    return on


async def on_agreed_task(on: Annotated[OnTask, Depends(on_task)]) -> OnTask:
    if not on.hosting:
        raise Problem("wrong-role", detail=ONLY_HOST)
    on.call.need(*HOSTS)
    return on


async def on_own_task(on: Annotated[OnTask, Depends(on_task)]) -> OnTask:
    """Any worker of the agency that is to do it; of the host, who agrees tasks."""
    own = on.call.who.agency == on.terms.owner
    on.call.need(*(WORKERS if own else HOSTS))
    return on


OnTaskDep = Annotated[OnTask, Depends(on_task)]
OnAgreedDep = Annotated[OnTask, Depends(on_agreed_task)]
OnOwnDep = Annotated[OnTask, Depends(on_own_task)]


async def may_know(call: Call, host: str, matter: UUID | None) -> bool:
    """What was agreed on a matter is there for the host, and for who stands in the matter (L5)."""
    if matter is None or call.who.agency == host:
        return True
    found = await load_matter(call, matter)
    return found is not None and found.stands()


async def fits(
    call: Call,
    meeting: Past,
    item: sittings.Sitting,
    subjects: Iterable[UUID],
    owner: str,
    staff: str | None,
) -> None:
    """422: not a person of the item, an agency that did not sit there, one of one's own who is blocked."""
    known = item.item
    if known is None:
        return
    if set(subjects) - set(known.subjects):
        raise bad_input("body.subjects", "not a person of this item / この議題の人ではありません")
    if owner not in await _sat(call, meeting, known.matter):
        text = "did not sit there / この会議に出席した機関ではありません"
        raise bad_input("body.owner", text)
    if staff and owner == call.who.agency:
        await not_blocked(call, staff, known.case)


async def not_blocked(call: Call, staff: str, case: UUID) -> None:
    """422 for one of the caller's own agency who is (L23)."""
    his = Principal(staff, call.who.agency, frozenset())
    if await blocked(call.rt.reads, his, [case]):
        raise bad_input("body.staff", "blocked from this case / 担当から外されています")


async def _sat(call: Call, meeting: Past, matter: UUID | None) -> set[str]:
    """Who is, or was, at the table: of a matter nobody but who was called for it (L5)."""
    state: meetings.Meeting = meeting.fold(meetings.DECIDER)
    if state.convened is None:
        return set()
    held = next((e.event for e in meeting.events if isinstance(e.event, MeetingHeld)), None)
    here = {state.convened.host, *(held.attended if held else state.convened.invited)}
    if matter is None:
        return here
    on = await load_matter(call, matter)
    return here & {state.convened.host, on.submitter, *on.called_agencies()} if on else set()


def day_of(call: Call, body: Body) -> date:
    """On which it happened, in Tokyo."""
    return (body.occurred_at or call.now()).astimezone(TOKYO).date()


def not_before(due: date, day: date) -> None:
    if due < day:
        raise bad_input("body.due", "lies before that day / その日より前の日付です")


def begun(meeting: meetings.Meeting, today: date) -> str:
    """The status of a meeting for what is agreed at it: it sits on its day, though nobody said so yet."""
    sits = meeting.convened and meeting.convened.planned_on <= today
    return "begun" if sits and meeting.status == "planned" else meeting.status
