"""What left by hand: recorded, printed, asked back, given back. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.basis import World
from shared.contracts import CONSENTABLE, Event
from shared.contracts.views import (
    BasisRef,
    GivenBack,
    ItemRef,
    ProvisionRecorded,
    ReceiverTold,
    SheetPrinted,
)
from shared.decider import Decider, Refused

from .disclose import disclose
from .facts import Fact
from .grant import Bases
from .history import Ref


@dataclass(frozen=True)
class Provision:
    """`told`, `back`: of which items."""

    recorded: ProvisionRecorded | None = None
    told: frozenset[Ref] = frozenset()
    back: frozenset[Ref] = frozenset()
    kept: str | None = None


Command = ProvisionRecorded | SheetPrinted | ReceiverTold | GivenBack


def decide(state: Provision, command: Command) -> list[Event]:
    if isinstance(command, ProvisionRecorded):
        return [] if state.recorded else [command]
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


@dataclass(frozen=True)
class Known:
    """What an item's basis is judged by."""

    facts: tuple[Fact, ...]
    bases: Bases
    world: World
    at: datetime

    def shown(self, agency: str) -> dict[Ref, tuple[BasisRef, ...]]:
        """What the agency may hold now, each with its bases; nothing of what it is only warned of."""
        found = disclose(self.facts, self.bases, self.world, agency, self.at)
        return {
            (i.fact.event, i.fact.field): tuple(BasisRef(**b._asdict()) for b in i.bases)
            for i in found.items
            if not i.warned
        }

    def consented(self, consent: UUID) -> dict[Ref, tuple[BasisRef, ...]]:
        """What a live consent covers of its person alone, for a receiver that is no agency."""
        given = self.bases.consents.get(consent)
        if given is None or not given.live(self.at):
            return {}
        stopped = given.stopped(self.at)
        classes = given.classes(self.at) & set(CONSENTABLE)
        bases = (BasisRef(kind="consent", id=str(consent)),)
        return {
            (fact.event, fact.field): bases
            for fact in self.facts
            if fact.subjects == {given.recorded.person}
            and fact.data_class in classes
            and (stopped is None or fact.at < stopped)
        }

    def protected(self, receiver: str) -> frozenset[Ref]:
        """L11: what is not for this receiver, whatever law or consent gives it; "" is no agency."""
        return frozenset(
            (fact.event, fact.field)
            for fact in self.facts
            if self.bases.hidden_since(fact, receiver, self.at) is not None
        )


def ended(given: ProvisionRecorded, known: Known) -> tuple[ItemRef, ...]:
    """Items that nothing allows the receiver to hold any more; what a law gave is not asked back."""
    mine = refs(given.items)
    facts = tuple(fact for fact in known.facts if (fact.event, fact.field) in mine)
    of_these = replace(known, facts=facts)  # a newer value takes nothing back from paper
    live = set(of_these.shown(given.to)) if given.to else set()
    for item in given.items:
        consents = [UUID(b.id) for b in item.bases if b.kind == "consent"]
        if not given.to and any(
            (item.event, item.field) in of_these.consented(c) for c in consents
        ):
            live.add((item.event, item.field))
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
