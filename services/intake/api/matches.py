"""Likely duplicates: for the matching role, which asks the holding desk; the desk answers (L24)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from shared.blocks import blocked
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import MatchAnswered, MatchEnquired
from shared.http import (
    After,
    Body,
    Call,
    Caller,
    Limit,
    Page,
    PathId,
    Receipt,
    Route,
    Text,
    to_uuid,
)
from shared.journal import Past
from shared.problems import bad_input, not_found

from .. import likely, matching
from ..domain import match
from .common import WORKERS, blocked_from, worker

router = APIRouter(route_class=Route)
ROLE = "matcher"


class Enquiry(Body):
    """`asked_of`: which of the two cases; its lead agency is asked."""

    asked_of: UUID
    note: Text | None = None


class Answer(Body):
    answer: Annotated[str, *OneOf("match_answer")]
    note: Text | None = None


class Side(BaseModel):
    case: UUID
    lead: str
    person: UUID


class Match(BaseModel):
    """Two who may be one: no name, only in what they agree. `answer`: that of the desk asked last."""

    id: UUID
    points: float
    agrees: dict[str, Literal["equal", "near", "far"]]
    sides: list[Side]
    status: match.Status
    answer: str | None


class Question(BaseModel):
    """What the holding desk is told: its own case, its own person, and what the matching role says."""

    id: UUID
    case: UUID
    person: UUID
    asked_at: datetime
    note: str | None


class Step(BaseModel):
    """One enquiry, or one answer."""

    at: datetime
    agency: str
    to: str | None = None
    answer: str | None = None
    note: str | None


class MatchFile(BaseModel):
    id: UUID
    version: int
    status: match.Status
    steps: list[Step]


async def matcher(call: Caller) -> Call:
    call.need(ROLE)
    return call


Matcher = Annotated[Call, Depends(matcher)]


@router.get("/v1/matches")
async def list_matches(
    call: Matcher,
    after: After = None,
    limit: Limit = 50,
    status: Annotated[match.Status | None, Query()] = None,
) -> Page[Match]:
    """By id. Those that a desk called different come no more, unless `status` is `answered`."""
    start = to_uuid(after) if after else UUID(int=0)
    asked = None if status is None else status != "none"
    await likely.compare(call.rt)
    items: list[Match] = []
    while len(items) < limit and (found := await likely.pairs(call.rt, start, limit, asked)):
        states = await matching.states(call.rt, [pair.id for pair in found if pair.asked])
        for pair in found:
            state = states.get(pair.id, match.Match())
            if state.status == status or (status is None and state.answer != "different"):
                items.append(_shown(pair, state))
        start = found[-1].id
    for item in items[:limit]:
        call.reads(f"match/{item.id}", ROLE)
    return Page(items=items[:limit], next=str(items[limit - 1].id) if len(items) >= limit else None)


@router.get("/v1/matches/{id}")
async def get_match(id: PathId, call: Matcher) -> MatchFile:
    """What was asked and answered."""
    found = to_uuid(id)
    past = await call.load(f"match/{found}")
    if not past.events:
        raise not_found()
    call.shows(past.version)
    call.reads(f"match/{found}", ROLE, past.events)
    state: match.Match = past.fold(match.DECIDER)
    steps = [
        Step(
            at=e.envelope.occurred_at,
            agency=e.envelope.agency,
            to=getattr(e.event, "to", None),
            answer=readable(getattr(e.event, "answer", None)),
            note=readable(getattr(e.event, "note", None)),
        )
        for e in past.events
    ]
    return MatchFile(id=found, version=past.version, status=state.status, steps=steps)


@router.post("/v1/matches/{id}/enquiry")
async def enquire(id: PathId, call: Matcher, body: Enquiry) -> Receipt:
    """Asks the desk that leads one of the two cases; it is not told of the other."""
    found = to_uuid(id)
    pair = await likely.of_id(call.rt, found)
    if pair is None:
        raise not_found()
    side = next((side for side in pair.sides if side.case == body.asked_of), None)
    if side is None:
        raise bad_input("body.asked_of", "not one of the two / この候補のケースではありません")
    event = MatchEnquired(
        match=found,
        cases=tuple(one.case for one in pair.sides),
        people=tuple(one.person for one in pair.sides),
        to=side.lead,
        asked_of=side.case,
        person=side.person,
        note=body.note,
    )
    return await call.handle(match.DECIDER, f"match/{found}", str(found), event, body)


@router.get("/v1/enquiries")
async def list_enquiries(call: Annotated[Call, Depends(worker)]) -> list[Question]:
    """Those that wait for the caller's agency, the oldest first."""
    ids = await matching.waiting(call.rt, call.who.agency)
    last = [past.events[-1] for past in await call.loads(*(f"match/{id}" for id in ids))]
    asked = [(e, e.event) for e in last if isinstance(e.event, MatchEnquired)]
    gone = await blocked(call.rt.reads, call.who, [question.asked_of for _, question in asked])
    found: list[Question] = []
    for recorded, question in asked:
        if question.asked_of not in gone:
            call.reads(f"match/{question.match}", "asked", [recorded], question.asked_of)
            found.append(
                Question(
                    id=question.match,
                    case=question.asked_of,
                    person=question.person,
                    asked_at=recorded.envelope.occurred_at,
                    note=readable(question.note),
                )
            )
    return found


async def on_match(id: PathId, call: Caller) -> tuple[Call, UUID, Past]:
    """For a worker of the desk that was asked (404 otherwise)."""
    found = to_uuid(id)
    past = await call.load(f"match/{found}")
    state: match.Match = past.fold(match.DECIDER)
    if state.to != call.who.agency or state.asked_of is None:
        raise not_found()
    if await blocked_from(call, state.asked_of):
        raise not_found()
    call.need(*WORKERS)
    return call, found, past


@router.post("/v1/matches/{id}/answer")
async def answer(
    on: Annotated[tuple[Call, UUID, Past], Depends(on_match)], body: Answer
) -> Receipt:
    call, id, past = on
    event = MatchAnswered(match=id, answer=body.answer, note=body.note)
    return await call.handle(match.DECIDER, f"match/{id}", str(id), event, body, past=past)


def _shown(pair: likely.Pair, state: match.Match) -> Match:
    return Match(
        id=pair.id,
        points=pair.points,
        agrees=dict(pair.levels),
        sides=[Side(case=s.case, lead=s.lead, person=s.person) for s in pair.sides],
        status=state.status,
        answer=readable(state.answer),
    )
