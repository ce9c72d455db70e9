"""What live bases give an agency in a case, asked where intake itself lets one agency tell another."""

from collections.abc import Iterable
from uuid import UUID

from shared.basis import Consent, World, consents
from shared.contracts import Recorded
from shared.decider import Refused
from shared.grounds import Ground, classes_for, grounds

from .. import view
from .common import OnCase


async def told_of_bases(on: OnCase) -> list[Recorded]:
    """The case's own events and those of its consents and other bases."""
    return [*on.events, *(e for past in await on.streams("consent", "basis") for e in past.events)]


def recorded_in(events: list[Recorded]) -> list[Consent | Ground]:
    return [*consents(events).values(), *grounds(events).values()]


async def given(on: OnCase, agency: str, teller: str, world: World) -> dict[UUID, set[str]]:
    """Classes by person that `teller` may tell the agency now (L3, L7, L8)."""
    now = on.call.now()
    bases = recorded_in(await told_of_bases(on))
    return {
        person: set().union(
            *(classes_for(one, person, agency, teller, world, now) for one in bases)
        )
        for person in on.state.people
    }


async def may_be_told(
    on: OnCase, agency: str, teller: str, data_class: str, subjects: Iterable[UUID]
) -> bool:
    """The lead agency holds the file (L20); any other needs a live basis for every subject (L4)."""
    if agency == on.lead:
        return True
    subjects, asked = set(subjects), (agency, teller)
    if asked not in on.given:
        on.given[asked] = await given(on, agency, teller, await view.the_world(on.call.rt))
    classes = on.given[asked]
    return bool(subjects) and all(data_class in classes.get(one, ()) for one in subjects)


def no_live_basis(on: OnCase) -> Refused:
    return Refused("no-live-basis", on.state.status, ("consents",))
