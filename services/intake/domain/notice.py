"""A notice: received once, then taken into a case or closed with a reason."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import NoticeClosed, NoticeReceived, NoticeTaken
from shared.decider import Decider, Refused

Status = Literal["none", "received", "taken", "closed"]


@dataclass(frozen=True)
class Notice:
    status: Status = "none"
    to: str = ""
    case: UUID | None = None


Command = NoticeReceived | NoticeTaken | NoticeClosed
ALLOWED = {"none": (), "received": ("taking", "closing"), "taken": (), "closed": ()}


def decide(state: Notice, command: Command) -> list[Event]:
    match state.status, command:
        case ("none", NoticeReceived()) | ("received", NoticeTaken() | NoticeClosed()):
            return [command]
        case _:
            raise Refused(f"notice-is-{state.status}", state.status, ALLOWED[state.status])


def evolve(state: Notice, event: Event) -> Notice:
    match event:
        case NoticeReceived(to=to):
            return replace(state, status="received", to=to)
        case NoticeTaken(into=case):
            return replace(state, status="taken", case=case)
        case NoticeClosed():
            return replace(state, status="closed")
        case _:
            return state


DECIDER = Decider(Notice(), decide, evolve)
