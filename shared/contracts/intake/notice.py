"""Notices-in (気になる人の連絡): short, possibly nameless, of no case until a worker takes them."""

from typing import Annotated
from uuid import UUID

from ..event import AgencyCode, CaseId, Coded, Event, Id, Personal, S, event


class NoticeEvent(Event):
    TOPIC = "intake"
    STREAM = "notice"
    notice: Id


@event("notice.received")
class NoticeReceived(NoticeEvent):
    """Somebody noticed somebody. `to` is asked to look; `about` is a name or what the person looks like;
    `watch`: the business or alarm unit of the registry that it came from.

    Sealed under keys of the notice: there is no case, and nobody has been identified.
    """

    to: AgencyCode
    kind: Annotated[str, Coded("reporter", owner="notice")]
    sender: Annotated[str | None, Personal("reporter", owner="notice")] = None
    phone: Annotated[str | None, Personal("reporter", owner="notice")] = None
    about: Annotated[str | None, Personal("contact", owner="notice")] = None
    place: Annotated[str | None, Personal("contact", owner="notice")] = None
    text: Annotated[str, Personal("life_history", owner="notice")]
    watch: Annotated[UUID | None, S] = None


@event("notice.taken")
class NoticeTaken(NoticeEvent):
    """A worker takes it into a case, an existing or a new one."""

    into: CaseId


@event("notice.closed")
class NoticeClosed(NoticeEvent):
    reason: Annotated[str, Coded("judgement", owner="notice")]
    note: Annotated[str | None, Personal("judgement", owner="notice")] = None
