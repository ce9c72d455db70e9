"""Who was told to give content back, who has it, and who has not confirmed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.contracts import Recorded
from shared.contracts.intake import CaseOpened, LeadAccepted
from shared.contracts.views import BasisRef
from shared.http import After, Call, Caller, Limit, Route
from shared.problems import bad_input, not_found

from .. import account, view
from ..domain.retraction import State, retractions
from ..judge import Judge, Told
from .common import READERS

router = APIRouter(route_class=Route)
OFFICERS = ("privacy_officer", "supervisor")


class Withdrawn(BaseModel):
    """What was lawfully seen stays on record: what, and on which bases; never its content (L15)."""

    event: UUID
    type: str | None
    field: str
    bases: list[BasisRef]


class Retraction(BaseModel):
    """`told` of it, `delivered` to its system or topic, `overdue` since it is due, or `confirmed`: given
    back, or `kept` on that ground. `pending`: not confirmed.
    """

    agency: str
    case: UUID
    document: int
    items: list[Withdrawn]
    since: datetime
    due: datetime
    state: State
    pending: bool
    delivered_at: datetime | None
    overdue_at: datetime | None
    confirmed_at: datetime | None
    kept: str | None


@router.get("/v1/retractions")
async def list_retractions(
    call: Caller,
    case: Annotated[UUID | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    after: After = None,
    limit: Limit = 200,
) -> list[Retraction]:
    """Of one case, for who leads it or led it. Without `case` what is not confirmed of all cases that
    the caller's agency leads, for its officers: up to `limit` agencies' records from `after`, which
    is `<agency>/<case>` of the last one seen.
    """
    if case:
        told = await led(call, case)
        call.need(*READERS, *OFFICERS)
        streams, known = await account.disclosures_of(call.rt, [case]), {case: told}
    else:
        call.need(*OFFICERS)
        if state == "confirmed":
            raise bad_input("query.case", "name the case / ケースを指定してください")
        start = f"disclosure/{after}" if after else ""
        gone = {str(case) for case in await view.gone(call.rt, call.who)}
        found_streams = await account.unconfirmed(call.rt, call.who.agency, start, limit)
        streams = [one for one in found_streams if one.rpartition("/")[2] not in gone]
        known = {}
    found = await _shown(call, streams, known)
    if case is None:
        found = [one for one in found if one.pending]
    return [one for one in found if state in (None, one.state)]


async def led(call: Call, case: UUID) -> Told:
    """What is known of a case that the caller's agency leads or led (404 otherwise, and for who is
    blocked from it).
    """
    judge: Judge = call.rt.state["judge"]
    told = (await judge.load(call.rt.reads, [case]))[case]
    leads = {e.event.lead for e in told.own if isinstance(e.event, CaseOpened | LeadAccepted)}
    if call.who.agency not in leads or case in await view.gone(call.rt, call.who):
        raise not_found()
    return told


async def _shown(call: Call, streams: Sequence[str], known: dict[UUID, Told]) -> list[Retraction]:
    pasts = await asyncio.gather(*(call.load(stream) for stream in streams))
    cases = list({UUID(stream.rsplit("/", 1)[1]) for stream in streams})
    judge: Judge = call.rt.state["judge"]
    if missing := [case for case in cases if case not in known]:
        known = {**known, **await judge.load(call.rt.reads, missing)}
    sent = await account.on_broker(call.rt, cases)
    found: list[Retraction] = []
    for past in pasts:
        for one in retractions(past.events):
            of = one.document
            state = one.state(sent.get((of.agency, of.case), 0))
            found.append(
                Retraction(
                    agency=of.agency,
                    case=of.case,
                    document=of.document,
                    items=listed(one.items, known[of.case].events),
                    state=state,
                    pending=state != "confirmed",
                    **_moments(one),
                )
            )
    return found


def _moments(one: Any) -> dict[str, Any]:
    names = ("since", "due", "delivered_at", "overdue_at", "confirmed_at", "kept")
    return {name: getattr(one, name) for name in names}


def listed(items: Sequence[Any], events: Sequence[Recorded]) -> list[Withdrawn]:
    types = {e.envelope.id: short(e.envelope.type) for e in events}
    return [
        Withdrawn(event=i.event, type=types.get(i.event), field=i.field, bases=list(i.bases))
        for i in items
    ]


def short(type_: str) -> str:
    return type_.removeprefix("jp.tsunagu.").removesuffix(".v1")
