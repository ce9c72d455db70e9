"""The joint file of cases that merges have put together, as far as the caller works with them: a fact is
found, and corrected, where it was told, whichever of the cases is asked (L17, L18).
"""

from uuid import UUID

from shared.http import to_uuid
from shared.journal import Past
from shared.problems import not_found

from .. import family
from .common import OnCase, stands_in


async def files(on: OnCase) -> list[OnCase]:
    """The case in which this one goes on, then those that go on there; only where the caller stands,
    and only this one where he does not stand in the first: a merge gives no standing.
    """
    ids = await family.family(on.call.rt, on.case)
    found = [on if id == on.case else await stands_in(on.call, id) for id in ids]
    return [file for file in found if file] if found[0] else [on]


async def of_person(on: OnCase, person: UUID) -> OnCase:
    """The case that he is a person of; this one where nobody knows him yet."""
    if person in on.state.people:
        return on
    return next((file for file in await files(on) if person in file.state.people), on)


async def within(on: OnCase, kind: str, id: str) -> tuple[OnCase, UUID, Past]:
    """A stream of one of them that the caller sees (404 otherwise); it is read."""
    found = to_uuid(id)
    past = await on.call.load(f"{kind}/{found}")
    case = past.events[0].envelope.key if past.events else ""
    there = [on] if case == str(on.case) else [f for f in await files(on) if str(f.case) == case]
    if not there or not there[0].sees(past.events[0]):
        raise not_found()
    there[0].reads(past.events)
    return there[0], found, past
