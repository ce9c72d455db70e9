"""A task as it is shown: to whom its words are, who answers for it today, what became of it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from shared.contracts import Recorded, readable
from shared.contracts.meetings import TaskDueChanged, TaskReopened, TaskTerms
from shared.http import Call
from shared.journal import Past

from ..domain import task as tasks
from .on_task import OnTask, may_know

DATED = (TaskTerms, TaskDueChanged, TaskReopened)


class TaskLine(BaseModel):
    """`persons`: who of the caller's agency answers for it today, nobody: its desk; null: another agency's.
    `text`: null where another agency recorded it, or it belongs to a matter: views discloses it by a basis.
    """

    id: UUID
    meeting: UUID
    case: UUID
    host: str
    owner: str
    staff: str | None
    persons: list[str] | None
    subjects: list[UUID]
    due: date
    status: tasks.Status
    overdue: bool
    text: str | None
    version: int


class Change(BaseModel):
    """What became of it, oldest first; words as in a TaskLine."""

    type: str
    agency: str
    occurred_at: datetime
    due: date | None
    reason: str | None
    note: str | None


class TaskFile(TaskLine):
    changes: list[Change]


async def shown(call: Call, rows: Sequence[dict[str, Any]]) -> list[TaskLine]:
    """Rows of the worklist with what the journal holds of them."""
    of = {(row["host"], row["matter"]) for row in rows}
    known = {one for one in of if await may_know(call, *one)}
    there = [row for row in rows if (row["host"], row["matter"]) in known]
    pasts = await call.loads(*(f"task/{row['id']}" for row in there))
    return [_line(call, past, row["persons"]) for row, past in zip(there, pasts, strict=True)]


def whole(on: OnTask, persons: list[str]) -> TaskFile:
    line = _line(on.call, on.past, persons)
    return TaskFile(**line.model_dump(), changes=[_change(on, e) for e in on.past.events])


def _line(call: Call, past: Past, persons: list[str]) -> TaskLine:
    state: tasks.Task = past.fold(tasks.DECIDER)
    terms = state.terms
    assert terms is not None
    words = next(e for e in reversed(past.events) if isinstance(e.event, TaskTerms))
    return TaskLine(
        **terms.model_dump(include={"meeting", "case", "owner", "subjects"}),
        staff=state.staff,
        id=terms.task,
        host=past.events[0].envelope.agency,
        persons=persons if terms.owner == call.who.agency else None,
        due=state.due,
        status=state.status,
        overdue=state.overdue and state.status == "open",
        text=_words(call, words, "text"),
        version=past.version,
    )


def _change(on: OnTask, told: Recorded) -> Change:
    return Change(
        type=told.envelope.type.removeprefix("jp.tsunagu.task.").removesuffix(".v1"),
        agency=told.envelope.agency,
        occurred_at=told.envelope.occurred_at,
        due=told.event.due if isinstance(told.event, DATED) else None,
        reason=_words(on.call, told, "reason"),
        note=_words(on.call, told, "note"),
    )


def _words(call: Call, told: Recorded, field: str) -> str | None:
    """What the caller's agency wrote itself (L2), unless it is sealed to a matter (L12)."""
    own = told.envelope.agency == call.who.agency
    if not own or getattr(told.event, "matter", None):
        return None
    text: str | None = readable(getattr(told.event, field, None))
    return text
