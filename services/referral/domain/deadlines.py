"""Deadlines of referral: the first day of a contract, and the end of its last."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import Envelope, Event
from shared.contracts.referral import ContractEnded, ProgrammeContracted
from shared.deadline import Due, Timer

from . import programme


def plan(event: Event, envelope: Envelope) -> Iterable[Timer]:
    stream = envelope.stream
    match event:
        case ProgrammeContracted(contract=id, begins=begins, ends=ends):
            yield Timer(f"{stream}/{id}/begins", begins, stream, {"contract": str(id)})
            yield Timer(f"{stream}/{id}/ends", ends, stream, {"contract": str(id)})
        case ContractEnded(contract=id, ends=ends):
            yield Timer(f"{stream}/{id}/ends", ends, stream, {"contract": str(id)})


def fire(stream: str, command: dict[str, Any], due: datetime) -> Due:
    contract = UUID(command["contract"])
    return Due(programme.DECIDER, stream.split("/", 1)[1], programme.Tell(contract, due))
