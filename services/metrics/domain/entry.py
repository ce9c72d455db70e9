"""The small inputs that no service knows: a survey's result, a course held. Each is written once."""

from dataclasses import dataclass

from shared.contracts import Event
from shared.contracts.metrics import CourseHeld, SurveyRecorded
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Entry:
    written: SurveyRecorded | CourseHeld | None = None


def decide(state: Entry, command: SurveyRecorded | CourseHeld) -> list[Event]:
    if state.written:
        raise Refused("entry-is-written", "written")
    return [command]


def evolve(state: Entry, event: Event) -> Entry:
    match event:
        case SurveyRecorded() | CourseHeld():
            return Entry(event)
        case _:
            return state


DECIDER = Decider(Entry(), decide, evolve)
