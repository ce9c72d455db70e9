"""A merge of two cases that were one: said, consent by consent confirmed, undone (L18)."""

from typing import Annotated

from ..event import CaseId, Event, Id, Personal, PersonId, S, event


class MergeEvent(Event):
    TOPIC = "intake"
    STREAM = "merge"
    merge: Id


@event("merge.merged")
class CasesMerged(MergeEvent):
    """`merged` goes on in `into`. Facts are joined, consents are not. `same`: pairs of a person of
    `merged` and the person of `into` who he is.
    """

    merged: CaseId
    into: CaseId
    same: Annotated[tuple[tuple[PersonId, PersonId], ...], S] = ()
    reason: Annotated[str | None, Personal("judgement", owner="merge")] = None


@event("merge.consent_confirmed")
class ConsentConfirmed(MergeEvent):
    """A worker has made sure that a consent given in the one case is meant for the other too."""

    consent: Id


@event("merge.undone")
class MergeUndone(MergeEvent):
    reason: Annotated[str, Personal("judgement", owner="merge")]
