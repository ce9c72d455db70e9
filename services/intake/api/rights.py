"""開示・訂正・利用停止の請求: received, judged item by item, decided in time, answered with one file."""

import hmac
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from shared.calendar import TOKYO
from shared.contracts import readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    RightsAnswered,
    RightsDecided,
    RightsExtended,
    RightsItemJudged,
    RightsRequested,
    RightsWithdrawn,
)
from shared.decider import Refused
from shared.http import Body, Call, Caller, Line, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW
from shared.problems import bad_input, not_found

from .. import holding, words
from ..domain import rights
from ..domain.holding import Item
from .common import OFFICERS, officer
from .own import OnOwn
from .page import page

router = APIRouter(route_class=Route)
DAYS = timedelta(days=30)
"""To decide, and once again with a reason (個人情報保護法83条・94条)."""
Shown = Literal["show", "withhold"]


class NewRequest(Body):
    kind: Annotated[str, *OneOf("rights_kind")]
    people: list[UUID] = Field(min_length=1, max_length=20)
    identified_by: Annotated[str, *OneOf("identification")]
    proxy: Line | None = None
    text: Text | None = None
    received_on: date | None = None


class ItemJudgement(Body):
    event: UUID
    field: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    outcome: Shown
    ground: Annotated[str, *OneOf("withholding_ground")] | None = None


class Extension(Body):
    reason: Text


class Decision(Body):
    outcome: Annotated[str, *OneOf("rights_outcome")]
    ground: Annotated[str, *OneOf("withholding_ground")] | None = None
    text: Text | None = None
    corrections: list[UUID] = Field([], max_length=200)


class Answer(Body):
    medium: Annotated[str, *OneOf("answer_medium")]


class Withdrawal(Body):
    pass


class RequestShown(BaseModel):
    """`days_left`: to the last day of the answer, negative afterwards; None once it is decided."""

    id: UUID
    version: int
    status: str
    kind: str
    people: list[UUID]
    received_on: date
    due_on: date
    days_left: int | None
    extended: bool
    overdue: bool
    outcome: str | None = None
    ground: str | None = None
    corrections: list[UUID] = []
    shown: int | None = None
    withheld: int | None = None


class ItemShown(BaseModel):
    """One value that is held. `ground` says why the person will not see it; `fixed`: nobody may show it."""

    case: str
    event: UUID
    field: str
    type: str
    data_class: str
    value: Any
    recorded_by: str
    occurred_at: datetime
    shown: bool
    ground: str | None
    fixed: bool


class OnRequest(OnOwn[rights.Request, rights.Command]):
    KIND, DECIDER = "rights", rights.DECIDER

    async def items(self) -> list[ItemShown]:
        """All that is held about the person, each with what will become of it; all of it is read."""
        decided = [e.envelope.id for e in self.past.events if isinstance(e.event, RightsDecided)]
        before = decided[-1] if decided else None
        found = await holding.items(self.call, self.state.people, before)
        return [self._shown(item) for item in found]

    def decision(self) -> RightsDecided | None:
        found = [e.event for e in self.past.events if isinstance(e.event, RightsDecided)]
        return found[-1] if found else None

    def _shown(self, item: Item) -> ItemShown:
        judged = self.state.judgement(item.event, item.field)
        ground = item.withheld
        if judged and not item.fixed:
            ground = judged.ground if judged.outcome == "withhold" else None
        values = {
            name: getattr(item, name) for name in ItemShown.model_fields if hasattr(item, name)
        }
        return ItemShown(**values, shown=ground is None, ground=ground)


async def on_request(id: PathId, call: Caller) -> OnRequest:
    """For the officers of the agency that was asked (404 for others)."""
    found = to_uuid(id)
    on = OnRequest(call, found, await call.load(f"rights/{found}"))
    if on.state.to != call.who.agency:
        raise not_found()
    call.need(*OFFICERS)
    call.purpose = "rights"
    call.reads(f"rights/{found}", "rights", on.past.events)
    return on


OnRequestDep = Annotated[OnRequest, Depends(on_request)]


@router.post("/v1/rights-requests", status_code=201)
async def receive(call: Annotated[Call, Depends(officer)], body: NewRequest) -> Receipt:
    """`people`: the ids under which the person is known; `received_on` begins the 30 days."""
    id, today = uuid7(), call.now().astimezone(TOKYO).date()
    received_on = body.received_on or today
    event = RightsRequested(
        request=id,
        to=call.who.agency,
        received_on=received_on,
        due_on=received_on + DAYS,
        **body.model_dump(include={"kind", "people", "identified_by", "proxy", "text"}),
    )

    async def check() -> None:
        if not today - timedelta(days=366) <= received_on <= today:
            raise bad_input("body.received_on", "within the last year / 過去1年以内の日付")
        if strangers := await holding.strangers(call, body.people):
            raise bad_input(
                "body.people", f"{len(strangers)} of them are not held here / 保有していません"
            )

    return await call.handle(
        rights.DECIDER,
        f"rights/{id}",
        str(id),
        event,
        body,
        check=check,
        location="/v1/rights-requests/{id}",
        past=NEW,
    )


@router.get("/v1/rights-requests")
async def list_requests(call: Annotated[Call, Depends(officer)]) -> list[RequestShown]:
    """Those that wait for an answer of the caller's agency, the most urgent first."""
    call.purpose = "rights"
    streams = await holding.requests(call.rt, call.who.agency)
    pasts = await call.loads(*streams)
    found = [
        OnRequest(call, to_uuid(s.partition("/")[2]), p)
        for s, p in zip(streams, pasts, strict=True)
    ]
    waiting = [on for on in found if on.state.status in ("open", "decided")]
    for on in waiting:
        call.reads(f"rights/{on.id}", "rights", on.past.events)
    return sorted((_request(on) for on in waiting), key=lambda one: (one.due_on, one.id))


@router.get("/v1/rights-requests/{id}")
async def get_request(on: OnRequestDep) -> RequestShown:
    on.call.shows(on.past.version)
    return _request(on)


@router.get("/v1/rights-requests/{id}/items")
async def list_items(on: OnRequestDep) -> list[ItemShown]:
    """The worklist: what is held in all cases of the agency's controller, and what of it is shown."""
    return await on.items()


@router.post("/v1/rights-requests/{id}/items")
async def judge_item(on: OnRequestDep, body: ItemJudgement) -> Receipt:
    async def check() -> None:
        if (body.outcome == "withhold") != (body.ground is not None):
            raise bad_input(
                "body.ground", "a ground where it is withheld / 不開示には理由が必要です"
            )
        found = [i for i in await on.items() if (i.event, i.field) == (body.event, body.field)]
        if not found:
            raise bad_input("body.event", "not held about this person / 保有していません")
        if found[0].fixed and body.outcome == "show":
            raise bad_input(
                "body.outcome", "never in a file to the person (L22) / 開示できない項目です"
            )

    event = RightsItemJudged(
        request=on.id,
        by=on.call.who.subject,
        **body.model_dump(include={"event", "field", "outcome", "ground"}),
    )
    return await on.write(event, body, check=check)


@router.post("/v1/rights-requests/{id}/extension")
async def extend(on: OnRequestDep, body: Extension) -> Receipt:
    """Once, by 30 days."""
    event = RightsExtended(request=on.id, due_on=on.state.due_on + DAYS, reason=body.reason)
    return await on.write(event, body)


@router.post("/v1/rights-requests/{id}/decision")
async def decide(on: OnRequestDep, body: Decision) -> Receipt:
    """In full, in part, or refused with its ground; a correction names the events that correct."""
    items = await on.items() if on.state.status == "open" else []
    shown = sum(item.shown for item in items)
    event = RightsDecided(
        request=on.id,
        by=on.call.who.subject,
        shown=shown,
        withheld=len(items) - shown,
        **body.model_dump(include={"outcome", "ground", "text", "corrections"}),
    )

    async def check() -> None:
        if (body.outcome in ("refused", "not_corrected")) != (body.ground is not None):
            raise bad_input("body.ground", "a ground for a refusal only / 拒否には理由が必要です")
        if body.outcome == "full" and shown < len(items):
            raise bad_input(
                "body.outcome", f"{len(items) - shown} items are withheld / 一部開示です"
            )
        if (body.outcome == "corrected") != bool(body.corrections):
            raise bad_input("body.corrections", "what corrects it / 訂正の記録を指定してください")
        if body.corrections and not await holding.corrects(
            on.call, on.state.people, body.corrections
        ):
            raise bad_input("body.corrections", "not of this person / この人の記録ではありません")

    return await on.write(event, body, check=check)


@router.get("/v1/rights-requests/{id}/file", response_class=HTMLResponse)
async def get_file(on: OnRequestDep) -> HTMLResponse:
    """One page for paper, of what was held when it was decided and is shown."""
    return await _page(on)


@router.post("/v1/rights-requests/{id}/answer")
async def answer(on: OnRequestDep, body: Answer) -> Receipt:
    """The answer was handed over."""
    digest = None
    if on.state.status == "decided" and _disclosed(on):
        file = bytes((await _page(on)).body)
        digest = hmac.digest(on.call.rt.keys.index_key, file, "sha256").hex()
    event = RightsAnswered(request=on.id, medium=body.medium, digest=digest)
    return await on.write(event, body)


@router.post("/v1/rights-requests/{id}/withdrawal")
async def withdraw(on: OnRequestDep, body: Withdrawal) -> Receipt:
    return await on.write(RightsWithdrawn(request=on.id), body)


def _disclosed(on: OnRequest) -> bool:
    decision = on.decision()
    return decision is not None and decision.outcome in ("full", "partly")


async def _page(on: OnRequest) -> HTMLResponse:
    if not _disclosed(on):
        raise Refused("nothing-is-disclosed", on.state.status, rights.ALLOWED[on.state.status])
    items = await on.items()
    return page(
        "rights.html",
        request=_request(on),
        items=[item for item in items if item.shown],
        withheld=sorted({item.ground for item in items if item.ground}),
        name=words.name,
        words=words.value,
        by=on.call.who.agency,
    )


def _request(on: OnRequest) -> RequestShown:
    state, decision = on.state, on.decision()
    today = on.call.now().astimezone(TOKYO).date()
    return RequestShown(
        id=on.id,
        version=on.past.version,
        status=state.status,
        kind=state.kind,
        people=sorted(state.people),
        received_on=state.received_on,
        due_on=state.due_on,
        days_left=(state.due_on - today).days if state.status == "open" else None,
        extended=state.extended,
        overdue=state.overdue,
        outcome=readable(decision.outcome) if decision else None,
        ground=readable(decision.ground) if decision else None,
        corrections=list(decision.corrections) if decision else [],
        shown=decision.shown if decision else None,
        withheld=decision.withheld if decision else None,
    )
