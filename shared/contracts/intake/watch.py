"""The registry of who watches over people: 見守り協力事業者, and 緊急通報装置 with their 協力員."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from ..event import AgencyCode, Coded, Event, Id, Personal, S, event

WatchKind = Literal["partner", "alarm_unit"]


class Named(BaseModel):
    """Somebody of a watch: who has the unit, or a 協力員 who looks in when it rings."""

    model_config = ConfigDict(frozen=True)
    name: str
    phone: str | None = None
    address: str | None = None


class WatchEvent(Event):
    """Sealed under keys of the watch: it belongs to no case."""

    TOPIC = "intake"
    STREAM = "watch"
    watch: Id


class About(WatchEvent):
    """What the registry says. `name`: the business, or the number of the unit; `place`: the area that it
    watches, or where the unit stands; `users` and `helpers` (協力員, two of them) are those of a unit.
    """

    name: Annotated[str, Personal("reporter", owner="watch")]
    contact: Annotated[str | None, Personal("reporter", owner="watch")] = None
    phone: Annotated[str | None, Personal("reporter", owner="watch")] = None
    place: Annotated[str | None, Personal("contact", owner="watch")] = None
    users: Annotated[tuple[Named, ...] | None, Personal("contact", owner="watch")] = None
    helpers: Annotated[tuple[Named, ...] | None, Personal("contact", owner="watch")] = None
    note: Annotated[str | None, Personal("life_history", owner="watch")] = None


@event("watch.registered")
class WatchRegistered(About):
    """A business joined, or a unit was installed. `agency` keeps the registry."""

    agency: AgencyCode
    kind: Annotated[WatchKind, S]


@event("watch.corrected")
class WatchCorrected(About):
    """All of it as it should have been, and why (L17)."""

    reason: Annotated[str, Personal("judgement", owner="watch")]


@event("watch.moved")
class WatchMoved(WatchEvent):
    """The unit stands elsewhere now, or the business watches another area."""

    place: Annotated[str, Personal("contact", owner="watch")]


@event("watch.suspended")
class WatchSuspended(WatchEvent):
    """For a time: the user is in hospital, say."""

    reason: Annotated[str, Coded("life_history", owner="watch")]
    note: Annotated[str | None, Personal("life_history", owner="watch")] = None


@event("watch.resumed")
class WatchResumed(WatchEvent):
    pass


@event("watch.removed")
class WatchRemoved(WatchEvent):
    """The unit was taken away, or the business left. Nothing follows."""

    reason: Annotated[str, Coded("life_history", owner="watch")]
    note: Annotated[str | None, Personal("life_history", owner="watch")] = None


@event("watch.called")
class WatchCalled(WatchEvent):
    """A monthly call reached the user of a unit."""

    result: Annotated[str, Coded("life_history", owner="watch")]
    note: Annotated[str | None, Personal("life_history", owner="watch")] = None


@event("watch.missed")
class WatchMissed(WatchEvent):
    """Nobody answered: that month's call is still to be made."""

    note: Annotated[str | None, Personal("life_history", owner="watch")] = None
