"""Programmes (事業) and who runs them under contract (委託契約), from when to when (L2)."""

from typing import Annotated

from ..event import AgencyCode, Event, Id, Moment, S, event


class ProgrammeEvent(Event):
    TOPIC = "referral"
    STREAM = "programme"
    programme: AgencyCode


@event("programme.registered")
class ProgrammeRegistered(ProgrammeEvent):
    name: Annotated[str, S]


@event("programme.contracted")
class ProgrammeContracted(ProgrammeEvent):
    """From `begins` until before `ends` the agency runs the programme."""

    contract: Id
    agency: AgencyCode
    begins: Moment
    ends: Moment


@event("programme.contract_ended")
class ContractEnded(ProgrammeEvent):
    """Ahead of its time: it runs until before `ends`."""

    contract: Id
    ends: Moment


@event("programme.contract_begun")
class ContractBegun(ProgrammeEvent):
    """Its first day has come."""

    contract: Id


@event("programme.contract_expired")
class ContractExpired(ProgrammeEvent):
    """Its last day is over: the programme's records are no longer held under it."""

    contract: Id
