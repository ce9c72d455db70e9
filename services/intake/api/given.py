"""What live consents give an agency in a case, asked where intake itself lets one agency tell another."""

from collections.abc import Iterable
from uuid import UUID

from shared.basis import World, consents, covers
from shared.decider import Refused

from .. import view
from .common import OnCase


async def given(on: OnCase, agency: str, world: World) -> dict[UUID, set[str]]:
    """Classes by person, now (L3)."""
    events, now = list(on.events), on.call.now()
    for stream in await view.streams_of(on.call.rt, on.case, "consent"):
        events += (await on.call.load(stream)).events
    found: dict[UUID, set[str]] = {}
    for consent in consents(events).values():
        if covers(consent, agency, world, now):
            found.setdefault(consent.recorded.person, set()).update(consent.classes(now))
    return found


async def may_be_told(on: OnCase, agency: str, data_class: str, subjects: Iterable[UUID]) -> bool:
    """The lead agency holds the file (L20); any other needs every subject's live consent (L4)."""
    if agency == on.state.lead:
        return True
    subjects = set(subjects)
    classes = await given(on, agency, await view.the_world(on.call.rt))
    return bool(subjects) and all(data_class in classes.get(one, ()) for one in subjects)


def no_live_basis(on: OnCase) -> Refused:
    return Refused("no-live-basis", on.state.status, ("consents",))
