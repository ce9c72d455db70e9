"""The pool of one body: its named members, the fiscal years they pledged secrecy for (L5)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts import Event
from shared.contracts.meetings import MemberLeft, MemberNamed, MemberPledged
from shared.decider import Decider, Refused

Seat = Literal["ahead", "taken", "over"]
"""Whether a member sits at the desk for which he was named: not yet, now, no more."""


@dataclass(frozen=True)
class Member:
    """`seat`: taken, for whoever was named for no desk."""

    agency: str
    secretariat: bool = False
    here: bool = True
    years: frozenset[int] = frozenset()
    desk: str | None = None
    seat: Seat = "taken"


@dataclass(frozen=True)
class Pool:
    """Everyone ever named, by subject; who left is kept as not `here`."""

    members: Mapping[str, Member] = field(default_factory=dict)

    @property
    def now(self) -> dict[str, Member]:
        return {s: member for s, member in self.named.items() if member.seat == "taken"}

    @property
    def named(self) -> dict[str, Member]:
        """Those of now and those whose seat is still to come."""
        return {s: one for s, one in self.members.items() if one.here and one.seat != "over"}

    @property
    def office(self) -> set[str]:
        """Agencies of its secretariat (L5a): they keep the pool and convene the body."""
        return {one.agency for one in self.now.values() if one.secretariat}

    def seated(self, ahead: Collection[str], over: Collection[str]) -> "Pool":
        """As it is known from the directory who sits at his desk."""
        seats: dict[str, Seat] = {**dict.fromkeys(ahead, "ahead"), **dict.fromkeys(over, "over")}
        return Pool({s: replace(m, seat=seats.get(s, "taken")) for s, m in self.members.items()})


@dataclass(frozen=True)
class Name:
    """`over`, here and below: that he sits no more at the desk for which he was named last."""

    named: MemberNamed
    over: bool = False


@dataclass(frozen=True)
class Pledge:
    pledged: MemberPledged
    over: bool = False


@dataclass(frozen=True)
class Leave:
    left: MemberLeft


Command = Name | Pledge | Leave
ALLOWED = {"here": ("pledge", "leaving"), "absent": ("naming",)}


def decide(state: Pool, command: Command) -> list[Event]:
    """What is so already is not written again."""
    match command:
        case Name(named, over):
            member = state.now.get(named.member)
            same = member and (member.agency, member.secretariat, member.desk) == (
                named.agency, named.secretariat, named.desk,
            )  # fmt: skip
            return [] if same and not over else [named]
        case Pledge(pledged, over):
            member = _here(state, pledged.member, over)
            return [] if pledged.fiscal_year in member.years else [pledged]
        case Leave(left):
            _here(state, left.member)
            return [left]


def _here(state: Pool, subject: str, over: bool = False) -> Member:
    member = state.now.get(subject)
    if member is None or over:
        raise Refused("member-is-absent", "absent", ALLOWED["absent"])
    return member


def evolve(state: Pool, event: Event) -> Pool:
    match event:
        case MemberNamed(member=subject):
            # As in shared.basis: naming anew begins anew, a pledge is given again.
            return _with(state, subject, Member(event.agency, event.secretariat, desk=event.desk))
        case MemberPledged(member=subject) if known := state.members.get(subject):
            return _with(state, subject, replace(known, years=known.years | {event.fiscal_year}))
        case MemberLeft(member=subject) if known := state.members.get(subject):
            return _with(state, subject, replace(known, here=False))
        case _:
            return state


def _with(state: Pool, subject: str, member: Member) -> Pool:
    return Pool({**state.members, subject: member})


DECIDER = Decider(Pool(), decide, evolve)
