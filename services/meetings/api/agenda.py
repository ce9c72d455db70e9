"""The agenda of a meeting: a case put on it by a live basis (L6), and what was decided of it."""

from datetime import datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from shared.basis import covers
from shared.blocks import blocked
from shared.calendar import TOKYO
from shared.contracts.codes import OneOf
from shared.contracts.meetings import AgendaItemAdded, DecisionRecorded
from shared.http import Body, Call, Receipt, Route, Text
from shared.problems import Problem, bad_input, not_found

from .. import view
from ..domain import meeting as meetings
from ..domain import sitting as sittings
from .common import People, all_of_case, body_of, named_case, once
from .on_matter import matters_of_case
from .on_meeting import OnMeeting, on_hosted

router = APIRouter(route_class=Route)


AnyBody = Annotated[str, *body_of("statutory", "consented", "local")]


class NewItem(Body):
    """One case for the agenda, before one of the meeting's bodies."""

    case: UUID
    body: AnyBody
    subjects: People
    matter: UUID | None = None


class SittingDecision(Body):
    """Empty `subjects` means the whole household."""

    case: UUID
    outcome: Annotated[str, *OneOf("sitting_outcome")]
    text: Text
    subjects: list[UUID] = Field([], max_length=20)


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


@router.post("/v1/meetings/{id}/agenda")
async def add_item(on: Annotated[OnMeeting, Depends(on_agenda)], body: NewItem) -> Receipt:
    """L6: per person discussed, live consents must cover every invited agency. Before a
    statutory body a live matter of the case is the basis instead.
    """
    call, subjects = on.call, once(body.subjects)
    planned_at = datetime.combine(on.convened.planned_on, time.min, TOKYO)
    statutory = sittings.is_statutory(body.body, planned_at)
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
        planned_at=planned_at,
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
