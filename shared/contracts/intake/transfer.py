"""A worker's cases pass to successors in one act (April): proposed, accepted, effective at its date."""

from typing import Annotated

from ..event import AgencyCode, CaseId, Event, Id, Moment, Personal, S, Subject, event


class TransferEvent(Event):
    TOPIC = "intake"
    STREAM = "transfer"
    transfer: Id


@event("transfer.proposed")
class TransferProposed(TransferEvent):
    """`cases` of `staff` are to pass on at `effective_at`, each to its place in `successors`."""

    agency: AgencyCode
    staff: Subject
    cases: Annotated[tuple[CaseId, ...], S]
    successors: Annotated[tuple[Subject, ...], S]
    effective_at: Moment


@event("transfer.accepted")
class TransferAccepted(TransferEvent):
    successor: Subject


@event("transfer.agreed")
class TransferAgreed(TransferEvent):
    """Every successor has accepted: a timer carries it out."""

    effective_at: Moment


@event("transfer.declined")
class TransferDeclined(TransferEvent):
    """One successor's no ends it; it is proposed anew."""

    successor: Subject
    note: Annotated[str | None, Personal("judgement", owner="transfer")] = None


@event("transfer.withdrawn")
class TransferWithdrawn(TransferEvent):
    """Before it took effect."""


@event("transfer.effected")
class TransferEffected(TransferEvent):
    """The cases have passed on, in the same transaction."""


@event("handover.written")
class HandoverWritten(Event):
    """The 引継書 of one case, in `handover/<transfer>/<case>`: it begins with the transfer."""

    TOPIC = "intake"
    STREAM = "handover"
    transfer: Id
    case: CaseId
    text: Annotated[str, Personal("life_history")]
