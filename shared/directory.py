"""Who runs a programme, who sits at a desk, and so who holds a record, at a moment (L2). Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.referral import (
    ContractBegun,
    ContractEnded,
    ContractExpired,
    DeskClosed,
    DeskMemberLeft,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
)

OFFICE_TYPES = tuple(
    e.TYPE
    for e in (
        ProgrammeRegistered,
        ProgrammeContracted,
        ContractEnded,
        ContractBegun,
        ContractExpired,
        DeskRegistered,
        DeskClosed,
        DeskMemberNamed,
        DeskMemberLeft,
    )
)


@dataclass(frozen=True)
class Contract:
    """From `begins` until before `ends` the agency runs the programme."""

    id: UUID
    agency: str
    begins: datetime
    ends: datetime

    def runs(self, at: datetime) -> bool:
        return self.begins <= at < self.ends


@dataclass(frozen=True)
class Desk:
    code: str
    name: str
    agency: str | None
    programme: str | None
    shelter: bool = False
    closed_at: datetime | None = None

    def open(self, at: datetime) -> bool:
        return self.closed_at is None or at < self.closed_at


@dataclass(frozen=True)
class Seat:
    """A person of an agency at a desk, for as long as that agency has the desk."""

    desk: str
    since: datetime
    left_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.left_at is None or at < self.left_at)


class Passed(NamedTuple):
    """What this person did for that agency from `since` until before `until` (None: still) is `keeper`'s
    now; '': nobody's.
    """

    agency: str
    person: str
    since: datetime
    until: datetime | None
    keeper: str


@dataclass(frozen=True)
class Offices:
    """Programmes by code with their contracts, desks by code, seats by agency and person."""

    programmes: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, tuple[Contract, ...]] = field(default_factory=dict)
    desks: Mapping[str, Desk] = field(default_factory=dict)
    seats: Mapping[tuple[str, str], tuple[Seat, ...]] = field(default_factory=dict)

    def runner(self, programme: str, at: datetime) -> str | None:
        """Who runs it: by the contract that began last; None between two."""
        running = (c for c in self.contracts.get(programme, ()) if c.runs(at))
        return max(((c.begins, c.agency) for c in running), default=(at, None))[1]

    def desk_of(self, code: str, at: datetime) -> str | None:
        """The agency whose desk this is."""
        desk = self.desks.get(code)
        if desk is None or not desk.open(at):
            return None
        return self.runner(desk.programme, at) if desk.programme else desk.agency

    def named(self, code: str, at: datetime) -> str | None:
        """Whom a code of the directory means: an agency, or who has the desk."""
        return self.desk_of(code, at) if code in self.desks else code

    def desks_of(self, agency: str, at: datetime) -> set[str]:
        return {code for code in self.desks if self.desk_of(code, at) == agency}

    def programme_of(self, agency: str, person: str, at: datetime) -> str | None:
        """Under which programme somebody of that agency records; None: in its own right. Of several
        desks the one counts to which he was named last.
        """
        seats = self.seats.get((agency, person))
        if not seats:
            return None
        sits = [s for s in seats if s.holds(at) and self.desk_of(s.desk, at) == agency]
        if not sits:
            return None
        return self.desks[max(sits, key=lambda seat: (seat.since, seat.desk)).desk].programme

    def keeper(self, agency: str, person: str, then: datetime, at: datetime) -> str | None:
        """L2: who holds at `at` what this person of that agency recorded then."""
        programme = self.programme_of(agency, person, then)
        return agency if programme is None else self.runner(programme, at)

    def sits(self, agency: str, person: str, desk: str, at: datetime) -> bool:
        """At this desk, while his agency has it."""
        seats = self.seats.get((agency, person), ())
        seated = any(seat.desk == desk and seat.holds(at) for seat in seats)
        return seated and self.desk_of(desk, at) == agency

    def sitting(
        self, agency: str, person: str, desk: str, since: datetime
    ) -> tuple[datetime, datetime | None] | None:
        """The first stretch from `since` on in which he sits there without a break; None: he never does."""
        seats = self.seats.get((agency, person), ())
        turns = {turn for seat in seats if seat.desk == desk for turn in self._turns(seat)}
        moments = [since, *sorted(turn for turn in turns if turn > since)]
        there = [self.sits(agency, person, desk, moment) for moment in moments]
        if True not in there:
            return None
        first = there.index(True)
        end = there.index(False, first) if False in there[first:] else None
        return moments[first], None if end is None else moments[end]

    def passed(self, at: datetime) -> list[Passed]:
        """All that `keeper` gives to others than the agency whose staff recorded it."""
        found: list[Passed] = []
        for (agency, person), seats in self.seats.items():
            if not any(self._under(seat) for seat in seats):
                continue
            moments = sorted({moment for seat in seats for moment in self._turns(seat)})
            for since, until in pairwise((*moments, None)):
                assert since is not None
                keeper = self.keeper(agency, person, since, at) or ""
                if keeper != agency:
                    found.append(Passed(agency, person, since, until, keeper))
        return found

    def _under(self, seat: Seat) -> str | None:
        """The programme of its desk."""
        desk = self.desks.get(seat.desk)
        return desk.programme if desk else None

    def _turns(self, seat: Seat) -> Iterator[datetime]:
        """When he who has that seat may come to record for another."""
        desk = self.desks.get(seat.desk)
        ends = (seat.left_at, desk.closed_at if desk else None)
        yield from (seat.since, *(end for end in ends if end))
        if programme := self._under(seat):
            yield from self.moments((programme,))

    def moments(self, programmes: Iterable[str]) -> Iterator[datetime]:
        """When one of them passes from hand to hand."""
        for programme in programmes:
            for contract in self.contracts.get(programme, ()):
                yield from (contract.begins, contract.ends)


def offices(events: Iterable[Recorded]) -> Offices:
    """Fold a set of events of the directory, in any order."""
    names: dict[str, str] = {}
    contracts: dict[str, dict[UUID, Contract]] = {}
    ends: dict[UUID, datetime] = {}
    desks: dict[str, Desk] = {}
    closed: dict[str, datetime] = {}
    seats: dict[tuple[str, str], dict[tuple[str, datetime], datetime | None]] = {}
    for recorded in sorted(events, key=lambda e: (e.envelope.stream, e.envelope.version)):
        at = recorded.envelope.occurred_at
        match recorded.event:
            case ProgrammeRegistered(programme=code, name=name):
                names[code] = name
            case ProgrammeContracted(contract=id) as made:
                contract = Contract(id, made.agency, made.begins, made.ends)
                contracts.setdefault(made.programme, {})[id] = contract
            case ContractEnded(contract=id, ends=end):
                ends[id] = min(end, ends.get(id, end))
            case DeskRegistered(desk=code) as desk:
                desks[code] = Desk(code, desk.name, desk.agency, desk.programme, desk.shelter)
            case DeskClosed(desk=code):
                closed[code] = min(at, closed.get(code, at))
            case DeskMemberNamed(desk=code, agency=agency, member=person):
                seats.setdefault((agency, person), {}).setdefault((code, at), None)
            case DeskMemberLeft(desk=code, agency=agency, member=person):
                sat = seats.get((agency, person), {})
                for (of, since), left in list(sat.items()):
                    if of == code and left is None:
                        sat[of, since] = max(at, since)
    return Offices(
        names,
        {
            code: tuple(
                Contract(c.id, c.agency, c.begins, min(c.ends, ends.get(c.id, c.ends)))
                for c in made.values()
            )
            for code, made in contracts.items()
        },
        {
            code: Desk(d.code, d.name, d.agency, d.programme, d.shelter, closed.get(code))
            for code, d in desks.items()
        },
        {
            who: tuple(Seat(desk, since, left) for (desk, since), left in sat.items())
            for who, sat in seats.items()
        },
    )
