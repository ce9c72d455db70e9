"""Referrals: asked on live bases, received and answered by the receiver, listed for both."""

from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field, ValidationError

from shared.blocks import blocked
from shared.calendar import TOKYO
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.referral import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralDeclined,
    ReferralReceived,
    ReferralRequested,
    ServiceStarted,
)
from shared.directory import Offices
from shared.grounds import classes_for
from shared.http import Body, Call, Caller, Limit, Page, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import Past
from shared.offices import the_offices
from shared.problems import Problem, bad_input, not_found

from .. import view
from ..domain import referral as referrals
from .common import ONCE, Agency, Day

router = APIRouter(route_class=Route)

Role = Literal["sender", "receiver"]
Status = Literal[
    "requested", "received", "accepted", "in_progress", "completed", "declined", "ended", "untracked"
]  # fmt: skip
WORKERS = ("intake_worker", "agency_worker", "coordinator", "supervisor")
STAFF = (*WORKERS, "system")
ONLY_RECEIVER = "only the receiving agency answers / 受け手の機関だけが回答できます"
ReferralId = Annotated[str, Path(alias="id", json_schema_extra={"format": "uuid"})]
NO_ID = UUID(int=0)
ASKED_AT = "requested_at"
TRACKED = (ASKED_AT, "received_at", "accepted_at", "ended_at")


class NewReferral(Body):
    """A request by the caller's agency to another one, about one person of a case."""

    case: UUID
    person: UUID
    receiver: Agency
    classes: Annotated[list[Annotated[str, *OneOf("data_class")]], ONCE] = Field(
        min_length=1, max_length=6
    )
    need: Text
    urgency: Annotated[str, *OneOf("urgency")] = "standard"
    wished_on: Day | None = None


class CaseNamed(BaseModel):
    """What of a new referral is read before all the rest."""

    case: UUID


class Receiving(Body):
    pass


class Acceptance(Body):
    first_contact_on: Day | None = None


class Declining(Body):
    code: Annotated[str, *OneOf("decline")]
    text: Text | None = None


class Start(Body):
    first_contact_on: Day


class Completion(Body):
    outcome: Annotated[str, *OneOf("referral_outcome")]
    text: Text | None = None


class DeclineShown(BaseModel):
    code: str | None
    text: str | None


class ReferralLine(BaseModel):
    """`sender` and `receiver` as it was asked. `followed_by`: who has now what the sender sent, itself or
    the next body of its programme; `answered_by`: who was asked, or has the desk that was; null: nobody.
    `undecided`: a person has to decide how it goes on, because nobody has the desk, or who was asked
    began it under a programme that another body runs now.
    """

    id: UUID
    case: UUID
    sender: str
    receiver: str
    status: str
    requested_at: datetime
    followed_by: str | None
    answered_by: str | None
    undecided: bool


class ReferralShown(ReferralLine):
    """Of what was asked the receiver sees the parts whose classes a live basis covers for it now, and the
    rest is null; `basis_missing` tells both that there is such a rest (L9). To who sent it `status` is
    received, in_progress (since `accepted_at`) or ended, in time untracked, and what is finer null,
    unless a basis lives that covers the answer for it (L10).
    """

    person: UUID | None
    classes: list[str]
    urgency: str | None
    wished_on: date | None
    need: str | None
    bases: list[UUID]
    basis_missing: bool
    decline: DeclineShown | None = None
    outcome: str | None = None
    first_contact_on: date | None = None
    received_at: datetime | None = None
    accepted_at: datetime | None = None
    declined_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    ended_at: datetime | None = None
    version: int


class OnReferral:
    """A call on a referral that the caller's agency sent or received, itself, by a desk that it has now or
    under a programme that it runs now (404 otherwise, and for who is blocked from the case).
    """

    def __init__(
        self,
        call: Call,
        past: Past,
        state: referrals.Referral,
        asked: ReferralRequested,
        of: Offices,
    ) -> None:
        self.call, self.past, self.status, self.asked = call, past, state.status, asked
        self._offices, self._now = of, call.now()
        self.answered_by = of.named(asked.receiver, self._now)

    @property
    def received(self) -> bool:
        return self.call.who.agency == self.answered_by

    @property
    def followed_by(self) -> str | None:
        """L2: whose record the request is."""
        e = self.past.events[0].envelope
        return self._offices.keeper(self.asked.sender, e.actor, e.at, self._now)

    @property
    def undecided(self) -> bool:
        e = self.past.events[-1].envelope
        if self.status not in referrals.OPEN or self.answered_by is None:
            return self.status in referrals.OPEN
        began = self.past.version > 1 and e.agency == self.asked.receiver
        keeper = self._offices.keeper(e.agency, e.actor, e.at, self._now)
        return began and keeper != e.agency

    async def write(self, command: referrals.Command, body: Body, **more: Any) -> Receipt:
        stream, key = f"referral/{self.asked.referral}", str(self.asked.case)
        return await self.call.handle(referrals.DECIDER, stream, key, command, body, **more)


async def on_referral(referral: ReferralId, call: Caller) -> OnReferral:
    past = await call.load(f"referral/{to_uuid(referral)}")
    state = past.fold(referrals.DECIDER)
    if state.requested is None:
        raise not_found()
    on = OnReferral(call, past, state, state.requested, await the_offices(call.rt))
    if call.who.agency not in (on.followed_by, on.answered_by):
        raise not_found()
    if await blocked(call.rt.reads, call.who, [on.asked.case]):
        raise not_found()
    call.need(*STAFF)
    return on


async def on_received(on: Annotated[OnReferral, Depends(on_referral)]) -> OnReferral:
    if not on.received:
        raise Problem("wrong-role", detail=ONLY_RECEIVER)
    return on


async def sender(call: Caller) -> Call:
    """Standing in the case that the body names comes before whatever else is wrong with it."""
    with suppress(ValidationError):
        named = CaseNamed.model_validate(await call.request.json())
        if not await view.has_standing(call.rt, call.who, named.case):
            raise not_found()
    call.need(*WORKERS)
    return call


async def staff(call: Caller) -> Call:
    call.need(*STAFF)
    return call


OnReferralDep = Annotated[OnReferral, Depends(on_referral)]
OnReceivedDep = Annotated[OnReferral, Depends(on_received)]
StaffDep = Annotated[Call, Depends(staff)]


@router.post("/v1/referrals", status_code=201)
async def request_referral(call: Annotated[Call, Depends(sender)], body: NewReferral) -> Receipt:
    """Only on bases that live now and together cover all the classes for the receiver."""
    rt, referral = call.rt, uuid7()
    world = await view.the_world(rt)
    given = (await view.bases_of(rt, body.case)).values()
    person, sender = body.person, call.who.agency
    receiver = world.meant(body.receiver, call.now()) or body.receiver
    bases = referrals.covering(given, person, sender, receiver, body.classes, world, call.now())
    requested = ReferralRequested(
        referral=referral,
        sender=sender,
        bases=bases,
        **body.model_dump(exclude={"occurred_at"}),
    )

    async def check() -> None:
        if body.receiver not in world.listed(call.now()):
            raise bad_input("body.receiver", "not in the directory / 機関一覧にありません")
        if receiver == call.who.agency:
            raise bad_input("body.receiver", "is the sender itself / 自機関には送れません")
        if not await view.is_person(rt, body.case, body.person):
            raise bad_input(
                "body.person", "not a person of this case / このケースの人ではありません"
            )

    return await call.handle(
        referrals.DECIDER,
        f"referral/{referral}",
        str(body.case),
        referrals.Request(requested),
        body,
        check=check,
        location="/v1/referrals/{id}",
        basis=str(bases[0]) if bases else None,
    )


@router.get("/v1/referrals")
async def list_referrals(
    call: StaffDep,
    role: Annotated[Role | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    after: Annotated[UUID, Query()] = NO_ID,
    limit: Limit = 50,
    undecided: bool = False,
) -> Page[ReferralLine]:
    """What the caller's agency sent and received, or has now by a programme; of what it sent only
    whether it was received, is in progress or ended, and `untracked` when it ended long ago (L10).
    `undecided`: only what a person has to decide since a programme has passed.
    """
    every = {*referrals.ALLOWED, *referrals.TRACKED.values(), referrals.UNTRACKED}
    statuses = every if status is None else {status}
    return await _page(call, role or "either", after, limit, tuple(statuses), undecided)


@router.get("/v1/inbox")
async def inbox(
    call: StaffDep, after: Annotated[UUID, Query()] = NO_ID, limit: Limit = 50
) -> Page[ReferralLine]:
    """What the caller's agency received and has not ended yet."""
    return await _page(call, "receiver", after, limit, referrals.OPEN)


async def _page(
    call: Call,
    role: str,
    after: UUID,
    limit: int,
    statuses: tuple[str, ...],
    undecided: bool = False,
) -> Page[ReferralLine]:
    rows = await view.referrals_of(call.rt, call.who, role, after, limit, statuses, undecided)
    items = [ReferralLine.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].id) if len(items) == limit else None)


@router.get("/v1/referrals/{id}")
async def get_referral(on: OnReferralDep) -> ReferralShown:
    call, asked = on.call, on.asked
    call.shows(on.past.version)
    world = await view.the_world(call.rt)
    given = await view.bases_of(call.rt, asked.case)
    receiver, teller = on.answered_by or asked.receiver, on.followed_by or ""
    covered = frozenset[str]().union(
        *(
            classes_for(basis, asked.person, receiver, teller, world, call.now())
            for basis in given.values()
        )
    )
    me = call.who.agency
    finer = on.received or any(
        referrals.ANSWER in classes_for(basis, asked.person, me, receiver, world, call.now())
        for basis in given.values()
    )
    return _shown(on, covered, finer)


@router.post("/v1/referrals/{id}/receipt")
async def receive(on: OnReceivedDep, body: Receiving) -> Receipt:
    return await on.write(referrals.Receive(), body)


@router.post("/v1/referrals/{id}/acceptance")
async def accept(on: OnReceivedDep, body: Acceptance) -> Receipt:
    return await on.write(referrals.Accept(body.first_contact_on), body)


@router.post("/v1/referrals/{id}/decline")
async def decline(on: OnReceivedDep, body: Declining) -> Receipt:
    return await on.write(referrals.Decline(body.code, body.text), body)


@router.post("/v1/referrals/{id}/service-start")
async def start(on: OnReceivedDep, body: Start) -> Receipt:
    """The day on which the person was met, today at the latest."""

    async def check() -> None:
        if body.first_contact_on > on.call.now().astimezone(TOKYO).date():
            raise bad_input("body.first_contact_on", "lies in the future / 未来の日付です")

    return await on.write(referrals.Start(body.first_contact_on), body, check=check)


@router.post("/v1/referrals/{id}/completion")
async def complete(on: OnReceivedDep, body: Completion) -> Receipt:
    return await on.write(referrals.Complete(body.outcome, body.text), body)


def _shown(on: OnReferral, covered: frozenset[str], finer: bool) -> ReferralShown:
    """`covered`: classes that live bases let the receiver be told."""
    asked = on.asked
    fields: dict[str, Any] = {}
    for recorded in on.past.events:
        at = recorded.envelope.occurred_at
        match recorded.event:
            case ReferralRequested():
                fields["requested_at"] = at
            case ReferralReceived():
                fields["received_at"] = at
            case ReferralAccepted(first_contact_on=day):
                fields |= {"accepted_at": at, "first_contact_on": day}
            case ServiceStarted(first_contact_on=day):
                fields |= {"started_at": at, "first_contact_on": day}
            case ReferralCompleted(outcome=outcome):
                fields |= {"completed_at": at, "ended_at": at, "outcome": readable(outcome)}
            case ReferralDeclined(code=code, text=text):
                declined = DeclineShown(code=readable(code), text=readable(text))
                fields |= {"declined_at": at, "ended_at": at, "decline": declined}
    status = on.status
    if not finer:
        status = referrals.told(status, on.past.events[-1].envelope.at, on.call.now())
        names = (ASKED_AT,) if status == referrals.UNTRACKED else TRACKED
        fields = {name: fields[name] for name in names if name in fields}
    classes, told = list(readable(asked.classes) or ()), covered
    if on.call.who.agency == on.followed_by:
        told = covered.union(classes, referrals.ASKED.values())
    for name, of in referrals.ASKED.items():
        fields[name] = readable(getattr(asked, name)) if of in told else None
    return ReferralShown(
        id=asked.referral,
        case=asked.case,
        person=asked.person if told else None,
        sender=asked.sender,
        receiver=asked.receiver,
        status=status,
        followed_by=on.followed_by,
        answered_by=on.answered_by,
        undecided=on.undecided,
        classes=[name for name in classes if name in told],
        wished_on=asked.wished_on if told else None,
        bases=list(asked.bases),
        basis_missing=not covered.issuperset((*classes, *referrals.ASKED.values())),
        version=on.past.version,
        **fields,
    )
