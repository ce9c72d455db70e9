"""Meetings: sittings with their agenda of cases, holding, decisions."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from uuid_utils.compat import uuid7

from shared.basis import covers
from shared.blocks import blocked
from shared.calendar import TOKYO
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.meetings import (
    AgendaItemAdded,
    AgendaItemRemoved,
    DecisionRecorded,
    MeetingCancelled,
    MeetingConvened,
    MeetingHeld,
)
from shared.decider import Anything
from shared.http import Body, Call, Caller, Limit, Page, PathId, Receipt, Route, Text, to_uuid
from shared.journal import Past, Stale
from shared.problems import Problem, bad_input, not_found

from .. import view
from ..domain import meeting as meetings
from ..domain import sitting as sittings
from .common import (
    HOSTS,
    NO_ID,
    STAFF,
    Agency,
    Check,
    Day,
    Nothing,
    People,
    StaffDep,
    all_of_case,
    all_registered,
    body_of,
    named_case,
    once,
)
from .matters import load_matter, matters_of_case

router = APIRouter(route_class=Route)

AnyBody = Annotated[str, *body_of("statutory", "consented", "local")]
ONLY_HOST = "only the host does this / 主催機関だけができます"


class NewMeeting(Body):
    bodies: list[AnyBody] = Field(min_length=1, max_length=20)
    local_name: Annotated[str, *OneOf("meeting_name")]
    planned_on: Day
    invited: list[Agency] = Field(min_length=1, max_length=70)


class NewItem(Body):
    """One case for the agenda, before one of the meeting's bodies."""

    case: UUID
    body: AnyBody
    subjects: People
    matter: UUID | None = None


class Holding(Body):
    held_on: Day
    attended: list[Agency] = Field(max_length=70)
    online: bool = False


class SittingDecision(Body):
    """Empty `subjects` means the whole household."""

    case: UUID
    outcome: Annotated[str, *OneOf("sitting_outcome")]
    text: Text
    subjects: list[UUID] = Field([], max_length=20)


class MeetingLine(BaseModel):
    id: UUID
    bodies: list[str]
    local_name: str
    host: str
    planned_on: date
    held_on: date | None
    status: str


class OutcomeShown(BaseModel):
    """What was decided, for the host that recorded it. Null: erased."""

    subjects: list[UUID]
    outcome: str | None
    text: str | None
    occurred_at: datetime


class ItemShown(BaseModel):
    case: UUID
    body: str
    matter: UUID | None
    subjects: list[UUID]
    status: Literal["added", "removed"]
    added_at: datetime
    removed_at: datetime | None
    decisions: list[OutcomeShown]
    version: int


class MeetingShown(MeetingLine):
    invited: list[str]
    attended: list[str] | None
    online: bool | None
    agenda: list[ItemShown]
    version: int


@dataclass
class OnMeeting:
    """A call on a meeting that the caller's agency hosts or is invited to (404 otherwise).

    What is shown is the meeting with its cases: `version` counts the events of all of them.
    """

    call: Call
    id: UUID
    past: Past
    state: meetings.Meeting
    convened: MeetingConvened
    cases: dict[str, Past]

    @property
    def version(self) -> int:
        return self.past.version + sum(past.version for past in self.cases.values())

    @property
    def hosting(self) -> bool:
        return self.call.who.agency == self.convened.host

    def item(self, case: UUID) -> sittings.Sitting:
        past = self.cases.get(f"sitting/{self.id}/{case}", Past(0, []))
        state: sittings.Sitting = past.fold(sittings.DECIDER)
        return state

    async def write(
        self,
        decider: Anything,
        command: Any,
        body: Body,
        case: UUID | None = None,
        check: Check | None = None,
        basis: str | None = None,
    ) -> Receipt:
        """Into the stream of the meeting, or of one case at it. If-Match names the whole."""
        stream = f"sitting/{self.id}/{case}" if case else f"meeting/{self.id}"
        past = self.cases.get(stream, Past(0, [])) if case else self.past
        seen = self.call.if_match

        async def checked() -> None:
            if check:
                await check()
            if seen not in (None, self.version):
                raise Stale(self.version)

        receipt = await replace(self.call, if_match=None if seen is None else past.version).handle(
            decider, stream, str(case or self.id), command, body, check=checked, basis=basis
        )
        shown = {f"meeting/{self.id}", *self.cases, stream}
        self.call.shows(await view.shown_at(self.call.rt, shown, stream, receipt.version))
        return receipt


async def host(call: Caller) -> Call:
    call.need(*HOSTS)
    return call


async def on_meeting(id: PathId, call: Caller) -> OnMeeting:
    meeting = to_uuid(id)
    past = await call.load(f"meeting/{meeting}")
    state: meetings.Meeting = past.fold(meetings.DECIDER)
    convened = state.convened
    if convened is None or call.who.agency not in (convened.host, *convened.invited):
        raise not_found()
    call.need(*STAFF)
    streams = await view.sittings_of(call.rt, meeting)
    gone = await blocked(call.rt.reads, call.who, [_case_of(stream) for stream in streams])
    cases = {stream: await call.load(stream) for stream in streams if _case_of(stream) not in gone}
    return OnMeeting(call, meeting, past, state, convened, cases)


async def on_hosted(on: Annotated[OnMeeting, Depends(on_meeting)]) -> OnMeeting:
    if not on.hosting:
        raise Problem("wrong-role", detail=ONLY_HOST)
    on.call.need(*HOSTS)
    return on


async def on_agenda(on: Annotated[OnMeeting, Depends(on_hosted)]) -> OnMeeting:
    """A host puts a case on the agenda that it knows: as party to it, by consent, by a matter."""
    case = await named_case(on.call)
    if case and not await _knows(on.call, case):
        raise not_found()
    return on


async def on_decided(on: Annotated[OnMeeting, Depends(on_hosted)]) -> OnMeeting:
    case = await named_case(on.call)
    if case and await blocked(on.call.rt.reads, on.call.who, [case]):
        raise not_found()
    return on


def _case_of(stream: str) -> UUID:
    """Of `sitting/<meeting>/<case>`."""
    return UUID(stream.rpartition("/")[2])


async def _knows(call: Call, case: UUID) -> bool:
    if await blocked(call.rt.reads, call.who, [case]):
        return False
    if await view.is_party(call.rt, call.who, case):
        return True
    world = await view.the_world(call.rt)
    given = await view.consents_of(call.rt, case)
    if any(covers(one, call.who.agency, world, call.now()) for one in given.values()):
        return True
    return any(on.stands() for on in await matters_of_case(call, case))


OnMeetingDep = Annotated[OnMeeting, Depends(on_meeting)]
OnHostedDep = Annotated[OnMeeting, Depends(on_hosted)]


@router.post("/v1/meetings", status_code=201)
async def convene(call: Annotated[Call, Depends(host)], body: NewMeeting) -> Receipt:
    meeting = uuid7()
    convened = MeetingConvened(
        meeting=meeting,
        bodies=once(body.bodies),
        local_name=body.local_name,
        host=call.who.agency,
        planned_on=body.planned_on,
        invited=once(body.invited),
    )

    async def check() -> None:
        await all_registered(call, body.invited, "body.invited")

    return await call.handle(
        meetings.DECIDER,
        f"meeting/{meeting}",
        str(meeting),
        meetings.Convene(convened),
        body,
        check=check,
        location="/v1/meetings/{id}",
    )


@router.get("/v1/meetings")
async def list_meetings(
    call: StaffDep, after: Annotated[UUID, Query()] = NO_ID, limit: Limit = 50
) -> Page[MeetingLine]:
    """Those that the caller's agency hosts or is invited to."""
    rows = await view.meetings_of(call.rt, call.who.agency, after, limit)
    items = [MeetingLine.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].id) if len(items) == limit else None)


@router.get("/v1/meetings/{id}")
async def get_meeting(on: OnMeetingDep) -> MeetingShown:
    """The host sees the whole agenda; others the consented items, and matters they stand in."""
    held = next((e.event for e in on.past.events if isinstance(e.event, MeetingHeld)), None)
    agenda = [item for past in on.cases.values() if (item := await _item(on, past))]
    version = on.past.version + sum(item.version for item in agenda)
    on.call.shows(version)
    return MeetingShown(
        **on.convened.model_dump(exclude={"meeting"}),
        id=on.id,
        status=on.state.status,
        held_on=held.held_on if held else None,
        attended=list(held.attended) if held else None,
        online=held.online if held else None,
        agenda=agenda,
        version=version,
    )


@router.post("/v1/meetings/{id}/agenda")
async def add_item(on: Annotated[OnMeeting, Depends(on_agenda)], body: NewItem) -> Receipt:
    """L6: per person discussed, live consents must cover every invited agency. Before a
    statutory body a live matter of the case is the basis instead.
    """
    call, subjects = on.call, once(body.subjects)
    statutory = sittings.is_statutory(body.body)
    matter = await _live_matter(call, body) if statutory else None
    found = {} if statutory else await _covering(on, body.case, subjects)
    bases = (matter,) if matter else once([id for ids in found.values() for id in ids])
    added = AgendaItemAdded(
        meeting=on.id,
        case=body.case,
        body=body.body,
        subjects=subjects,
        invited=on.convened.invited,
        bases=bases,
        matter=matter,
        planned_at=datetime.combine(on.convened.planned_on, time.min, TOKYO),
    )

    async def check() -> None:
        if body.body not in on.convened.bodies:
            raise bad_input(
                "body.body", "not a body of this meeting / この会議の会議体ではありません"
            )
        if body.matter and not statutory:
            raise bad_input("body.matter", "only before a statutory body / 法定の会議体だけです")
        await all_of_case(call, body.case, subjects)
        bare = [person for person in found if not found[person]]
        if on.state.status == "planned" and (bare or not bases):
            raise _no_basis(bare)

    basis = str(bases[0]) if bases else None
    command = sittings.AddItem(added, on.state.status)
    return await on.write(sittings.DECIDER, command, body, body.case, check, basis)


@router.post("/v1/meetings/{id}/holding")
async def hold(on: OnHostedDep, body: Holding) -> Receipt:
    async def check() -> None:
        if body.held_on > on.call.now().astimezone(TOKYO).date():
            raise bad_input("body.held_on", "lies in the future / 未来の日付です")
        await all_registered(on.call, body.attended, "body.attended")

    held = MeetingHeld(
        meeting=on.id,
        held_on=body.held_on,
        attended=once(body.attended),
        online=body.online,
    )
    return await on.write(meetings.DECIDER, meetings.Hold(held), body, check=check)


@router.post("/v1/meetings/{id}/cancellation")
async def cancel(on: OnHostedDep, body: Nothing) -> Receipt:
    command = meetings.Cancel(MeetingCancelled(meeting=on.id))
    return await on.write(meetings.DECIDER, command, body)


@router.post("/v1/meetings/{id}/decisions")
async def record_decision(
    on: Annotated[OnMeeting, Depends(on_decided)], body: SittingDecision
) -> Receipt:
    """After the meeting was held, on an item that stayed on the agenda. Decisions of statutory
    bodies are sealed: they belong to the matter.
    """
    recorded = DecisionRecorded(
        meeting=on.id,
        case=body.case,
        subjects=once(body.subjects),
        text=body.text,
        outcome=body.outcome,
    )

    async def check() -> None:
        item = on.item(body.case).item
        if item and set(body.subjects) - set(item.subjects):
            raise bad_input(
                "body.subjects", "not a person of this item / この議題の人ではありません"
            )

    command = sittings.RecordDecision(recorded, on.state.status)
    return await on.write(sittings.DECIDER, command, body, body.case, check)


async def _live_matter(call: Call, body: NewItem) -> UUID | None:
    """The newest live matter of the case before that body, or the one named if it is one."""
    live = [
        on.submitted.matter
        for on in await matters_of_case(call, body.case)
        if on.state.status == "live" and on.submitted.body == body.body
    ]
    if body.matter:
        return body.matter if body.matter in live else None
    return max(live, default=None)


async def _covering(
    on: OnMeeting, case: UUID, subjects: tuple[UUID, ...]
) -> dict[UUID, tuple[UUID, ...]]:
    """For each person the consents that let every invited agency hear of them."""
    world = await view.the_world(on.call.rt)
    given = (await view.consents_of(on.call.rt, case)).values()
    now = on.call.now()
    return {
        person: sittings.covering(given, person, on.convened.invited, world, now)
        for person in subjects
    }


def _no_basis(bare: list[UUID]) -> Problem:
    """Names the persons whose consent is missing; without any it is the matter that is."""
    missing = "no live consent covers every invited agency / 参加機関すべてに及ぶ同意がありません"
    return Problem(
        "refused",
        reason="no-live-basis" if bare else "no-live-matter",
        state="planned",
        allowed=list(meetings.ALLOWED["planned"]),
        errors=[{"field": "body.subjects", "message": f"{id}: {missing}"} for id in bare] or None,
    )


async def _item(on: OnMeeting, past: Past) -> ItemShown | None:
    """None for an item that the caller's agency may not know of: each body keeps its own."""
    state: sittings.Sitting = past.fold(sittings.DECIDER)
    item = state.item
    if item is None:
        return None
    if item.matter and not on.hosting:
        matter = await load_matter(on.call, item.matter)
        if matter is None or not matter.stands():
            return None
    times: dict[str, Any] = {}
    decisions: list[OutcomeShown] = []
    for recorded in past.events:
        at = recorded.envelope.occurred_at
        match recorded.event:
            case AgendaItemAdded():
                times = {"added_at": at, "removed_at": None}
            case AgendaItemRemoved():
                times["removed_at"] = at
            case DecisionRecorded(subjects=subjects, outcome=outcome, text=text):
                decisions.append(
                    OutcomeShown(
                        subjects=list(subjects),
                        outcome=readable(outcome),
                        text=readable(text),
                        occurred_at=at,
                    )
                )
    removed = state.status == "removed"
    return ItemShown(
        case=item.case,
        body=item.body,
        matter=item.matter,
        subjects=[] if removed and not on.hosting else list(item.subjects),
        status="removed" if removed else "added",
        decisions=decisions if on.hosting else [],
        version=past.version,
        **times,
    )
