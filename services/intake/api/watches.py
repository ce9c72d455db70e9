"""The registry of watches: 見守り協力事業者 and 緊急通報装置, their monthly calls, what becomes of them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts import ERASED, readable
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    WatchCalled,
    WatchCorrected,
    WatchMissed,
    WatchMoved,
    WatchRegistered,
    WatchRemoved,
    WatchResumed,
    WatchSuspended,
)
from shared.contracts.intake.watch import About, WatchKind
from shared.http import Body, Call, Caller, Limit, Line, Page, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW, Past
from shared.problems import bad_input, not_found

from .. import watching
from ..domain import watch
from .common import NO_ID, WORKERS, worker
from .own import OnOwn
from .sheet import Phone

router = APIRouter(route_class=Route)


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Line
    phone: Phone | None = None
    address: Line | None = None


class Entry(Body):
    """`name`: the business, or the number of the unit. `users` and `helpers` are those of a unit."""

    name: Line
    contact: Line | None = None
    phone: Phone | None = None
    place: Line | None = None
    users: list[Person] = Field([], max_length=5)
    helpers: list[Person] = Field([], max_length=2)
    note: Text | None = None

    def fields(self) -> dict[str, Any]:
        names = About.model_fields.keys() - {"watch"}
        found = self.model_dump(include=set(names))
        return {name: value or None for name, value in found.items()}

    def fits(self, kind: WatchKind) -> None:
        if kind == "partner" and (self.users or self.helpers):
            raise bad_input("body.users", "those of a unit only / 緊急通報装置だけの項目です")
        if kind == "alarm_unit" and not self.users:
            raise bad_input("body.users", "who has the unit? / 利用者を入力してください")


class NewWatch(Entry):
    kind: WatchKind


class Correction(Entry):
    """All of it as it should have been."""

    reason: Text


class Moving(Body):
    place: Line


class Suspension(Body):
    reason: Annotated[str, *OneOf("watch_ending")]
    note: Text | None = None


class Resumption(Body):
    pass


class MonthlyCall(Body):
    """`occurred_at` is the time of the call. `reached` false: nobody answered, and it stays due."""

    reached: bool = True
    result: Annotated[str, *OneOf("watch_call")] | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _with_its_result(self) -> "MonthlyCall":
        if self.reached != (self.result is not None):
            raise ValueError("a result if somebody was reached / 応答があった場合に結果を入力")
        return self


class CallShown(BaseModel):
    at: datetime
    reached: bool
    result: str | None
    note: str | None


class WatchShown(BaseModel):
    """For the agency that keeps the registry. `calls`: the last twelve, newest first. Of one that was
    disposed of nothing is told but that it was there.
    """

    id: UUID
    version: int
    kind: WatchKind
    status: watch.Status
    registered_at: datetime
    name: str | None
    contact: str | None
    phone: str | None
    place: str | None
    users: list[Person]
    helpers: list[Person]
    note: str | None
    status_reason: str | None
    calls: list[CallShown]


class OnWatch(OnOwn[watch.Watch, watch.Command]):
    """A call on a watch of the caller agency's registry (404 otherwise)."""

    KIND, DECIDER = "watch", watch.DECIDER


async def on_watch(id: PathId, call: Caller) -> OnWatch:
    found = to_uuid(id)
    on = OnWatch(call, found, await call.load(f"watch/{found}"))
    if on.state.agency != call.who.agency:
        raise not_found()
    call.need(*WORKERS)
    return on


OnWatchDep = Annotated[OnWatch, Depends(on_watch)]
WorkerDep = Annotated[Call, Depends(worker)]


@router.post("/v1/watches", status_code=201)
async def register(call: WorkerDep, body: NewWatch) -> Receipt:
    """A business joined, or a unit was installed (`occurred_at`)."""
    id = uuid7()

    async def check() -> None:
        body.fits(body.kind)

    event = WatchRegistered(watch=id, agency=call.who.agency, kind=body.kind, **body.fields())
    return await call.handle(
        watch.DECIDER,
        f"watch/{id}",
        str(id),
        event,
        body,
        check=check,
        location="/v1/watches/{id}",
        past=NEW,
    )


@router.get("/v1/watches")
async def list_watches(
    call: WorkerDep,
    kind: Annotated[WatchKind | None, Query()] = None,
    status: Annotated[watch.Status | None, Query()] = None,
    after: Annotated[UUID, Query()] = NO_ID,
    limit: Limit = 50,
) -> Page[WatchShown]:
    """The registry of the caller's agency."""
    ids = await watching.watches(call.rt, call.who.agency, after, kind, status, limit)
    return Page(items=await _shown(call, ids), next=str(ids[-1]) if len(ids) == limit else None)


@router.get("/v1/calls-due")
async def list_calls_due(call: WorkerDep) -> list[WatchShown]:
    """Alarm units in use without an answered call this month (of Tokyo), longest ago first."""
    return await _shown(call, await watching.calls_due(call.rt, call.who.agency))


@router.get("/v1/watches/{id}")
async def get_watch(on: OnWatchDep) -> WatchShown:
    on.call.shows(on.past.version)
    return _watch(on.call, on.past)


@router.post("/v1/watches/{id}/correction")
async def correct(on: OnWatchDep, body: Correction) -> Receipt:
    async def check() -> None:
        body.fits(on.state.kind)

    event = WatchCorrected(watch=on.id, reason=body.reason, **body.fields())
    return await on.write(event, body, check=check)


@router.post("/v1/watches/{id}/moving")
async def move(on: OnWatchDep, body: Moving) -> Receipt:
    return await on.write(WatchMoved(watch=on.id, place=body.place), body)


@router.post("/v1/watches/{id}/suspension")
async def suspend(on: OnWatchDep, body: Suspension) -> Receipt:
    return await on.write(WatchSuspended(watch=on.id, reason=body.reason, note=body.note), body)


@router.post("/v1/watches/{id}/resumption")
async def resume(on: OnWatchDep, body: Resumption) -> Receipt:
    return await on.write(WatchResumed(watch=on.id), body)


@router.post("/v1/watches/{id}/removal")
async def remove(on: OnWatchDep, body: Suspension) -> Receipt:
    """The unit was taken away, or the business left."""
    return await on.write(WatchRemoved(watch=on.id, reason=body.reason, note=body.note), body)


@router.post("/v1/watches/{id}/calls")
async def add_call(on: OnWatchDep, body: MonthlyCall) -> Receipt:
    """The monthly call of an alarm unit."""
    if body.result is None:
        return await on.write(WatchMissed(watch=on.id, note=body.note), body)
    return await on.write(WatchCalled(watch=on.id, result=body.result, note=body.note), body)


async def _shown(call: Call, ids: list[UUID]) -> list[WatchShown]:
    pasts = await call.loads(*(f"watch/{id}" for id in ids))
    return [_watch(call, past) for past in pasts]


def _watch(call: Call, past: Past) -> WatchShown:
    """Folded from its events; the reading leaves a row."""
    state: watch.Watch = past.fold(watch.DECIDER)
    first = past.events[0].envelope
    call.reads(first.stream, "registry", past.events)
    values: dict[str, Any] = {}
    reason: str | None = None
    calls: list[CallShown] = []
    for e in past.events:
        match e.event:
            case About() as said:
                values = said.model_dump(
                    exclude={"watch", "agency", "kind", "reason"}, warnings=False
                )
            case WatchMoved(place=place):
                values["place"] = place
            case WatchSuspended() | WatchRemoved() as change:
                reason = readable(change.reason)
            case WatchResumed():
                reason = None
            case WatchCalled() | WatchMissed() as one:
                result = one.result if isinstance(one, WatchCalled) else None
                calls.append(
                    CallShown(
                        at=e.envelope.occurred_at,
                        reached=isinstance(one, WatchCalled),
                        result=readable(result),
                        note=readable(one.note),
                    )
                )
    if values["name"] is ERASED:
        reason, calls = None, []
    shown = {name: readable(value) for name, value in values.items()}
    shown |= {name: shown[name] or [] for name in ("users", "helpers")}
    return WatchShown(
        id=UUID(first.stream.partition("/")[2]),
        version=past.version,
        kind=state.kind,
        status=state.status,
        registered_at=first.occurred_at,
        status_reason=reason,
        calls=sorted(calls, key=lambda one: one.at)[::-1][:12],
        **shown,
    )
