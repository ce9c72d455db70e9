"""The end of a case's data: when its time has run out, by two persons; and what holds that up."""

from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from ..event import CaseId, Id, People, Personal, S, Subject, event
from .case import CaseEvent

KeyId = Annotated[str, StringConstraints(pattern=r"^(text|person)/[0-9a-f-]{36}$")]
Rule = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$"), S]


@event("case.hold_placed")
class HoldPlaced(CaseEvent):
    """A dispute, an audit, a request of the person: nothing of the case is disposed of meanwhile."""

    reason: Annotated[str, Personal("judgement")]


@event("case.hold_lifted")
class HoldLifted(CaseEvent):
    """What held the data is over."""


@event("case.disposal_proposed")
class DisposalProposed(CaseEvent):
    """By the rule of `retention.toml` the data could go since `run_out_on`."""

    rule: Rule
    run_out_on: Annotated[date, S]
    by: Subject


@event("case.disposal_declined")
class DisposalDeclined(CaseEvent):
    by: Subject


@event("case.disposal_approved")
class DisposalApproved(CaseEvent):
    """A second person has decided. `keys` are to be destroyed, at every restore again; `signature`
    says that intake has named them (`shared.erasure`). `people`: whose keys they are. `joined`: the
    cases that stood together with it by merges; they go by decisions of their own.
    """

    by: Subject
    people: People = ()
    keys: Annotated[tuple[KeyId, ...], S]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), S]
    joined: Annotated[tuple[CaseId, ...], S] = ()


@event("case.disposed")
class CaseDisposed(CaseEvent):
    """The keys are destroyed: nothing that was told of these people can be opened any more."""

    approval: Id
