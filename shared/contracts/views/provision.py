"""What left by hand (提供記録, L21): on paper, by fax, telephone, print or export."""

from typing import Annotated

from ..event import CaseId, Coded, Event, Id, Personal, S, Subject, event
from .disclosure import ItemRef


class ProvisionEvent(Event):
    TOPIC = "views"
    STREAM = "provision"
    provision: Id
    case: CaseId


@event("provision.recorded")
class ProvisionRecorded(ProvisionEvent):
    """Items of a case were given by hand, to an agency (`to`) or to somebody who is none (`kind`,
    `receiver`). They rest on the bases of each item, or on a legal `ground`.
    """

    number: Annotated[str, S]
    approver: Subject
    items: Annotated[tuple[ItemRef, ...], S]
    way: Annotated[str, Coded("judgement")]
    purpose: Annotated[str, Personal("judgement")]
    to: Annotated[str | None, S] = None
    kind: Annotated[str | None, Coded("judgement")] = None
    receiver: Annotated[str | None, Personal("judgement")] = None
    ground: Annotated[str | None, Coded("judgement")] = None
    citation: Annotated[str | None, Personal("judgement")] = None


@event("provision.printed")
class SheetPrinted(ProvisionEvent):
    """The sheet was printed with these items; ce_actor says by whom."""

    items: Annotated[tuple[ItemRef, ...], S]


@event("provision.receiver_told")
class ReceiverTold(ProvisionEvent):
    """The receiver was told that the basis of these items has ended."""

    items: Annotated[tuple[ItemRef, ...], S]


@event("provision.given_back")
class GivenBack(ProvisionEvent):
    """The receiver gave these items back or destroyed them, or keeps them on the ground `kept`."""

    items: Annotated[tuple[ItemRef, ...], S]
    kept: Annotated[str | None, S] = None
