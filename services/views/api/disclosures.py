"""What leaves by hand (L21): recorded with its basis and approver, printed with a mark, asked back."""

from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, StringConstraints, model_validator

from shared.calendar import TOKYO, fiscal_year
from shared.contracts import readable
from shared.contracts.codes import OneOf, labels
from shared.contracts.event import SUBJECT
from shared.contracts.views import (
    GivenBack,
    ItemRef,
    ProvisionRecorded,
    ReceiverTold,
    SheetPrinted,
)
from shared.http import Body, Call, Caller, Line, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW, Past
from shared.pages import pages
from shared.problems import bad_input, not_found

from .. import account
from ..domain.facts import Fact
from ..domain.giving import Give, Known
from ..domain.history import Copy, Ref
from ..domain.provision import DECIDER, Provision, ended, refs
from ..judge import Judge, Told
from .common import Code, SureDep, led, need_sure

router = APIRouter(route_class=Route)
STAFF = ("intake_worker", "coordinator", "supervisor", "privacy_officer")
Staff = Annotated[str, StringConstraints(pattern=SUBJECT)]
PAGES = pages(__file__)


class Item(BaseModel):
    model_config = {"extra": "forbid"}
    event: UUID
    field: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,60}$")]


class NewDisclosure(Body):
    """`to` an agency, or `kind` and `receiver` of somebody who is none. To an agency goes what it may
    hold; if a `consent` or a `ground` is named, what that carries to it. To anybody else what a
    `ground` in law with its citation gives.
    """

    case: UUID
    way: Annotated[str, *OneOf("hand_way")]
    to: Code | None = None
    kind: Annotated[str, *OneOf("receiver_kind")] | None = None
    receiver: Line | None = None
    items: list[Item] = Field(min_length=1, max_length=200)
    purpose: Text
    consent: UUID | None = None
    ground: Annotated[str, *OneOf("hand_ground")] | None = None
    citation: Line | None = None
    approver: Staff

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.to is None) != (self.kind is not None and self.receiver is not None):
            raise ValueError("name an agency, or kind and receiver / 提供先が必要です")
        if (self.ground is None) != (self.citation is None):
            raise ValueError(
                "a ground and its citation belong together / 根拠と条文は一緒に指定します"
            )
        if not (self.to or self.ground or self.consent):
            raise ValueError("name the consent or the ground / 同意か根拠が必要です")
        return self


class Return(Body):
    kept: Annotated[str, *OneOf("kept")] | None = None


class HandMade(BaseModel):
    """`ended`: items whose basis has ended and that were not given back. `copies`: sheets, by number."""

    id: UUID
    number: str
    case: UUID
    way: str | None
    to: str | None
    kind: str | None
    receiver: str | None
    purpose: str | None
    ground: str | None
    citation: str | None
    actor: str
    approver: str
    at: datetime
    occurred_at: datetime
    items: list[ItemRef]
    ended: list[Item]
    copies: list[Copy]


class OnProvision:
    """A record of a case that the caller's agency leads or led (404 otherwise)."""

    def __init__(self, call: Call, id: UUID, past: Past, told: Told, known: Known) -> None:
        self.call, self.id, self.past, self.told, self.known = call, id, past, told, known
        self.state: Provision = past.fold(DECIDER)
        assert self.state.recorded
        self.recorded = self.state.recorded

    @property
    def copies(self) -> list[tuple[Copy, frozenset[Ref]]]:
        """Sheets that were printed, each with its items."""
        sheets = [e for e in self.past.events if isinstance(e.event, SheetPrinted)]
        return [
            (Copy(n, e.envelope.actor, e.envelope.at), refs(e.event.items))
            for n, e in enumerate(sheets, 1)
            if isinstance(e.event, SheetPrinted)
        ]

    def ended(self) -> tuple[ItemRef, ...]:
        """Whose basis has ended, and which were not given back."""
        gone = ended(self.recorded, self.known)
        return tuple(item for item in gone if (item.event, item.field) not in self.state.back)

    def printable(self) -> tuple[ItemRef, ...]:
        """Of its items what this agency holds still, and the receiver may have."""
        given, known = self.recorded, self.known
        theirs = frozenset(known.shown(given.to)) if given.to else known.by_law(given)
        allowed = theirs.intersection(known.shown(self.call.who.agency))
        return tuple(i for i in given.items if (i.event, i.field) in allowed)

    def receiver(self) -> str:
        given = self.recorded
        if given.to:
            return self.known.world.agencies[given.to].name
        kind = labels("receiver_kind").get(readable(given.kind) or "", "")
        return f"{kind} {readable(given.receiver) or ''}".strip()

    async def write(self, command: Any, body: Body) -> Receipt:
        return await self.call.handle(
            DECIDER, f"provision/{self.id}", str(self.recorded.case), command, body, past=self.past
        )

    async def printed(self, event: SheetPrinted, body: Body) -> int:
        """The number of the copy. There is one more on paper whatever the Idempotency-Key says."""
        call, stream = self.call, f"provision/{self.id}"
        context = replace(call.context(body.occurred_at), command=None)
        call.need_whole()
        done = await call.rt.journal.handle(
            DECIDER, stream, str(self.recorded.case), event, context, call.if_match, self.past
        )
        past = await call.load(stream)
        return sum(isinstance(e.event, SheetPrinted) for e in past.events[: done.version])


async def on_provision(id: PathId, call: Caller) -> OnProvision:
    found = to_uuid(id)
    past = await call.load(f"provision/{found}")
    if not past.events:
        raise not_found()
    told = await led(call, UUID(past.events[0].envelope.key))
    call.need(*STAFF)
    return OnProvision(call, found, past, told, await known(call, told))


OnProvisionDep = Annotated[OnProvision, Depends(on_provision)]


async def known(call: Call, told: Told) -> Known:
    judge: Judge = call.rt.state["judge"]
    world = await judge.world(call.rt.reads)
    return Known(tuple(told.facts), told.bases, world, call.now())


@router.post("/v1/disclosures", status_code=201)
async def record(call: Caller, sure: SureDep, body: NewDisclosure) -> Receipt:
    """By staff of the agency that leads or led the case, of what that agency itself may hold. The answer
    names the record; its copy number is on `GET /v1/disclosures/{id}`.

    409, and nothing is recorded: `no-basis-for-agency` (`state` names the items: record a consent, an
    urgent basis or a ground for it first), `consent-names-agencies-only` (name the `ground` in law by
    which somebody who is no agency gets it), `not-by-this-ground` (leave these `items` out). 503 while a
    basis may have ended unheard, as documents do not grow then.
    """
    told = await led(call, body.case)
    call.need(*STAFF)
    knows, id = await known(call, told), uuid7()
    mine = knows.shown(call.who.agency)

    async def check() -> None:
        if body.approver == call.who.subject:
            raise bad_input("body.approver", "another person approves / 本人以外の承認が必要です")
        if body.to and body.to not in knows.world.agencies:
            raise bad_input("body.to", "not in the directory / 機関一覧にありません")
        for n, item in enumerate(body.items):
            if (item.event, item.field) not in mine:
                raise bad_input(
                    f"body.items.{n}", "not held by your agency / 自機関が保有していません"
                )
        need_sure(sure, told)

    named = dict.fromkeys((item.event, item.field) for item in body.items)
    items = tuple(ItemRef(event=event, field=field, bases=()) for event, field in named)
    fields = body.model_dump(exclude={"case", "items", "consent", "occurred_at"})
    year, mark = fiscal_year(call.now()), b32encode(id.bytes[-5:]).decode()
    given = ProvisionRecorded(
        provision=id, case=body.case, number=f"{year}-{mark}", items=items, **fields
    )
    return await call.handle(
        DECIDER,
        f"provision/{id}",
        str(body.case),
        Give(given, body.consent, knows),
        body,
        check=check,
        location="/v1/disclosures/{id}",
        past=NEW,
    )


@router.get("/v1/disclosures")
async def list_by_hand(call: Caller, case: Annotated[UUID, Query()]) -> list[HandMade]:
    """All that left by hand of a case, for staff of the agency that leads or led it."""
    told = await led(call, case)
    call.need(*STAFF)
    return [_shown(on) for on in await of_case(call, case, told)]


async def of_case(call: Call, case: UUID, told: Told) -> list[OnProvision]:
    streams = await account.provisions_of(call.rt, case)
    return await on_provisions(call, streams, {case: told})


async def on_provisions(
    call: Call, streams: Sequence[str], told: Mapping[UUID, Told]
) -> list[OnProvision]:
    """In the same order; `told`: of their cases."""
    knows = {case: await known(call, its) for case, its in told.items()}
    found = []
    for stream, past in zip(streams, await call.loads(*streams), strict=True):
        case = UUID(past.events[0].envelope.key)
        id = UUID(stream.partition("/")[2])
        found.append(OnProvision(call, id, past, told[case], knows[case]))
    return found


@router.get("/v1/disclosures/{id}")
async def get_by_hand(on: OnProvisionDep) -> HandMade:
    on.call.shows(on.past.version)
    return _shown(on)


@router.post("/v1/disclosures/{id}/sheet", response_class=HTMLResponse)
async def print_sheet(sure: SureDep, on: OnProvisionDep, body: Body) -> HTMLResponse:
    """A page for A4 with the items of the record that the receiver may still have, marked with copy
    number, receiver and day. Each printing is recorded before the page is answered: a repeat is a
    copy more, with a number of its own. 503 as for a new record.
    """
    need_sure(sure, on.told)
    items = on.printable()
    event = SheetPrinted(provision=on.id, case=on.recorded.case, items=items)
    copy = await on.printed(event, body)
    wanted = refs(items)
    facts = [fact for fact in on.told.facts if (fact.event, fact.field) in wanted]
    names = {f.person: f.value for f in facts if f.field == "name"}
    page = PAGES.get_template("sheet.html").render(
        number=f"{on.recorded.number}-{copy}",
        receiver=on.receiver(),
        day=f"{on.past.events[0].envelope.occurred_at.astimezone(TOKYO):%Y-%m-%d}",
        printed=f"{on.call.now().astimezone(TOKYO):%Y-%m-%d %H:%M}",
        by=on.call.who.agency,
        items=[_row(fact, names) for fact in facts],
    )
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})


@router.post("/v1/disclosures/{id}/telling")
async def tell(on: OnProvisionDep, body: Body) -> Receipt:
    """The receiver was told to give back what has no basis any more."""
    event = ReceiverTold(provision=on.id, case=on.recorded.case, items=on.ended())
    return await on.write(event, body)


@router.post("/v1/disclosures/{id}/return")
async def give_back(on: OnProvisionDep, body: Return) -> Receipt:
    """The receiver gave it back or destroyed it, or keeps it on a coded ground."""
    items = ended(on.recorded, on.known)
    event = GivenBack(provision=on.id, case=on.recorded.case, items=items, kept=body.kept)
    return await on.write(event, body)


def _row(fact: Fact, names: dict[Any, Any]) -> dict[str, Any]:
    value = "、".join(map(str, fact.value)) if isinstance(fact.value, tuple) else fact.value
    return {
        "person": names.get(fact.person, "") if fact.person else "",
        "field": fact.field,
        "value": value,
        "on": f"{fact.occurred_at.astimezone(TOKYO):%Y-%m-%d}",
    }


def _shown(on: OnProvision) -> HandMade:
    first, given = on.past.events[0].envelope, on.recorded
    names = ("way", "kind", "receiver", "purpose", "ground", "citation")
    values = {name: getattr(given, name) for name in names}
    return HandMade(
        id=on.id,
        number=given.number,
        case=given.case,
        to=given.to,
        actor=first.actor,
        approver=given.approver,
        at=first.at,
        occurred_at=first.occurred_at,
        items=list(given.items),
        ended=[Item(event=i.event, field=i.field) for i in on.ended()],
        copies=[copy for copy, _ in on.copies],
        **{n: readable(v) for n, v in values.items()},
    )
