"""Meetings: convened, shown with their agenda, held or cancelled."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from shared.basis import covers
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
from shared.http import Body, Call, Caller, Limit, Page, Receipt, Route
from shared.ids import uuid7
from shared.journal import Past
from shared.problems import bad_input

from .. import view
from ..domain import meeting as meetings
from ..domain import sitting as sittings
from .agenda import AnyBody
from .common import (
    HOSTS,
    NO_ID,
    Agency,
    Day,
    Nothing,
    StaffDep,
    all_registered,
    named_bodies,
    need_office,
    once,
    pool_of,
)
from .on_matter import load_matter
from .on_meeting import OnHostedDep, OnMeeting, OnMeetingDep

router = APIRouter(route_class=Route)


class NewMeeting(Body):
    bodies: list[AnyBody] = Field(min_length=1, max_length=20)
    local_name: Annotated[str, *OneOf("meeting_name")]
    planned_on: Day
    invited: list[Agency] = Field(min_length=1, max_length=70)


class Holding(Body):
    held_on: Day
    attended: list[Agency] = Field(max_length=70)
    online: bool = False


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


async def host(call: Caller) -> Call:
    """Every body of a meeting is convened by its office."""
    call.need(*HOSTS)
    for body in sorted(await named_bodies(call)):
        need_office(call, await pool_of(call, body))
    return call


@router.post("/v1/meetings", status_code=201)
async def convene(call: Annotated[Call, Depends(host)], body: NewMeeting) -> Receipt:
    """By a coordinator or supervisor of an agency that is the office of each of its bodies."""
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
    """The host sees the whole agenda; others what is on it by a consent that covers them still, and by
    matters they stand in: nothing of an item that was removed (L6, L14).
    """
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


async def _item(on: OnMeeting, past: Past) -> ItemShown | None:
    """None for an item that the caller's agency may not know of: each body keeps its own."""
    state: sittings.Sitting = past.fold(sittings.DECIDER)
    item = state.item
    if item is None:
        return None
    subjects = item.subjects if on.hosting else await _known(on, state, item)
    if not subjects:
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
        subjects=list(subjects),
        status="removed" if removed else "added",
        decisions=decisions if on.hosting else [],
        version=past.version,
        **times,
    )


async def _known(on: OnMeeting, state: sittings.Sitting, item: AgendaItemAdded) -> tuple[UUID, ...]:
    """Of whom an invited agency may know that they are discussed: it stands in the matter, or a consent of
    theirs covers it now, also after the sitting (L6); of nobody once the item left the agenda.
    """
    if state.status == "removed":
        return ()
    if item.matter:
        matter = await load_matter(on.call, item.matter)
        return item.subjects if matter and matter.stands() else ()
    call, world = on.call, await view.the_world(on.call.rt)
    given = (await view.consents_of(call.rt, item.case)).values()
    covered = {
        one.recorded.person for one in given if covers(one, call.who.agency, world, call.now())
    }
    return tuple(person for person in item.subjects if person in covered)
