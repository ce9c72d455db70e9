"""What live bases give an agency in a case, asked where intake itself lets one agency tell another."""

from collections.abc import Iterable
from uuid import UUID

from shared.basis import Consent, World, consents, stopped_by
from shared.contracts import Recorded
from shared.contracts.intake import PersonFlagged
from shared.decider import Refused
from shared.grounds import Ground, classes_for, grounds

from .. import joined, view
from .common import OnCase


async def told_of_bases(on: OnCase) -> list[Recorded]:
    """The case's own events and those of its consents and other bases."""
    return [*on.events, *(e for past in await on.streams("consent", "basis") for e in past.events)]


async def recorded_in(on: OnCase, events: list[Recorded]) -> list[Consent | Ground]:
    """A death or a flag on record in a case that was merged with this one stops a consent here too (L4a,
    L22, L18); what else is told there stays there.
    """
    given = list(consents(events).values())
    others = [case for case in await joined.cases(on.call.rt.pool, on.case) if case != on.case]
    if others:
        pasts = await on.call.loads(*(f"case/{case}" for case in others))
        told = [e for past in pasts for e in past.events if isinstance(e.event, PersonFlagged)]
        given = [await _stopped(on, one, told) for one in given]
    return [*given, *grounds(events).values()]


async def _stopped(on: OnCase, consent: Consent, flagged: list[Recorded]) -> Consent:
    person = consent.recorded.person
    for other in sorted(await joined.same(on.call.rt.pool, [person]) - {person}):
        consent = stopped_by(consent, flagged, other)
    return consent


async def given(on: OnCase, agency: str, teller: str, world: World) -> dict[UUID, set[str]]:
    """Classes by person that `teller` may tell the agency now (L3, L7, L8)."""
    now = on.call.now()
    bases = await recorded_in(on, await told_of_bases(on))
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
