"""A match: one desk is asked at a time, and answers; the other, or the same again, may be asked later."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import MatchAnswered, MatchEnquired
from shared.decider import Decider, Refused

Status = Literal["none", "asked", "answered"]


@dataclass(frozen=True)
class Match:
    """`answer`: the newest; not a str where it was erased."""

    status: Status = "none"
    to: str = ""
    person: UUID | None = None
    asked_of: UUID | None = None
    answer: str | None = None


Command = MatchEnquired | MatchAnswered
ALLOWED = {"none": ("enquiry",), "asked": ("answer",), "answered": ("enquiry",)}


def decide(state: Match, command: Command) -> list[Event]:
    match state.status, command:
        case ("none" | "answered", MatchEnquired()) | ("asked", MatchAnswered()):
            return [command]
        case _:
            raise Refused(f"match-is-{state.status}", state.status, ALLOWED[state.status])


def evolve(state: Match, event: Event) -> Match:
    match event:
        case MatchEnquired(to=to, person=person, asked_of=case):
            return replace(state, status="asked", to=to, person=person, asked_of=case, answer=None)
        case MatchAnswered(answer=answer):
            return replace(state, status="answered", answer=answer)
        case _:
            return state


DECIDER = Decider(Match(), decide, evolve)
