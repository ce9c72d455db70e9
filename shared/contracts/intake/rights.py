"""What a person asks of the data about himself (開示・訂正・利用停止請求), and what is answered."""

from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from ..event import AgencyCode, Coded, Event, Id, People, Personal, S, Subject, event

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$"), S]


class RightsEvent(Event):
    TOPIC = "intake"
    STREAM = "rights"
    request: Id


@event("rights.requested")
class RightsRequested(RightsEvent):
    """`people`: the ids under which the one who asks is known, over all cases. `due_on`: the last day
    of the answer. `proxy`: who asks in his place, and in which right.
    """

    to: AgencyCode
    kind: Annotated[str, Coded("judgement", owner="request")]
    people: People
    identified_by: Annotated[str, Coded("judgement", owner="request")]
    proxy: Annotated[str | None, Personal("contact", owner="request")] = None
    text: Annotated[str | None, Personal("life_history", owner="request")] = None
    received_on: Annotated[date, S]
    due_on: Annotated[date, S]


@event("rights.extended")
class RightsExtended(RightsEvent):
    """Once, by as many days again, with a reason that is told to the person."""

    due_on: Annotated[date, S]
    reason: Annotated[str, Personal("judgement", owner="request")]


@event("rights.overdue")
class RightsOverdue(RightsEvent):
    """Written by the timer on the day after the last one."""


@event("rights.item_judged")
class RightsItemJudged(RightsEvent):
    """One field of one event is shown or withheld, otherwise than by default, and why."""

    event: Id
    field: FieldName
    outcome: Annotated[str, Coded("judgement", owner="request")]
    ground: Annotated[str | None, Coded("judgement", owner="request")] = None
    by: Subject


@event("rights.decided")
class RightsDecided(RightsEvent):
    """`ground`: the article of a refusal. `corrections`: the events that correct what was wrong."""

    outcome: Annotated[str, Coded("judgement", owner="request")]
    ground: Annotated[str | None, Coded("judgement", owner="request")] = None
    text: Annotated[str | None, Personal("judgement", owner="request")] = None
    corrections: Annotated[tuple[Id, ...], S] = ()
    shown: Annotated[int, S] = 0
    withheld: Annotated[int, S] = 0
    by: Subject


@event("rights.answered")
class RightsAnswered(RightsEvent):
    """The answer, with the file if there is one, was handed over; `digest` is SHA-256 of the file, keyed."""

    medium: Annotated[str, Coded("judgement", owner="request")]
    digest: Annotated[str | None, StringConstraints(pattern=r"^[0-9a-f]{64}$"), S] = None


@event("rights.withdrawn")
class RightsWithdrawn(RightsEvent):
    """The person no longer asks."""
