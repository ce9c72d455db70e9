"""Who of an agency's staff works a case, who must not (L23), and who stands in for whom."""

from datetime import date
from typing import Annotated

from ..event import AgencyCode, CaseId, Coded, Event, Id, Personal, S, Subject, event


class AssignmentEvent(Event):
    """One stream for each agency and case: `assignment/<agency>/<case>`."""

    TOPIC = "intake"
    STREAM = "assignment"
    case: CaseId
    agency: AgencyCode
    staff: Subject


@event("assignment.assigned")
class StaffAssigned(AssignmentEvent):
    """From here on `staff` works the case (担当者)."""


@event("assignment.relieved")
class StaffRelieved(AssignmentEvent):
    pass


@event("assignment.blocked")
class StaffBlocked(AssignmentEvent):
    """`staff` is near to the people of the case: for him it is not there, whatever his role."""

    reason: Annotated[str, Coded("judgement")]
    note: Annotated[str | None, Personal("judgement")] = None


@event("assignment.unblocked")
class StaffUnblocked(AssignmentEvent):
    pass


class DeputyshipEvent(Event):
    TOPIC = "intake"
    STREAM = "deputyship"
    deputyship: Id


@event("deputyship.begun")
class DeputyNamed(DeputyshipEvent):
    """`deputy` looks after the cases of `staff`, both days included, days of Tokyo."""

    agency: AgencyCode
    staff: Subject
    deputy: Subject
    begins: Annotated[date, S]
    until: Annotated[date, S]


@event("deputyship.ended")
class DeputyEnded(DeputyshipEvent):
    """Before its last day."""
