"""Merges: two cases that are one go on in one of them, consents confirmed one by one; and un-merge."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from shared.contracts.intake import CasesMerged, ConsentConfirmed, MergeUndone
from shared.db import Connection
from shared.decider import Refused
from shared.http import Body, Call, Caller, PathId, Receipt, Route, Text, to_uuid
from shared.ids import uuid7
from shared.journal import NEW, Past
from shared.problems import Problem, bad_input, not_found

from .. import disposal, family, joined, matching
from ..domain import case as cases
from ..domain import consent, merge
from .at_once import at_once
from .common import WORKERS, stands_in
from .own import OnOwn
from .sheet import Part

router = APIRouter(route_class=Route)
LOCATION = "/v1/merges/{id}"
MERGERS = ("matcher", "coordinator", "supervisor")
ALONE = f"select pg_advisory_xact_lock(hashtext('merge')); {disposal.BEFORE}"
"""One merge after the other: no two of them, each right by itself, make a ring or give a case two ends."""
NOT_YOURS = "not a case of yours / 担当するケースではありません"


class Same(Part):
    """A person of the merged case, and who he is in the other."""

    merged: UUID
    into: UUID


class NewMerge(Body):
    """`merged` goes on in `into`."""

    merged: UUID
    into: UUID
    same: list[Same] = Field([], max_length=20)
    reason: Text | None = None


class Confirmation(Body):
    """A consent that was given in one of the two cases, and is meant for the other too (L18)."""

    consent: UUID


class Undoing(Body):
    reason: Text


class MergeShown(BaseModel):
    """What was disclosed through it, views says (`GET /v1/merges/{id}` there)."""

    id: UUID
    version: int
    status: merge.Status
    merged: UUID
    into: UUID
    same: list[tuple[UUID, UUID]]
    confirmed: list[UUID]
    merged_at: datetime
    undone_at: datetime | None


class OnMerge(OnOwn[merge.Merge, merge.Command]):
    KIND, DECIDER = "merge", merge.DECIDER

    def __init__(self, call: Call, id: UUID, past: Past, whole: bool) -> None:
        super().__init__(call, id, past)
        self.whole = whole


async def on_merge(id: PathId, call: Caller) -> OnMerge:
    """For who has standing in both cases, or has the matching role (404 otherwise)."""
    found = to_uuid(id)
    past = await call.load(f"merge/{found}")
    state: merge.Merge = past.fold(merge.DECIDER)
    if state.merged is None or state.into is None:
        raise not_found()
    whole = await _stands_in(call, (state.merged, state.into))
    if not whole and "matcher" not in call.who.roles:
        raise not_found()
    return OnMerge(call, found, past, whole)


OnMergeDep = Annotated[OnMerge, Depends(on_merge)]


async def merger(call: Caller) -> Call:
    call.need(*MERGERS)
    return call


@router.post("/v1/merges", status_code=201)
async def merge_cases(call: Annotated[Call, Depends(merger)], body: NewMerge) -> Receipt:
    """By a coordinator or supervisor with standing in both cases; by the matching role once the desk
    that holds one of them has answered that they are the same.
    """
    id, both = uuid7(), (body.merged, body.into)

    pairs = tuple((pair.merged, pair.into) for pair in body.same)
    event = CasesMerged(
        merge=id, merged=body.merged, into=body.into, same=pairs, reason=body.reason
    )
    wrong = await _wrong(call, body)

    async def write(db: Connection) -> Receipt:
        async def check() -> None:
            if wrong:
                raise wrong
            if await joined.go_on(db, both):
                raise Refused("case-is-merged", "merged", ("undoing",))
            await disposal.kept(call.rt, db, both)

        return await call.handle(
            merge.DECIDER,
            f"merge/{id}",
            str(id),
            event,
            body,
            check=check,
            location=LOCATION,
            past=NEW,
            db=db,
        )

    return await at_once(call, body, ALONE, write, LOCATION)


@router.get("/v1/merges/{id}")
async def get_merge(on: OnMergeDep) -> MergeShown:
    on.call.shows(on.past.version)
    last, state = on.past.events[-1], on.state
    assert state.merged  # or there would be no merge
    assert state.into
    return MergeShown(
        id=on.id,
        version=on.past.version,
        status=state.status,
        merged=state.merged,
        into=state.into,
        same=list(state.same),
        confirmed=sorted(state.confirmed),
        merged_at=on.past.events[0].envelope.occurred_at,
        undone_at=last.envelope.occurred_at if state.status == "undone" else None,
    )


@router.post("/v1/merges/{id}/confirmations")
async def confirm_consent(on: OnMergeDep, body: Confirmation) -> Receipt:
    """By a worker with standing in both: from now on the consent reaches what was told in the other."""
    if not on.whole:
        raise Problem("wrong-role")

    async def check() -> None:
        given = (await on.call.load(f"consent/{body.consent}")).fold(consent.DECIDER)
        state: merge.Merge = on.state
        related = await family.family(on.call.rt, state.into) if state.into else []
        if given.case is None or given.case not in {*related, state.merged, state.into}:
            raise bad_input(
                "body.consent", "not a consent of these cases / 対象の同意ではありません"
            )

    return await on.write(ConsentConfirmed(merge=on.id, consent=body.consent), body, check=check)


@router.post("/v1/merges/{id}/undoing")
async def undo(on: OnMergeDep, body: Undoing) -> Receipt:
    """Each document is then as if the merge had never been; what it had shown is an incident to look at."""
    on.call.need(*MERGERS)
    return await on.write(MergeUndone(merge=on.id, reason=body.reason), body)


async def _wrong(call: Call, body: NewMerge) -> Problem | None:
    both = body.merged, body.into
    if body.merged == body.into:
        return bad_input("body.into", "the same case / 同じケースです")
    asked = "matcher" in call.who.roles and await matching.said_same(call.rt, both)
    if not asked and not await _stands_in(call, both):
        return bad_input("body.merged", NOT_YOURS)
    for name, past in zip(
        ("merged", "into"), await call.loads(*(f"case/{case}" for case in both)), strict=True
    ):
        case: cases.Case = past.fold(cases.DECIDER)
        if {getattr(pair, name) for pair in body.same} - case.people:
            return bad_input(
                "body.same", "not a person of this case / このケースの人ではありません"
            )
    return None


async def _stands_in(call: Call, of: Iterable[UUID]) -> bool:
    if not call.who.roles.intersection(WORKERS):
        return False
    return all([await stands_in(call, case) for case in of])
