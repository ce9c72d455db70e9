"""The pool of a body: its named members and their pledges."""

from typing import Annotated

from ..event import AgencyCode, Event, S, Subject, event

BodyCode = Annotated[str, S]


class BodyEvent(Event):
    TOPIC = "meetings"
    STREAM = "body"
    body: BodyCode
    member: Subject


@event("body.member_named")
class MemberNamed(BodyEvent):
    """A named person of an agency enters the pool; `secretariat` holds the body's files (L5a). `desk`: for
    as long as he sits at that desk of the agency, or of a programme that it runs.
    """

    agency: AgencyCode
    secretariat: Annotated[bool, S] = False
    desk: Annotated[AgencyCode | None, S] = None


@event("body.member_pledged")
class MemberPledged(BodyEvent):
    """The pledge of secrecy, for one fiscal year (April–March)."""

    fiscal_year: Annotated[int, S]


@event("body.member_left")
class MemberLeft(BodyEvent):
    pass
