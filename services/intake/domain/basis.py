"""A basis other than consent: urgent protection (L7) or a ground of the table (L8); ends once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.calendar import TOKYO, working
from shared.contracts import Event
from shared.contracts.grounds import urgent_days, urgent_review_hours
from shared.contracts.intake import (
    BasisEnded,
    BasisExpired,
    BasisReviewed,
    BasisReviewOverdue,
    GroundRecorded,
    UrgentAsserted,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Basis:
    """`status`: none, urgent, ground or ended. `reviewed`: an urgent one is looked at once."""

    status: str = "none"
    case: UUID | None = None
    basis: UUID | None = None
    reviewed: bool = False
    overdue: bool = False


@dataclass(frozen=True)
class Review:
    note: str | None = None


@dataclass(frozen=True)
class MissReview:
    pass


@dataclass(frozen=True)
class End:
    note: str | None = None


@dataclass(frozen=True)
class Expire:
    pass


Command = UrgentAsserted | GroundRecorded | Review | MissReview | End | Expire
ALLOWED = {"none": (), "urgent": ("review", "ending"), "ground": ("ending",), "ended": ()}


def decide(state: Basis, command: Command) -> list[Event]:
    if state.status == "none" and isinstance(command, UrgentAsserted | GroundRecorded):
        return [command]
    if state.status in ("none", "ended") or state.case is None or state.basis is None:
        raise Refused(f"basis-is-{state.status}", state.status, ALLOWED[state.status])
    case, basis = state.case, state.basis
    match command:
        case Review(note) if state.status == "urgent" and not state.reviewed:
            return [BasisReviewed(basis=basis, case=case, note=note)]
        case MissReview() if not state.reviewed and not state.overdue:
            return [BasisReviewOverdue(basis=basis, case=case)]
        case End(note):
            return [BasisEnded(basis=basis, case=case, note=note)]
        case Expire():
            return [BasisExpired(basis=basis, case=case)]
        case Review() | MissReview() if state.reviewed:
            raise Refused("basis-is-reviewed", state.status, ("ending",))
        case _:
            raise Refused(f"basis-is-{state.status}", state.status, ALLOWED[state.status])


def evolve(state: Basis, event: Event) -> Basis:
    match event:
        case UrgentAsserted(case=case, basis=basis):
            return Basis("urgent", case, basis)
        case GroundRecorded(case=case, basis=basis):
            return Basis("ground", case, basis)
        case BasisReviewed():
            return replace(state, reviewed=True)
        case BasisReviewOverdue():
            return replace(state, overdue=True)
        case BasisEnded() | BasisExpired():
            return replace(state, status="ended")
        case _:
            return state


DECIDER = Decider(Basis(), decide, evolve)


def review_by(begins: datetime) -> datetime:
    """The end of the first working day (Asia/Tokyo) on which the 72 hours are over (L7)."""
    day = (begins + timedelta(hours=urgent_review_hours())).astimezone(TOKYO).date()
    while not working(day):
        day += timedelta(days=1)
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), TOKYO)


def urgent_until(begins: datetime) -> datetime:
    return begins + timedelta(days=urgent_days())
