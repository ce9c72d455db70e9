"""Two persons of two cases who may be one: asked of the desk that holds one of them, answered (L24)."""

from typing import Annotated

from ..event import AgencyCode, CaseId, Coded, Event, Id, People, Personal, PersonId, S, event


class MatchEvent(Event):
    TOPIC = "intake"
    STREAM = "match"
    match: Id


@event("match.enquired")
class MatchEnquired(MatchEvent):
    """`to` leads `asked_of` and is asked of `person`; it is not told of the other case."""

    cases: Annotated[tuple[CaseId, ...], S]
    people: People
    to: AgencyCode
    asked_of: CaseId
    person: PersonId
    note: Annotated[str | None, Personal("judgement", owner="match")] = None


@event("match.answered")
class MatchAnswered(MatchEvent):
    answer: Annotated[str, Coded("judgement", owner="match")]
    note: Annotated[str | None, Personal("judgement", owner="match")] = None
