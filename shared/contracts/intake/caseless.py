"""Disposal of what ended without a case: notices that were closed, watches that were removed."""

from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from ..event import Event, Id, Personal, S, Subject, event
from .disposal import KeyId, Rule


class CaselessEvent(Event):
    """`caseless` is the id of the notice or the watch, whose key seals what is said here too (0046)."""

    TOPIC = "intake"
    STREAM = "caseless"
    caseless: Id


@event("caseless.hold_placed")
class CaselessHoldPlaced(CaselessEvent):
    """A dispute, an audit, a request of the person: it is not disposed of meanwhile."""

    reason: Annotated[str, Personal("judgement", owner="caseless")]


@event("caseless.hold_lifted")
class CaselessHoldLifted(CaselessEvent):
    """What held it is over."""


@event("caseless.disposal_proposed")
class CaselessDisposalProposed(CaselessEvent):
    """By the rule of `retention.toml` it could go since `run_out_on`."""

    rule: Rule
    run_out_on: Annotated[date, S]
    by: Subject


@event("caseless.disposal_declined")
class CaselessDisposalDeclined(CaselessEvent):
    by: Subject


@event("caseless.disposal_approved")
class CaselessDisposalApproved(CaselessEvent):
    """A second person has decided. `keys` are to be destroyed, at every restore again; `signature`
    says that intake has named them (`shared.erasure`).
    """

    by: Subject
    keys: Annotated[tuple[KeyId, ...], S]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), S]


@event("caseless.disposed")
class CaselessDisposed(CaselessEvent):
    """The keys are destroyed: nothing that was told in it can be opened any more."""

    approval: Id
