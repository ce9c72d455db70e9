"""The record of one agency and one case: documents, receipts, what was withdrawn and given back."""

from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    DocumentChanged,
    ReadingRecorded,
    ReceiptRecorded,
    RetractionConfirmed,
    RetractionOverdue,
)
from shared.decider import Decider, Refused


def retracts(event: DocumentChanged) -> bool:
    """Is the agency to give something back? Records from before `withdrawn` say it by their cause."""
    return bool(event.withdrawn) or event.cause == "content_ended"


@dataclass(frozen=True)
class Disclosure:
    """`document` 0: the agency never held anything of the case. `open`: documents that withdrew
    something and are not confirmed; `overdue`: those of them that should be.
    """

    agency: str = ""
    case: UUID | None = None
    document: int = 0
    open: frozenset[int] = frozenset()
    overdue: frozenset[int] = frozenset()
    confirmed: int = 0
    grades: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True)
class Acknowledge:
    document: int
    grade: Literal["delivered", "placed", "opened"]


@dataclass(frozen=True)
class ConfirmRetraction:
    """Of everything that this document and those before it withdrew."""

    document: int
    kept: str | None = None


@dataclass(frozen=True)
class MarkOverdue:
    document: int


Command = DocumentChanged | ReadingRecorded | Acknowledge | ConfirmRetraction | MarkOverdue


def decide(state: Disclosure, command: Command) -> list[Event]:
    if isinstance(command, DocumentChanged | ReadingRecorded):
        return [command]
    if state.case is None or not 0 < command.document <= state.document:
        raise Refused("no-such-document", str(state.document), ())
    document = command.document
    of: dict[str, Any] = {"agency": state.agency, "case": state.case}
    match command:
        case Acknowledge(grade=grade):
            known = (document, grade) in state.grades
            return [] if known else [ReceiptRecorded(**of, document=document, grade=grade)]
        case ConfirmRetraction(kept=kept):
            if any(one <= document for one in state.open):
                return [RetractionConfirmed(**of, document=document, kept=kept)]
            if state.confirmed >= document:
                return []
            raise Refused("not-retracted", str(state.document), ("receipts",))
        case MarkOverdue():
            late = document in state.open - state.overdue
            return [RetractionOverdue(**of, document=document)] if late else []


def evolve(state: Disclosure, event: Event) -> Disclosure:
    match event:
        case DocumentChanged(agency=agency, case=case, document=document):
            more = {document} if retracts(event) else set()
            return replace(
                state, agency=agency, case=case, document=document, open=state.open | more
            )
        case ReceiptRecorded(document=document, grade=grade):
            return replace(state, grades=state.grades | {(document, grade)})
        case RetractionConfirmed(document=document):
            left = frozenset(one for one in state.open if one > document)
            confirmed = max(document, state.confirmed)
            return replace(state, open=left, overdue=state.overdue & left, confirmed=confirmed)
        case RetractionOverdue(document=document):
            return replace(state, overdue=state.overdue | {document})
        case _:
            return state


DECIDER = Decider(Disclosure(), decide, evolve)
