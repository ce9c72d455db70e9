"""What left by hand: recorded, printed, asked back, given back. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    GivenBack,
    ItemRef,
    ProvisionRecorded,
    ReceiverTold,
    SheetPrinted,
)
from shared.decider import Decider, Refused

from .giving import Give, Known
from .history import Ref


@dataclass(frozen=True)
class Provision:
    """`told`, `back`: of which items."""

    recorded: ProvisionRecorded | None = None
    told: frozenset[Ref] = frozenset()
    back: frozenset[Ref] = frozenset()
    kept: str | None = None


Command = Give | SheetPrinted | ReceiverTold | GivenBack


def decide(state: Provision, command: Command) -> list[Event]:
    if isinstance(command, Give):
        return [] if state.recorded else [command.carried()]
    if not command.items:
        reason = "nothing-to-print" if isinstance(command, SheetPrinted) else "nothing-ended"
        raise Refused(reason)
    if isinstance(command, ReceiverTold) and refs(command.items) <= state.told | state.back:
        return []
    if isinstance(command, GivenBack) and refs(command.items) <= state.back:
        return []
    return [command]


def evolve(state: Provision, event: Event) -> Provision:
    match event:
        case ProvisionRecorded():
            return replace(state, recorded=event)
        case ReceiverTold(items=items):
            return replace(state, told=state.told | refs(items))
        case GivenBack(items=items, kept=kept):
            return replace(state, back=state.back | refs(items), kept=kept)
        case _:
            return state


DECIDER = Decider(Provision(), decide, evolve)


def refs(items: Iterable[ItemRef]) -> frozenset[Ref]:
    return frozenset((item.event, item.field) for item in items)


def ended(given: ProvisionRecorded, known: Known) -> tuple[ItemRef, ...]:
    """Items that nothing allows the receiver to hold any more; what a law gave is not asked back."""
    mine = refs(given.items)
    facts = tuple(fact for fact in known.facts if (fact.event, fact.field) in mine)
    of_these = replace(known, facts=facts)  # a newer value takes nothing back from paper
    live = set(of_these.shown(given.to)) if given.to else set[Ref]()
    if not given.to:
        named = {UUID(b.id) for item in given.items for b in item.bases if b.kind == "consent"}
        live = {ref for consent in named for ref in of_these.consented(consent)}
    return tuple(i for i in given.items if i.bases and (i.event, i.field) not in live)


def ended_at(items: Iterable[ItemRef], known: Known) -> datetime | None:
    """When the first of them lost its last basis, as far as its bases have an end."""
    consents, grounds = known.bases.consents, known.bases.grounds
    moments = []
    for item in items:
        ids = [UUID(b.id) for b in item.bases if b.kind in ("consent", "urgent", "ground")]
        found = [consents.get(id) or grounds.get(id) for id in ids]
        ends = [one.end for one in found if one and one.end and one.end <= known.at]
        moments += [max(ends)] if ends else []
    return min(moments, default=None)
