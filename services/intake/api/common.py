"""What the parts of the API share: standing in a case, one recorded fact as it is shown."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header
from pydantic import BaseModel, StringConstraints

from shared.basis import World
from shared.contracts import Event, Recorded, readable
from shared.contracts.codes import labels
from shared.contracts.event import AGENCY, SUBJECT
from shared.contracts.intake import CaseOpened, LeadAccepted, PersonDescribed, StaffAssigned
from shared.db import Connection
from shared.directory import Offices
from shared.http import (
    Body,
    Call,
    Caller,
    PathId,
    Receipt,
    to_uuid,
)
from shared.journal import Born, Past
from shared.offices import the_offices, with_offices
from shared.problems import Problem, bad_input, not_found
from shared.protection import hidden, protections

from .. import view
from ..domain import assignment
from ..domain import case as cases

Agency = Annotated[str, StringConstraints(pattern=AGENCY)]
Staff = Annotated[str, StringConstraints(pattern=SUBJECT)]
WORKERS = ("intake_worker", "agency_worker", "coordinator", "supervisor")
OFFICERS = ("privacy_officer", "supervisor")
NO_ID = UUID(int=0)


class Fact(BaseModel):
    """One recorded part of the sheet, opened for those who may see it."""

    case: UUID
    type: str
    version: int
    recorded_by: str
    at: datetime
    occurred_at: datetime
    values: dict[str, Any]
    protected: list[str]
    """Fields that hold something, kept from the caller's agency: 支援措置あり (L11)."""


class OnCase:
    """A call on a case in which the caller's agency has standing (404 otherwise). `staff`: who of that
    agency works the case, and who is blocked from it.
    """

    def __init__(
        self, call: Call, case: UUID, past: Past, staff_past: Past, offices: Offices
    ) -> None:
        self.call, self.case, self.past, self.staff_past = call, case, past, staff_past
        self._offices = offices
        self.staff: assignment.Assignment = staff_past.fold(assignment.DECIDER)
        self.state: cases.Case = past.fold(cases.DECIDER)
        self.events, self.version = past.events, past.version
        self._protected = protections(past.events)
        self._standing: dict[str, bool] = {}
        self.given: dict[tuple[str, str], dict[UUID, set[str]]] = {}
        """What bases give one agency of another's facts, as far as this call has asked: see `given`."""

    async def write(self, command: cases.Command, body: Body, **more: Any) -> Receipt:
        stream, key = f"case/{self.case}", str(self.case)
        return await self.call.handle(
            cases.DECIDER, stream, key, command, body, past=self.past, **more
        )

    async def stands(self, agency: str) -> bool:
        """It has own records of the case, or was asked to do something in it, itself or one of its desks;
        but not if all that it recorded went to others with a programme (L2). Asked once in a call.
        """
        if agency not in self._standing:
            self._standing[agency] = await self._stands(agency)
        return self._standing[agency]

    async def _stands(self, agency: str) -> bool:
        offices, now = self._offices, self.call.now()
        if agency in {keeper(offices, e, now) for e in self.events}:
            return True
        itself = [] if lost(offices, agency, self.past, now) else [agency]
        names = [*itself, *offices.desks_of(agency, now)]
        return await view.is_party(self.call.rt, names, self.case)

    @property
    def basis(self) -> str:
        return "lead" if self.call.who.agency == self.lead else "own_record"

    @property
    def lead(self) -> str:
        """Who leads the case; nobody when who leads it worked under a programme that he runs no more, and
        his successor has not taken the case over yet (L2, L9).
        """
        return self.state.lead if self.successor in (None, self.state.lead) else ""

    @property
    def successor(self) -> str | None:
        """Whose the case is by its lead's programme: "" between two contracts, None if it has none."""
        named = [e for e in self.events if isinstance(e.event, CaseOpened | LeadAccepted)]
        return self._holder(named[-1]) if named else None

    def _holder(self, named: Recorded) -> str | None:
        """Who stands now where somebody of the agency that leads made it the lead."""
        e, lead = named.envelope, getattr(named.event, "lead", "")
        if e.agency != lead or self._offices.programme_of(e.agency, e.actor, e.at) is None:
            return None
        return self.keeper(named) or ""

    def keeper(self, recorded: Recorded) -> str | None:
        """Whose own record it is now (L2)."""
        return keeper(self._offices, recorded, self.call.now())

    def reads(self, events: Iterable[Recorded] = ()) -> None:
        """The answer will tell of the case, as far as these events do."""
        self.call.reads(f"case/{self.case}", self.basis, events, self.case)

    def hidden(self, event: Event) -> list[str]:
        """L11: fields of an event that are protected from the caller's agency."""
        return hidden(self._protected, event, self.call.who.agency, self.call.now())

    def need_lead(self) -> None:
        if self.call.who.agency != self.lead:
            raise Problem("wrong-role")

    def shown(self) -> list[Recorded]:
        seen = [e for e in self.events if self.sees(e)]
        self.reads(seen)
        return seen

    def sees(self, recorded: Recorded) -> bool:
        """What is one's own agency's record, and what was recorded while it led the case (L20), unless it
        led it under a programme that it runs no more (L2): who takes a case over learns what came before
        from its document, by a basis. Nothing of what was disposed of.
        """
        if self.state.status == "disposed":
            return False
        led = [
            e.event.lead if self._holder(e) in (None, e.event.lead) else None
            for e in self.events
            if isinstance(e.event, CaseOpened | LeadAccepted) and _was_before(e, recorded)
        ]
        return self.call.who.agency in (*led[-1:], self.keeper(recorded))

    async def streams(self, *kinds: str) -> list[Past]:
        """All streams of these kinds that belong to the case, whoever sees them."""
        names = await view.streams_of(self.call.rt, self.case, *kinds)
        return await self.call.loads(*names)

    def hears(self, told: Recorded) -> bool:
        """Of a stream that several cases share: what was told in this one as if it were its own."""
        here = getattr(told.event, "told_in", None) == self.case
        return self.sees(told) if here else told.envelope.agency == self.call.who.agency


def _was_before(change: Recorded, recorded: Recorded) -> bool:
    one, other = change.envelope, recorded.envelope
    if one.stream == other.stream:
        return one.version <= other.version
    return one.version == 1 or one.at < other.at


async def standing(call: Call, case: UUID) -> OnCase:
    on = await stands_in(call, case)
    if on is None:
        raise not_found()
    call.need(*WORKERS)
    on.reads()
    return on


async def stands_in(call: Call, case: UUID) -> OnCase | None:
    """None for a stranger, whether there is such a case or not, and for who is blocked from it."""
    on = await _loaded(call, case)
    if not on.version or not await on.stands(call.who.agency):
        return None
    return None if call.who.subject in on.staff.blocked else on


async def _loaded(call: Call, case: UUID) -> OnCase:
    """Whatever the caller's standing is."""
    streams = f"case/{case}", assignment_of(call, case)
    (past, staff_past), offices = await with_offices(call.rt, *streams)
    return OnCase(call, case, past, staff_past, offices)


async def still_there(call: Call, of: Sequence[UUID]) -> set[UUID]:
    """Of cases that are listed for the caller's agency those that did not go to others with a programme."""
    offices, mine = await the_offices(call.rt), call.who.agency
    if all(agency != mine for agency, _ in offices.seats):
        return set(of)
    pasts = await call.loads(*(f"case/{case}" for case in of))
    now = call.now()
    return {c for c, past in zip(of, pasts, strict=True) if not lost(offices, mine, past, now)}


async def still_own(call: Call, pasts: Sequence[Past]) -> list[bool]:
    """Of streams to which the caller's agency wrote, which have anything of it that is its own yet (L2)."""
    offices, now, mine = await the_offices(call.rt), call.now(), call.who.agency
    return [
        any(e.envelope.agency == mine == keeper(offices, e, now) for e in past.events)
        for past in pasts
    ]


def lost(offices: Offices, agency: str, past: Past, at: datetime) -> bool:
    """It recorded something of the case, and all of that is another's now (L2)."""
    recorded = [e for e in past.events if e.envelope.agency == agency]
    gone = bool(recorded) and all(keeper(offices, e, at) != agency for e in recorded)
    holds = any(keeper(offices, e, at) == agency for e in past.events) if gone else False
    return gone and not holds and past.fold(cases.DECIDER).offered != agency


def keeper(offices: Offices, recorded: Recorded, at: datetime) -> str | None:
    e = recorded.envelope
    return offices.keeper(e.agency, e.actor, e.at, at)


def assignment_of(call: Call, case: UUID) -> str:
    """The stream of the caller agency's staff on a case."""
    return f"assignment/{call.who.agency}/{case}"


def taken_on(call: Call, case: UUID) -> Born:
    """What begins with a case: its opener works it."""
    mine = StaffAssigned(case=case, agency=call.who.agency, staff=call.who.subject)
    return assignment_of(call, case), str(case), [mine]


async def blocked_from(call: Call, case: UUID) -> bool:
    """L23, from the journal: up to date whatever the view knows."""
    past = await call.load(assignment_of(call, case))
    return call.who.subject in past.fold(assignment.DECIDER).blocked


async def on_case(id: PathId, call: Caller) -> OnCase:
    return await standing(call, to_uuid(id))


async def on_led_case(id: PathId, call: Caller) -> OnCase:
    """For the supervisors and the privacy officer of the lead agency (404 for other agencies)."""
    case = to_uuid(id)
    on = await _loaded(call, case)
    if on.lead != call.who.agency or call.who.subject in on.staff.blocked:
        raise not_found()
    call.need(*OFFICERS)
    on.reads()
    return on


async def again(on: OnCase, db: Connection) -> OnCase:
    """As it stands in this transaction (404 if the lead has gone to others meanwhile)."""
    past, staff_past = await on.call.rt.journal.load_all(
        [f"case/{on.case}", assignment_of(on.call, on.case)], db
    )
    found = OnCase(on.call, on.case, past, staff_past, await the_offices(on.call.rt))
    if found.lead != on.lead or on.call.who.subject in found.staff.blocked:
        raise not_found()
    return found


async def worker(call: Caller) -> Call:
    call.need(*WORKERS)
    return call


async def purpose(
    tsunagu_purpose: Annotated[
        str | None, Header(json_schema_extra={"enum": list(labels("reading_purpose"))})
    ] = None,
) -> None:
    """What a reading is for, where it is not what the caller's role is for; goes into its row (L21)."""


async def officer(call: Caller) -> Call:
    call.need(*OFFICERS)
    return call


OnCaseDep = Annotated[OnCase, Depends(on_case)]
OnLedCaseDep = Annotated[OnCase, Depends(on_led_case)]


def all_known(on: OnCase, people: list[UUID], field: str) -> None:
    if set(people) - on.state.people:
        raise bad_input(field, "not a person of this case / このケースの人ではありません")


def names(on: OnCase) -> dict[UUID, str]:
    """By person, as far as the caller sees them."""
    return {
        e.event.person: e.event.name
        for e in on.shown()
        if isinstance(e.event, PersonDescribed) and isinstance(e.event.name, str)
    }


async def in_directory(on: OnCase, codes: set[str], field: str) -> None:
    unknown = sorted(codes - set((await view.the_world(on.call.rt)).agencies))
    if unknown:
        raise bad_input(
            field, "not in the directory / 登録されていない機関です: " + ", ".join(unknown)
        )


async def may_be_named(on: OnCase, codes: set[str], field: str) -> World:
    """Agencies, or desks: what names a desk goes on with whoever has it (L2)."""
    known = await view.the_world(on.call.rt)
    unknown = sorted(codes - known.listed(on.call.now()))
    if unknown:
        raise bad_input(
            field, "not in the directory / 登録されていない機関・窓口です: " + ", ".join(unknown)
        )
    return known


def fact(on: OnCase, recorded: Recorded) -> Fact:
    protected = on.hidden(recorded.event)
    values = recorded.event.model_dump(
        exclude={"case", *protected}, exclude_none=True, warnings=False
    )
    shown = {k: readable(v) for k, v in values.items()}
    e = recorded.envelope
    return Fact(
        case=UUID(e.key),
        type=e.type,
        version=e.version,
        recorded_by=e.agency,
        at=e.at,
        occurred_at=e.occurred_at,
        values=shown,
        protected=protected,
    )
