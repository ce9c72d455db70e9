"""The record of one agency and one case: documents, receipts, what was withdrawn and given back."""

from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    DocumentChanged,
    DocumentNotTaken,
    ReadingRecorded,
    ReadingRefused,
    ReceiptRecorded,
    ReceiptRefused,
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
    something and are not confirmed; `overdue`: those of them that should be. `wrong`: documents of
    which the agency holds something else; `not_taken`: too large for its topic.
    """

    agency: str = ""
    case: UUID | None = None
    document: int = 0
    open: frozenset[int] = frozenset()
    overdue: frozenset[int] = frozenset()
    confirmed: int = 0
    grades: frozenset[tuple[int, str, bool]] = frozenset()
    wrong: frozenset[int] = frozenset()
    not_taken: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Acknowledge:
    """`matches`: is the digest that came with it that of what was sent? None: nothing to compare."""

    document: int
    grade: Literal["delivered", "placed", "opened"]
    matches: bool | None = None


@dataclass(frozen=True)
class ConfirmRetraction:
    """Of everything that this document and those before it withdrew."""

    document: int
    kept: str | None = None


@dataclass(frozen=True)
class MarkOverdue:
    document: int


@dataclass(frozen=True)
class MarkNotTaken:
    """`emptied`: one without content is sent in its place."""

    document: int
    emptied: bool


Said = DocumentChanged | ReadingRecorded | ReadingRefused
"""As it was said, it is."""
Command = Said | Acknowledge | ConfirmRetraction | MarkOverdue | MarkNotTaken


def decide(state: Disclosure, command: Command) -> list[Event]:
    if isinstance(command, Said):
        return [command]
    if state.case is None or not 0 < command.document <= state.document:
        raise Refused("no-such-document", str(state.document), ())
    document = command.document
    of: dict[str, Any] = {"agency": state.agency, "case": state.case}
    match command:
        case Acknowledge(grade=grade, matches=False):
            known = document in state.wrong
            return [] if known else [ReceiptRefused(**of, document=document, grade=grade)]
        case Acknowledge(grade=grade, matches=matches):
            checked = bool(matches)
            known = (document, grade, checked) in state.grades and not (
                checked and document in state.wrong
            )
            receipt = ReceiptRecorded(**of, document=document, grade=grade, checked=checked)
            return [] if known else [receipt]
        case ConfirmRetraction(kept=kept):
            if any(one <= document for one in state.open):
                return [RetractionConfirmed(**of, document=document, kept=kept)]
            if state.confirmed >= document:
                return []
            raise Refused("not-retracted", str(state.document), ("receipts",))
        case MarkOverdue():
            late = document in state.open - state.overdue
            return [RetractionOverdue(**of, document=document)] if late else []
        case MarkNotTaken(emptied=emptied):
            known = document in state.not_taken
            return [] if known else [DocumentNotTaken(**of, document=document, emptied=emptied)]


def evolve(state: Disclosure, event: Event) -> Disclosure:
    match event:
        case DocumentChanged(agency=agency, case=case, document=document):
            more = {document} if retracts(event) else set()
            return replace(
                state, agency=agency, case=case, document=document, open=state.open | more
            )
        case ReceiptRecorded(document=document, grade=grade, checked=checked):
            right = {document} if checked else set()
            grades = state.grades | {(document, grade, checked)}
            return replace(state, grades=grades, wrong=state.wrong - right)
        case ReceiptRefused(document=document):
            return replace(state, wrong=state.wrong | {document})
        case DocumentNotTaken(document=document):
            return replace(state, not_taken=state.not_taken | {document})
        case RetractionConfirmed(document=document):
            left = frozenset(one for one in state.open if one > document)
            confirmed = max(document, state.confirmed)
            return replace(state, open=left, overdue=state.overdue & left, confirmed=confirmed)
        case RetractionOverdue(document=document):
            return replace(state, overdue=state.overdue | {document})
        case _:
            return state


DECIDER = Decider(Disclosure(), decide, evolve)
