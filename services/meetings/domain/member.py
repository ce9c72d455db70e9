"""The pool of one body: its named members, the fiscal years they pledged secrecy for (L5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.contracts import Event
from shared.contracts.meetings import MemberLeft, MemberNamed, MemberPledged
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Member:
    agency: str
    secretariat: bool = False
    here: bool = True
    years: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Pool:
    """Everyone ever named, by subject; who left is kept as not `here`."""

    members: Mapping[str, Member] = field(default_factory=dict)

    @property
    def now(self) -> dict[str, Member]:
        return {subject: member for subject, member in self.members.items() if member.here}


@dataclass(frozen=True)
class Name:
    named: MemberNamed


@dataclass(frozen=True)
class Pledge:
    pledged: MemberPledged


@dataclass(frozen=True)
class Leave:
    left: MemberLeft


Command = Name | Pledge | Leave
ALLOWED = {"here": ("pledge", "leaving"), "absent": ("naming",)}


def decide(state: Pool, command: Command) -> list[Event]:
    """What is so already is not written again."""
    match command:
        case Name(named):
            member = state.now.get(named.member)
            if member and (member.agency, member.secretariat) == (named.agency, named.secretariat):
                return []
            return [named]
        case Pledge(pledged):
            member = _here(state, pledged.member)
            return [] if pledged.fiscal_year in member.years else [pledged]
        case Leave(left):
            _here(state, left.member)
            return [left]


def _here(state: Pool, subject: str) -> Member:
    member = state.now.get(subject)
    if member is None:
        raise Refused("member-is-absent", "absent", ALLOWED["absent"])
    return member


def evolve(state: Pool, event: Event) -> Pool:
    match event:
        case MemberNamed(member=subject):
            # As in shared.basis: naming anew begins anew, a pledge is given again.
            return _with(state, subject, Member(event.agency, event.secretariat))
        case MemberPledged(member=subject) if known := state.members.get(subject):
            return _with(state, subject, replace(known, years=known.years | {event.fiscal_year}))
        case MemberLeft(member=subject) if known := state.members.get(subject):
            return _with(state, subject, replace(known, here=False))
        case _:
            return state


def _with(state: Pool, subject: str, member: Member) -> Pool:
    return Pool({**state.members, subject: member})


DECIDER = Decider(Pool(), decide, evolve)
