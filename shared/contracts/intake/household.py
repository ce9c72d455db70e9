"""The household: who lives in it, who is whose, who is meant first; several cases may be of one."""

from typing import Annotated

from ..event import CaseId, Coded, Event, Id, Personal, PersonId, event


class HouseholdEvent(Event):
    """`told_in`: the case in which it was told; who reads there, reads it."""

    TOPIC = "intake"
    STREAM = "household"
    household: Id
    told_in: CaseId


@event("household.person_joined")
class HouseholdJoined(HouseholdEvent):
    """Lives in it, or came to live in it on a day (as much of it as is known)."""

    person: PersonId
    since: Annotated[str | None, Personal("contact", of="person", owner="household")] = None


@event("household.person_left")
class HouseholdLeft(HouseholdEvent):
    person: PersonId
    on: Annotated[str | None, Personal("contact", of="person", owner="household")] = None
    reason: Annotated[str, Coded("contact", owner="household")]


@event("household.persons_related")
class PersonsRelated(HouseholdEvent):
    """`person` is the `relation` of `to`; the newest of two persons stands, None takes it back."""

    person: PersonId
    to: PersonId
    relation: Annotated[str | None, Coded("contact", owner="household")] = None


@event("household.key_person_named")
class KeyPersonNamed(HouseholdEvent):
    """本人: whom the support begins with."""

    person: PersonId
