"""One line of the 支援経過記録: written once."""

from dataclasses import dataclass

from shared.contracts import Event
from shared.contracts.intake import ContactRecorded
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Record:
    written: bool = False


def decide(state: Record, command: ContactRecorded) -> list[Event]:
    if state.written:
        raise Refused("record-is-written", "written")
    return [command]


def evolve(state: Record, event: Event) -> Record:
    return Record(written=True)


DECIDER = Decider(Record(), decide, evolve)
