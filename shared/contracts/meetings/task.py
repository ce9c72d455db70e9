"""What was promised at a sitting: who does what of a case by when, and what became of it."""

from datetime import date
from typing import Annotated

from ..event import AgencyCode, CaseId, Coded, Event, Id, People, Personal, S, Subject, event


class TaskEvent(Event):
    """In a stream of its own. `meeting` and `case`: at which sitting it was agreed, for whom."""

    TOPIC = "meetings"
    STREAM = "task"
    task: Id
    meeting: Id
    case: CaseId


class TaskTold(TaskEvent):
    """What has words. Empty `subjects` means the whole household; with a `matter` they are sealed to its
    body, as what it decides is (L12).
    """

    subjects: People = ()
    matter: Annotated[Id | None, S] = None


class TaskTerms(TaskTold):
    """`owner`, an agency that sat there, does it by `due`; `staff` of it took it on. Whoever works the case
    there answers for it, today and whoever that is.
    """

    text: Annotated[str, Personal("judgement")]
    owner: AgencyCode
    staff: Annotated[Subject | None, S] = None
    due: Annotated[date, S]


@event("task.agreed")
class TaskAgreed(TaskTerms):
    pass


@event("task.corrected")
class TaskCorrected(TaskTerms):
    """The whole of it as it should have been written, and why (L17): nothing of an earlier one stands."""

    reason: Annotated[str, Personal("judgement")]


@event("task.taken_on")
class TaskTakenOn(TaskEvent):
    """By somebody else of the agency that is to do it."""

    staff: Subject


@event("task.due_changed")
class TaskDueChanged(TaskTold):
    due: Annotated[date, S]
    reason: Annotated[str, Personal("judgement")]


@event("task.done")
class TaskDone(TaskTold):
    note: Annotated[str | None, Personal("judgement")] = None


@event("task.dropped")
class TaskDropped(TaskTold):
    """It is not to be done any more."""

    reason: Annotated[str, Coded("judgement")]
    note: Annotated[str | None, Personal("judgement")] = None


@event("task.reopened")
class TaskReopened(TaskTold):
    """It was reported done, or dropped, by mistake: what was said of that stands no more (L17)."""

    due: Annotated[date, S]
    reason: Annotated[str, Personal("judgement")]


@event("task.overdue")
class TaskOverdue(TaskEvent):
    """Written by the timer when its day is over."""
