"""The record of one agency and one case: documents, receipts, confirmed retractions."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    DocumentChanged,
    ReadingRecorded,
    ReceiptRecorded,
    RetractionConfirmed,
)
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Disclosure:
    """`document` 0: the agency never held anything of the case."""

    agency: str = ""
    case: UUID | None = None
    document: int = 0
    empty: bool = True
    retracted: int = 0
    confirmed: int = 0
    grades: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True)
class Acknowledge:
    document: int
    grade: Literal["delivered", "placed", "opened"]


@dataclass(frozen=True)
class ConfirmRetraction:
    document: int
    kept: str | None = None


Command = DocumentChanged | ReadingRecorded | Acknowledge | ConfirmRetraction


def decide(state: Disclosure, command: Command) -> list[Event]:
    match command:
        case DocumentChanged() | ReadingRecorded():
            return [command]
        case _ if state.case is None or not 0 < command.document <= state.document:
            raise Refused("no-such-document", str(state.document), ())
        case Acknowledge(document, grade):
            if (document, grade) in state.grades:
                return []
            return [
                ReceiptRecorded(
                    agency=state.agency, case=state.case, document=document, grade=grade
                )
            ]
        case ConfirmRetraction(document, kept):
            if document < state.retracted or not state.retracted:
                raise Refused("not-retracted", str(state.document), ("receipts",))
            if document <= state.confirmed:
                return []
            return [
                RetractionConfirmed(
                    agency=state.agency, case=state.case, document=document, kept=kept
                )
            ]


def evolve(state: Disclosure, event: Event) -> Disclosure:
    match event:
        case DocumentChanged(agency=agency, case=case, document=document, items=items):
            ended = event.cause == "content_ended"
            return replace(
                state,
                agency=agency,
                case=case,
                document=document,
                empty=not items,
                retracted=document if ended else state.retracted,
            )
        case ReceiptRecorded(document=document, grade=grade):
            return replace(state, grades=state.grades | {(document, grade)})
        case RetractionConfirmed(document=document):
            return replace(state, confirmed=max(document, state.confirmed))
        case _:
            return state


DECIDER = Decider(Disclosure(), decide, evolve)
