"""Copies that a member of an agency printed of its document: each has a number."""

from dataclasses import dataclass
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import PagePrinted
from shared.decider import Decider


@dataclass(frozen=True)
class Print:
    agency: str
    case: UUID
    document: int


def decide(copies: tuple[int, ...], command: Print) -> list[Event]:
    return [
        PagePrinted(
            agency=command.agency,
            case=command.case,
            document=command.document,
            copy_number=len(copies) + 1,
        )
    ]


def evolve(copies: tuple[int, ...], event: Event) -> tuple[int, ...]:
    return (*copies, event.document) if isinstance(event, PagePrinted) else copies


DECIDER: Decider[tuple[int, ...], Print] = Decider((), decide, evolve)
"""State: the document that each copy holds, by its number less one."""
