"""What an agency's document was at a moment: as it was recorded, and by what was known of the case then."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.basis import world
from shared.contracts import Recorded
from shared.contracts.event import Consentable
from shared.contracts.views import DocumentChanged
from shared.kept import all_of, of_keys
from shared.runtime import Runtime

from . import merges
from .domain.disclose import Coverage, covered
from .domain.facts import Outline
from .domain.grant import grants
from .domain.history import Ref, known_at
from .domain.joined import joined, outlined
from .judge import WORLD_TYPES


@dataclass(frozen=True)
class Then:
    """`persons` whom it showed, each with the coverage of then (L13), in its order; `of`: what its items
    were, without their values.
    """

    recorded: DocumentChanged
    at: datetime
    persons: Mapping[UUID, Mapping[Consentable, Coverage]]
    of: Mapping[Ref, Outline]


async def document_then(rt: Runtime, agency: str, case: UUID, at: datetime) -> Then | None:
    """None before the first. A document says of nothing else what it was than that which is on record of
    it: coverage is judged anew, at the moment of the record, by what had been told until then.
    """
    past = await rt.journal.load(f"disclosure/{agency}/{case}")
    found = known_at(past.events, at)
    if found is None:
        return None
    recorded, when = found
    named = {ref.event for ref in recorded.items}
    async with rt.reads.acquire() as db:
        held = await merges.held(db, case, when)
        cases = {case, *(end for one in held for end in (one.merged, one.into))}
        rows = await of_keys(db, [str(one) for one in cases])
        directory = _until(await rt.read(await all_of(db, WORLD_TYPES)), when)
    of: dict[UUID, list[Recorded]] = defaultdict(list)
    for event in _until(await rt.read(rows), when, named):
        of[UUID(event.envelope.key)].append(event)
    outlines = outlined(case, of, held)
    shown = {ref: outlines[ref] for i in recorded.items if (ref := (i.event, i.field)) in outlines}
    _, bases = joined(case, of, held)
    granted = grants(bases, world(directory), agency, when)
    people = {person for one in shown.values() for person in one.subjects}
    return Then(recorded, when, covered(granted, people), shown)


def _until(events: Sequence[Recorded], at: datetime, named: Container[UUID] = ()) -> list[Recorded]:
    """Another service's clock may be ahead: what the record names was known."""
    return [e for e in events if e.envelope.at <= at or e.envelope.id in named]
