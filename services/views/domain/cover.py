"""Cover sheets of one agency and one case: made when there is a document, opened once."""

from dataclasses import dataclass, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import CoverIssued, CoverUsed, DocumentChanged
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Covers:
    """`empty`: there is nothing to lead to, and nothing to be given back was ever told."""

    empty: bool = True
    issued: frozenset[UUID] = frozenset()
    used: frozenset[UUID] = frozenset()


def decide(state: Covers, command: CoverIssued | CoverUsed) -> list[Event]:
    match command:
        case CoverIssued() if state.empty:
            raise Refused("no-document", "none", ())
        case CoverUsed(cover=cover) if cover not in state.issued:
            raise Refused("no-such-cover", "none", ())
        case CoverUsed(cover=cover) if cover in state.used:
            raise Refused("cover-used", "used", ("page",))
        case _:
            return [command]


def evolve(state: Covers, event: Event) -> Covers:
    match event:
        case DocumentChanged():
            return replace(state, empty=False)
        case CoverIssued(cover=cover):
            return replace(state, issued=state.issued | {cover})
        case CoverUsed(cover=cover):
            return replace(state, used=state.used | {cover})
        case _:
            return state


DECIDER = Decider(Covers(), decide, evolve)
