"""Events of referral, one noun a file: requests, the directory of agencies and desks, programmes."""

from .agency import (
    AgencyRegistered,
    DeskClosed,
    DeskEvent,
    DeskMemberLeft,
    DeskMemberNamed,
    DeskRegistered,
)
from .programme import (
    ContractBegun,
    ContractEnded,
    ContractExpired,
    ProgrammeContracted,
    ProgrammeEvent,
    ProgrammeRegistered,
)
from .request import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralEvent,
    ReferralReceived,
    ReferralRequested,
    ServiceStarted,
)

__all__ = [
    "AgencyRegistered",
    "ContractBegun",
    "ContractEnded",
    "ContractExpired",
    "DeskClosed",
    "DeskEvent",
    "DeskMemberLeft",
    "DeskMemberNamed",
    "DeskRegistered",
    "ProgrammeContracted",
    "ProgrammeEvent",
    "ProgrammeRegistered",
    "ReferralAccepted",
    "ReferralCompleted",
    "ReferralDeclined",
    "ReferralEvent",
    "ReferralReceived",
    "ReferralRequested",
    "ServiceStarted",
]
