"""One case at one sitting: on the agenda on live bases, off it when one ends, then decided (L6)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from shared.basis import Consent, World, covers
from shared.contracts import Event
from shared.contracts.codes import bodies
from shared.contracts.meetings import AgendaItemAdded, AgendaItemRemoved, DecisionRecorded
from shared.decider import Decider, Refused

from .meeting import refusal

FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Sitting:
    """`status`: absent, added or removed. A removed case may be added again on new bases."""

    status: str = "absent"
    item: AgendaItemAdded | None = None


@dataclass(frozen=True)
class AddItem:
    """`meeting`, here and below: the status of the meeting, whose stream is another one."""

    added: AgendaItemAdded
    meeting: str


@dataclass(frozen=True)
class LoseBasis:
    """`agencies`: those that it covers no more, while it lives; None: it covers nobody."""

    basis: UUID
    meeting: str
    agencies: frozenset[str] | None = None


@dataclass(frozen=True)
class RecordDecision:
    recorded: DecisionRecorded
    meeting: str


Command = AddItem | LoseBasis | RecordDecision
ALLOWED = {"absent": ("agenda",), "added": ("decisions",), "removed": ("agenda",)}


def decide(state: Sitting, command: Command) -> list[Event]:
    if command.meeting != ("held" if isinstance(command, RecordDecision) else "planned"):
        raise refusal(command.meeting)
    match command:
        case AddItem(added) if state.status != "added":
            if not added.bases:
                raise Refused("no-live-basis", state.status, ALLOWED[state.status])
            return [added]
        case LoseBasis(basis) if state.status == "added" and state.item:
            if basis not in state.item.bases:
                raise Refused("basis-of-another-item", state.status, ())
            if command.agencies is not None and command.agencies.isdisjoint(state.item.invited):
                raise Refused("all-invited-are-covered", state.status, ())
            return [AgendaItemRemoved(meeting=state.item.meeting, case=state.item.case)]
        case RecordDecision(recorded) if state.status == "added" and state.item:
            if is_statutory(state.item.body, state.item.planned_at):
                raise Refused("decided-in-the-matter", state.status, ())
            return [recorded]
        case _:
            raise Refused(f"item-is-{state.status}", state.status, ALLOWED[state.status])


def evolve(state: Sitting, event: Event) -> Sitting:
    match event:
        case AgendaItemAdded():
            return Sitting("added", event)
        case AgendaItemRemoved():
            return Sitting("removed", state.item)
        case _:
            return state


DECIDER = Decider(Sitting(), decide, evolve)


def is_statutory(body: str, on: date) -> bool:
    """Does it share without consent on that day (L5)? Every other one takes consented cases only (L6)."""
    known = bodies(on).get(body)
    return known is not None and known.legal_type == "statutory"


def covering(
    given: Iterable[Consent],
    person: UUID,
    agencies: Collection[str],
    world: World,
    at: datetime,
) -> tuple[UUID, ...]:
    """Live consents of that person that cover all the agencies together; () if one is left out.

    One alone where one is enough, the longest: the item leaves the agenda when any of them ends.
    """
    reaches = [
        ({agency for agency in agencies if covers(consent, agency, world, at)}, consent)
        for consent in given
        if consent.recorded.person == person
    ]
    reaches.sort(key=lambda one: (len(one[0]), one[1].end or FOREVER, one[1].id), reverse=True)
    left, chosen = set(agencies), []
    for reach, consent in reaches:
        if reach & left:
            chosen.append(consent.id)
            left -= reach
    return () if left else tuple(chosen)
