"""Who was told to give content back, who has it, and who has not confirmed."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.contracts import Recorded, readable
from shared.contracts.views import BasisRef
from shared.http import After, Call, Caller, Limit, Page, Route
from shared.problems import bad_input

from .. import account, view
from ..account import Withdrawal
from ..domain.deadlines import confirmation_due
from ..domain.provision import ended, ended_at, refs
from ..domain.retraction import State, retractions
from ..judge import Judge, Told
from .common import OFFICERS, READERS, led, short
from .disclosures import OnProvision, on_provisions

router = APIRouter(route_class=Route)
Asks = State | Literal["to_tell"]
ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PLACE = re.compile(f"(disclosure/[a-z0-9-]{{1,60}}/{ID})/([0-9]{{1,9}})|provision/{ID}")
START: Withdrawal = ("", 0)
TOGETHER = 100


class Withdrawn(BaseModel):
    """What was lawfully seen stays on record: what, and on which bases; never its content (L15)."""

    event: UUID
    type: str | None
    field: str
    bases: list[BasisRef]


class Retraction(BaseModel):
    """`told` of it, `delivered` to its system or topic, `overdue` since it is due, or `confirmed`: given
    back, or `kept` on that ground. `pending`: not confirmed. `to_tell`: somebody has it on paper or the
    like (`disclosure`), and has to be told by a person. `copies`: numbers of those that were printed
    with some of it, and are to be given back too.
    """

    way: Literal["document", "by_hand"] = "document"
    agency: str | None
    case: UUID
    document: int | None = None
    disclosure: UUID | None = None
    receiver: str | None = None
    items: list[Withdrawn]
    copies: list[int]
    since: datetime
    due: datetime
    state: Asks
    pending: bool
    delivered_at: datetime | None = None
    overdue_at: datetime | None = None
    confirmed_at: datetime | None = None
    kept: str | None = None


@dataclass(frozen=True)
class Asked:
    """One case, for who leads it or led it; or all that the caller's agency leads, less those `gone` for
    him. `known`: what was loaded of cases.
    """

    call: Call
    case: UUID | None
    state: Asks | None
    gone: Collection[UUID] = ()
    known: dict[UUID, Told] = field(default_factory=dict)

    async def withdrawn(self, after: Withdrawal, limit: int) -> list[Withdrawal]:
        rt, state = self.call.rt, self.state
        if state == "to_tell":
            return []
        if self.case:
            return await account.withdrawn(rt, self.case, state, after, limit)
        lead = self.call.who.agency
        return await account.unconfirmed(rt, lead, self.gone, state, after, limit)

    async def by_hand(self, after: str, limit: int) -> list[tuple[str, UUID]]:
        """Streams behind that one, each with its case."""
        if self.case:
            streams = sorted(await account.provisions_of(self.call.rt, self.case))
            return [(one, self.case) for one in streams if one > after][:limit]
        lead = self.call.who.agency
        return await account.provided(self.call.rt, lead, self.gone, after, limit)

    async def told(self, cases: Collection[UUID]) -> dict[UUID, Told]:
        judge: Judge = self.call.rt.state["judge"]
        if missing := list({*cases} - self.known.keys()):
            self.known.update(await judge.load(self.call.rt.reads, missing))
        return {case: self.known[case] for case in cases}

    def wants(self, one: Retraction) -> bool:
        """It may have come into another state since it was looked up."""
        return self.state in (None, one.state) and (self.case is not None or one.pending)


@router.get("/v1/retractions")
async def list_retractions(
    call: Caller,
    case: Annotated[UUID | None, Query()] = None,
    state: Annotated[Asks | None, Query()] = None,
    after: After = None,
    limit: Limit = 200,
) -> Page[Retraction]:
    """Of one case, for who leads it or led it. Without `case` what is not confirmed of all cases that
    the caller's agency leads, for its officers. What documents withdrew comes first, then what
    left by hand and has no basis any more.
    """
    asked = Asked(call, case, state)
    if case:
        asked.known[case] = await led(call, case)
        call.need(*READERS, *OFFICERS)
    else:
        call.need(*OFFICERS)
        asked = Asked(call, None, state, await view.gone(call.rt.reads, call.who))
        if state == "confirmed":
            raise bad_input("query.case", "name the case / ケースを指定してください")
    place, found = _place(after), list[Retraction]()
    if not isinstance(place, str):
        rows = await asked.withdrawn(place, limit)
        found = await _documents(asked, rows)
        if len(rows) == limit:
            return Page(items=found, next=_next(*rows[-1]))
        place = ""
    return await _handed(asked, found, place, limit)


def _place(after: str | None) -> Withdrawal | str:
    """A document that withdrew something, or the stream of what left by hand."""
    if after is None:
        return START
    place = PLACE.fullmatch(after)
    if place is None:
        raise bad_input("query.after", "use `next` as it was sent / next をそのまま付けてください")
    return (place[1], int(place[2])) if place[1] else after


def _next(stream: str, document: int) -> str:
    return f"{stream}/{document}"


async def _documents(asked: Asked, rows: Sequence[Withdrawal]) -> list[Retraction]:
    streams = list(dict.fromkeys(stream for stream, _ in rows))
    pasts = dict(zip(streams, await asked.call.loads(*streams), strict=True))
    told = await asked.told({UUID(stream.rpartition("/")[2]) for stream in streams})
    taken = await account.acknowledged(asked.call.rt, list(told))
    of = {
        (stream, one.document.document): one
        for stream, past in pasts.items()
        for one in retractions(past.events)
    }
    found: list[Retraction] = []
    for row in rows:
        one, document = of[row], of[row].document
        state = one.state(taken.get((document.agency, document.case), 0))
        found.append(
            Retraction(
                agency=document.agency,
                case=document.case,
                document=document.document,
                items=_items(one.items, told[document.case].events),
                copies=list(one.copies),
                state=state,
                pending=state != "confirmed",
                **_moments(one),
            )
        )
    return [one for one in found if asked.wants(one)]


def _moments(one: Any) -> dict[str, Any]:
    names = ("since", "due", "delivered_at", "overdue_at", "confirmed_at", "kept")
    return {name: getattr(one, name) for name in names}


def _items(items: Sequence[Any], events: Sequence[Recorded]) -> list[Withdrawn]:
    types = {e.envelope.id: short(e.envelope.type) for e in events}
    return [
        Withdrawn(event=i.event, type=types.get(i.event), field=i.field, bases=list(i.bases))
        for i in items
    ]


async def _handed(
    asked: Asked, found: list[Retraction], after: str, limit: int
) -> Page[Retraction]:
    """The page to its end. Whether a basis has ended is judged now (0028), so as many are looked at as it
    takes.
    """
    while of := dict(await asked.by_hand(after, TOGETHER)):
        for on in await on_provisions(asked.call, list(of), await asked.told({*of.values()})):
            after = f"provision/{on.id}"
            if (one := _by_hand(on)) and asked.wants(one):
                found.append(one)
                if len(found) == limit:
                    return Page(items=found, next=after)
    return Page(items=found)


def _by_hand(on: OnProvision) -> Retraction | None:
    """What was given and has no basis any more, whoever has it."""
    gone, left = ended(on.recorded, on.known), on.ended()
    if not gone:
        return None
    now = on.call.now()
    since = ended_at(gone, on.known) or now
    due = confirmation_due(since)
    asked = "told" if refs(left) <= on.state.told else "to_tell"
    state: Any = "confirmed" if not left else "overdue" if now >= due else asked
    return Retraction(
        way="by_hand",
        agency=on.recorded.to,
        case=on.recorded.case,
        disclosure=on.id,
        receiver=readable(on.recorded.receiver),
        items=_items(gone, on.told.events),
        copies=[copy.number for copy, its in on.copies if its & refs(gone)],
        since=since,
        due=due,
        state=state,
        pending=bool(left),
        kept=on.state.kept,
    )
