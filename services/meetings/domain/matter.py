"""A matter: a case before a statutory body, from its submission to the body's end of it (L5)."""

from dataclasses import dataclass, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.meetings import (
    FactPromoted,
    MaterialSubmitted,
    MatterDecided,
    MatterEnded,
    MatterReviewed,
    MatterReviewOverdue,
    MatterSubmitted,
    MembersAsked,
    MembersCalled,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Matter:
    """`promoted`: materials of which an ordinary fact was made; `overdue`: a review is missing."""

    status: str = "none"
    submitted: MatterSubmitted | None = None
    called: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    promoted: frozenset[UUID] = frozenset()
    overdue: bool = False


@dataclass(frozen=True)
class Submit:
    submitted: MatterSubmitted


@dataclass(frozen=True)
class Call:
    """Members of the body's pool, called for this matter by name."""

    members: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """Members of the pool who are asked for information (106条の6第3項)."""

    members: tuple[str, ...]


@dataclass(frozen=True)
class PutBefore:
    material: MaterialSubmitted


@dataclass(frozen=True)
class RecordDecision:
    decided: MatterDecided


@dataclass(frozen=True)
class Review:
    pass


@dataclass(frozen=True)
class MarkOverdue:
    """Of the timer."""


@dataclass(frozen=True)
class Promote:
    promoted: FactPromoted


@dataclass(frozen=True)
class End:
    pass


Command = Submit | Call | Ask | PutBefore | RecordDecision | Review | MarkOverdue | Promote | End
ALLOWED = {
    "none": (),
    "live": ("members", "enquiries", "materials", "decisions", "reviews", "promotions", "ending"),
    "ended": (),
}


def decide(state: Matter, command: Command) -> list[Event]:
    if state.status == "none" and isinstance(command, Submit):
        return [command.submitted]
    if state.status != "live" or state.submitted is None or isinstance(command, Submit):
        raise Refused(f"matter-is-{state.status}", state.status, ALLOWED[state.status])
    ids = {"matter": state.submitted.matter, "case": state.submitted.case}
    match command:
        case Call(members):
            new = tuple(m for m in dict.fromkeys(members) if m not in state.called)
            return [MembersCalled(**ids, members=new)] if new else []
        case Ask(members):
            new = tuple(m for m in dict.fromkeys(members) if m not in state.asked)
            return [MembersAsked(**ids, members=new)] if new else []
        case PutBefore(material):
            return [material]
        case RecordDecision(decided):
            return [decided]
        case Review():
            return [MatterReviewed(**ids)]
        case MarkOverdue():
            return [] if state.overdue else [MatterReviewOverdue(**ids)]
        case Promote(promoted):
            if promoted.material in state.promoted:
                raise Refused("material-is-promoted", state.status, ALLOWED[state.status])
            return [promoted]
        case End():
            return [MatterEnded(**ids)]


def evolve(state: Matter, event: Event) -> Matter:
    match event:
        case MatterSubmitted():
            return Matter("live", event)
        case MembersCalled(members=members):
            return replace(state, called=state.called | set(members))
        case MembersAsked(members=members):
            return replace(state, asked=state.asked | set(members))
        case FactPromoted(material=material):
            return replace(state, promoted=state.promoted | {material})
        case MatterReviewed():
            return replace(state, overdue=False)
        case MatterReviewOverdue():
            return replace(state, overdue=True)
        case MatterEnded():
            return replace(state, status="ended")
        case _:
            return state


DECIDER = Decider(Matter(), decide, evolve)
