"""What was promised at a sitting: agreed for one case, due on a day, done or dropped."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from shared.contracts import Event
from shared.contracts.meetings import (
    TaskAgreed,
    TaskCorrected,
    TaskDone,
    TaskDropped,
    TaskDueChanged,
    TaskOverdue,
    TaskReopened,
    TaskTakenOn,
    TaskTerms,
)
from shared.decider import Decider, Refused

from .meeting import refusal

Status = Literal["none", "open", "done", "dropped"]


@dataclass(frozen=True)
class Task:
    """`terms`: as last agreed or corrected; `due` and `staff`, who took it on: as last changed."""

    status: Status = "none"
    terms: TaskTerms | None = None
    due: date = date.max
    staff: str | None = None
    overdue: bool = False


@dataclass(frozen=True)
class Agree:
    """`meeting`: its status, "begun" on its day and after, until it is held; `item`: the case's there."""

    agreed: TaskAgreed
    meeting: str
    item: str


@dataclass(frozen=True)
class Correct:
    """`terms`: fields of a TaskTerms."""

    terms: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class TakeOn:
    staff: str


@dataclass(frozen=True)
class ChangeDue:
    due: date
    reason: str


@dataclass(frozen=True)
class Finish:
    note: str | None = None


@dataclass(frozen=True)
class Drop:
    reason: str
    note: str | None = None


@dataclass(frozen=True)
class Reopen:
    """`due` None: as it was."""

    reason: str
    due: date | None = None


@dataclass(frozen=True)
class MarkOverdue:
    """Of the timer."""


Command = Agree | Correct | TakeOn | ChangeDue | Finish | Drop | Reopen | MarkOverdue
ALLOWED: dict[str, tuple[str, ...]] = {
    "none": (),
    "open": ("correction", "taking", "due", "completion", "dropping"),
    "done": ("correction", "reopening"),
    "dropped": ("correction", "reopening"),
}


def decide(state: Task, command: Command) -> list[Event]:
    if isinstance(command, Agree) and state.terms is None:
        if command.meeting not in ("begun", "held"):
            raise refusal(command.meeting)
        if command.item != "added":
            raise Refused(f"item-is-{command.item}", command.item, ())
        return [command.agreed]
    refused = Refused(f"task-is-{state.status}", state.status, ALLOWED[state.status])
    if state.terms is None or isinstance(command, Agree):
        raise refused
    terms = state.terms
    ids = {"task": terms.task, "meeting": terms.meeting, "case": terms.case}
    told: dict[str, Any] = {**ids, "subjects": terms.subjects, "matter": terms.matter}
    match command:
        case Correct(fields, reason):
            return [TaskCorrected(**{**told, **fields}, reason=reason)]
        case Reopen(reason, due) if state.status != "open":
            return [TaskReopened(**told, due=due or state.due, reason=reason)]
        case _ if state.status != "open" or isinstance(command, Reopen):
            raise refused
        case TakeOn(staff):
            return [TaskTakenOn(**ids, staff=staff)] if staff != state.staff else []
        case ChangeDue(due, reason):
            return [TaskDueChanged(**told, due=due, reason=reason)] if due != state.due else []
        case Finish(note):
            return [TaskDone(**told, note=note)]
        case Drop(reason, note):
            return [TaskDropped(**told, reason=reason, note=note)]
        case MarkOverdue():
            return [] if state.overdue else [TaskOverdue(**ids)]


def evolve(state: Task, event: Event) -> Task:
    match event:
        case TaskAgreed(due=due, staff=staff) | TaskCorrected(due=due, staff=staff):
            status: Status = "open" if state.status == "none" else state.status
            return Task(status, event, due, staff, state.overdue and due == state.due)
        case TaskTakenOn(staff=staff):
            return replace(state, staff=staff)
        case TaskDueChanged(due=due):
            return replace(state, due=due, overdue=False)
        case TaskDone():
            return replace(state, status="done")
        case TaskDropped():
            return replace(state, status="dropped")
        case TaskReopened(due=due):
            return replace(state, status="open", due=due, overdue=False)
        case TaskOverdue():
            return replace(state, overdue=True)
        case _:
            return state


DECIDER = Decider(Task(), decide, evolve)
