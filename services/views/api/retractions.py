"""Who was told to give content back, who has it, and who has not confirmed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.contracts import Recorded, readable
from shared.contracts.views import BasisRef
from shared.http import After, Call, Caller, Limit, Route
from shared.problems import bad_input

from .. import account, view
from ..domain.deadlines import confirmation_due
from ..domain.provision import ended, ended_at, refs
from ..domain.retraction import State, retractions
from ..judge import Judge, Told
from .common import READERS, led, short
from .disclosures import of_case

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
    back, or `kept` on that ground. `pending`: not confirmed. `to_tell`: somebody has it on paper or the
    like (`disclosure`), and has to be told by a person.
    """

    way: Literal["document", "by_hand"] = "document"
    agency: str | None
    case: UUID
    document: int | None = None
    disclosure: UUID | None = None
    receiver: str | None = None
    items: list[Withdrawn]
    since: datetime
    due: datetime
    state: State | Literal["to_tell"]
    pending: bool
    delivered_at: datetime | None = None
    overdue_at: datetime | None = None
    confirmed_at: datetime | None = None
    kept: str | None = None


@router.get("/v1/retractions")
async def list_retractions(
    call: Caller,
    case: Annotated[UUID | None, Query()] = None,
    state: Annotated[State | Literal["to_tell"] | None, Query()] = None,
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
        gone = await view.gone(call.rt, call.who)
        streams = await account.unconfirmed(call.rt, call.who.agency, start, limit)
        streams = [one for one in streams if UUID(one.rpartition("/")[2]) not in gone]
        known = {}
    found = await _shown(call, streams, known)
    if case:
        cases = [case]
    else:
        cases = [c for c in await account.provided(call.rt, call.who.agency) if c not in gone]
    for one, told in (known or await _told(call, cases)).items():
        found += await handed(call, one, told)
    if case is None:
        found = [one for one in found if one.pending]
    return [one for one in found if state in (None, one.state)]


async def _told(call: Call, cases: Sequence[UUID]) -> dict[UUID, Told]:
    judge: Judge = call.rt.state["judge"]
    return await judge.load(call.rt.reads, cases) if cases else {}


async def _shown(call: Call, streams: Sequence[str], known: dict[UUID, Told]) -> list[Retraction]:
    pasts = await call.loads(*streams)
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


async def handed(call: Call, case: UUID, told: Told) -> list[Retraction]:
    """What was given by hand and has no basis any more, whoever has it."""
    found: list[Retraction] = []
    for on in await of_case(call, case, told):
        gone, left = ended(on.recorded, on.known), on.ended()
        if not gone:
            continue
        since = ended_at(gone, on.known) or call.now()
        due = confirmation_due(since)
        late = call.now() >= due
        asked = "told" if refs(left) <= on.state.told else "to_tell"
        state: Any = "confirmed" if not left else "overdue" if late else asked
        name = on.recorded.receiver
        found.append(
            Retraction(
                way="by_hand",
                agency=on.recorded.to,
                case=case,
                disclosure=on.id,
                receiver=readable(name),
                items=listed(gone, told.events),
                since=since,
                due=due,
                state=state,
                pending=bool(left),
                kept=on.state.kept,
            )
        )
    return found
