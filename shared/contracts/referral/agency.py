"""The directory: bodies with their purposes, and their desks (窓口) with who sits at them."""

from typing import Annotated

from ..event import AgencyCode, Event, S, Subject, event


@event("agency.registered")
class AgencyRegistered(Event):
    """A body in the directory. Newest wins. Names are of bodies, never of people."""

    TOPIC = "referral"
    STREAM = "agency"
    agency: AgencyCode
    name: Annotated[str, S]
    kind: Annotated[str, S]
    controller: Annotated[str, S]
    purposes: Annotated[tuple[str, ...], S]
    window: Annotated[bool, S] = False


class DeskEvent(Event):
    """A desk's code stands beside those of agencies: what may name the one may name the other."""

    TOPIC = "referral"
    STREAM = "desk"
    desk: AgencyCode


@event("desk.registered")
class DeskRegistered(DeskEvent):
    """Of an agency in its own right (`agency`), or of a programme, whoever runs it (`programme`): one of
    the two, for the desk's life. `shelter`: it appears in no directory (L11).
    """

    name: Annotated[str, S]
    agency: Annotated[AgencyCode | None, S] = None
    programme: Annotated[AgencyCode | None, S] = None
    shelter: Annotated[bool, S] = False


@event("desk.closed")
class DeskClosed(DeskEvent):
    pass


@event("desk.member_named")
class DeskMemberNamed(DeskEvent):
    """What this person of that agency records from now on is recorded at the desk."""

    agency: AgencyCode
    member: Subject


@event("desk.member_left")
class DeskMemberLeft(DeskEvent):
    agency: AgencyCode
    member: Subject
