"""Matters: a case before a statutory body, its members, sealed materials, promotions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, model_validator
from uuid_utils.compat import uuid7

from shared.basis import covers
from shared.blocks import blocked
from shared.calendar import fiscal_year
from shared.contracts import sealed_fields
from shared.contracts.codes import OneOf, bodies
from shared.contracts.meetings import (
    FactPromoted,
    MaterialSubmitted,
    MatterDecided,
    MatterEnded,
    MatterReviewed,
    MatterSubmitted,
)
from shared.decider import Refused
from shared.http import Body, Call, Caller, Limit, Page, PathId, Receipt, Route, Text, to_uuid
from shared.journal import Past
from shared.problems import Problem, bad_input, not_found

from .. import view
from ..domain import matter as matters
from ..domain.deadlines import review_due
from ..domain.member import Member, Pool
from .common import (
    CASEWORKERS,
    NO_ID,
    STAFF,
    WORKERS,
    Check,
    Nothing,
    People,
    StaffDep,
    Subject,
    all_of_case,
    body_of,
    named_case,
    once,
    pool_of,
)

router = APIRouter(route_class=Route)

ONLY_CALLED = "only the submitter and those called do this / 提出者と招集された機関だけができます"
CLASS_OF = {name: mark.data_class for name, mark in sealed_fields(FactPromoted).items()}
"""Field of a promoted fact → its data class."""


class NewMatter(Body):
    case: UUID
    body: Annotated[str, *body_of("statutory")]
    subjects: People


class Calling(Body):
    members: list[Subject] = Field(min_length=1, max_length=50)


class NewMaterial(Body):
    """A fact put before the body; sealed, whatever its true class (L12)."""

    person: UUID
    true_class: Annotated[str, *OneOf("data_class")]
    text: Text


class NewDecision(Body):
    text: Text


class Promotion(Body):
    """Exactly one class: the sealed fact of `material`, written anew as an ordinary one."""

    material: UUID
    person: UUID
    health: Text | None = None
    work: Text | None = None
    money: Text | None = None
    welfare_use: Text | None = None
    history: Text | None = None

    @property
    def fields(self) -> list[str]:
        return [name for name in CLASS_OF if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _one(self) -> "Promotion":
        if len(self.fields) != 1:
            raise ValueError(f"exactly one of {', '.join(CLASS_OF)}")
        return self


class CalledShown(BaseModel):
    """`pledged`: for the present fiscal year. No agency: no longer in the pool."""

    subject: str
    agency: str | None
    pledged: bool


class MaterialShown(BaseModel):
    """That something was put before the body, never what (views opens it to named members)."""

    id: UUID
    version: int
    person: UUID
    recorded_by: str
    occurred_at: datetime
    promoted: bool


class DecisionShown(BaseModel):
    version: int
    recorded_by: str
    occurred_at: datetime


class MatterLine(BaseModel):
    id: UUID
    case: UUID
    body: str
    submitter: str
    submitted_at: datetime
    status: Literal["live", "ended"]
    overdue: bool


class MatterShown(MatterLine):
    subjects: list[UUID]
    members: list[CalledShown]
    materials: list[MaterialShown]
    decisions: list[DecisionShown]
    reviewed_at: datetime | None
    review_due: datetime | None
    ended_at: datetime | None
    version: int


@dataclass
class OnMatter:
    """A call on a matter. `submitted` is its first event, `pool` the members of its body."""

    call: Call
    past: Past
    state: matters.Matter
    submitted: MatterSubmitted
    pool: Pool

    @property
    def submitter(self) -> str:
        return self.past.events[0].envelope.agency

    @property
    def ids(self) -> dict[str, Any]:
        return {"matter": self.submitted.matter, "case": self.submitted.case}

    @property
    def stream(self) -> str:
        return f"matter/{self.submitted.matter}"

    def called_agencies(self) -> set[str]:
        now = self.pool.now
        return {now[subject].agency for subject in self.state.called if subject in now}

    def stands(self) -> bool:
        """The submitter's agency, members called by name, the secretariat (L5, L5a)."""
        who = self.call.who
        if who.agency == self.submitter:
            return True
        me = self.pool.now.get(who.subject)
        return (
            me is not None
            and me.agency == who.agency
            and (me.secretariat or who.subject in self.state.called)
        )

    def in_pool(self, members: list[str]) -> Check:
        async def check() -> None:
            if strangers := sorted(set(members) - set(self.pool.now)):
                raise bad_input("body.members", "not in the pool now: " + ", ".join(strangers))

        return check

    async def write(
        self,
        command: matters.Command,
        body: Body,
        check: Check | None = None,
        basis: str | None = None,
        location: str | None = None,
    ) -> Receipt:
        return await self.call.handle(
            matters.DECIDER,
            self.stream,
            str(self.submitted.case),
            command,
            body,
            check=check,
            basis=basis,
            location=location,
        )


async def submitter(call: Caller) -> Call:
    """Standing in the case that the body names comes before whatever else is wrong with it."""
    case = await named_case(call)
    if case and not await view.is_party(call.rt, call.who, case):
        raise not_found()
    call.need(*CASEWORKERS)
    return call


async def load_matter(call: Call, matter: UUID) -> OnMatter | None:
    """None if there is none, and for who is blocked from its case."""
    past = await call.load(f"matter/{matter}")
    state: matters.Matter = past.fold(matters.DECIDER)
    if state.submitted is None:
        return None
    if await blocked(call.rt.reads, call.who, [state.submitted.case]):
        return None
    pool = await pool_of(call, state.submitted.body)
    return OnMatter(call, past, state, state.submitted, pool)


async def matters_of_case(call: Call, case: UUID) -> list[OnMatter]:
    found = []
    for stream in await view.streams_of_case(call.rt, case, "matter"):
        on = await load_matter(call, UUID(stream.removeprefix("matter/")))
        found += [on] if on else []
    return found


async def on_matter(id: PathId, call: Caller) -> OnMatter:
    on = await load_matter(call, to_uuid(id))
    if on is None or not on.stands():
        raise not_found()
    call.need(*STAFF)
    return on


async def on_managed_matter(on: Annotated[OnMatter, Depends(on_matter)]) -> OnMatter:
    on.call.need(*CASEWORKERS)
    return on


async def on_material(id: PathId, call: Caller) -> OnMatter:
    """Also the colleagues of a member who was called bring material."""
    on = await load_matter(call, to_uuid(id))
    if on is None:
        raise not_found()
    if call.who.agency not in {on.submitter, *on.called_agencies()}:
        raise Problem("wrong-role", detail=ONLY_CALLED) if on.stands() else not_found()
    call.need(*WORKERS)
    return on


OnMatterDep = Annotated[OnMatter, Depends(on_matter)]
OnManagedDep = Annotated[OnMatter, Depends(on_managed_matter)]
OnMaterialDep = Annotated[OnMatter, Depends(on_material)]


@router.post("/v1/matters", status_code=201)
async def submit_matter(call: Annotated[Call, Depends(submitter)], body: NewMatter) -> Receipt:
    """Puts a case before a statutory body, where facts are shared without consent (L5)."""
    matter = uuid7()
    submitted = MatterSubmitted(
        matter=matter, case=body.case, body=body.body, subjects=once(body.subjects)
    )

    async def check() -> None:
        await all_of_case(call, body.case, body.subjects)

    return await call.handle(
        matters.DECIDER,
        f"matter/{matter}",
        str(body.case),
        matters.Submit(submitted),
        body,
        check=check,
        location="/v1/matters/{id}",
    )


@router.get("/v1/matters")
async def list_matters(
    call: StaffDep, after: Annotated[UUID, Query()] = NO_ID, limit: Limit = 50
) -> Page[MatterLine]:
    """Those that the caller's agency submitted, that he is called for, or whose office he is in."""
    mine: dict[str, Member] = {}
    for code in bodies():
        me = (await pool_of(call, code)).now.get(call.who.subject)
        if me and me.agency == call.who.agency:
            mine[code] = me
    offices = [code for code, me in mine.items() if me.secretariat]
    who = call.who
    rows = await view.matters_of(
        call.rt, who.agency, who.subject, offices, list(mine), after, limit
    )
    items = [MatterLine.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].id) if len(items) == limit else None)


@router.get("/v1/matters/{id}")
async def get_matter(on: OnMatterDep) -> MatterShown:
    """Structure only: what was put before the body is opened by views, to named members."""
    on.call.shows(on.past.version)
    return _matter(on)


@router.post("/v1/matters/{id}/members")
async def call_members(on: OnManagedDep, body: Calling) -> Receipt:
    return await on.write(matters.Call(tuple(body.members)), body, on.in_pool(body.members))


@router.post("/v1/matters/{id}/enquiries")
async def ask_members(on: OnManagedDep, body: Calling) -> Receipt:
    """Those asked see the configured minimum that identifies the person, once pledged (L5b)."""
    return await on.write(matters.Ask(tuple(body.members)), body, on.in_pool(body.members))


@router.post("/v1/matters/{id}/materials", status_code=201)
async def put_before(on: OnMaterialDep, body: NewMaterial) -> Receipt:
    """The id of the answer is that of the material, by which it can be promoted."""
    event = MaterialSubmitted(**on.ids, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        await all_of_case(on.call, on.submitted.case, [body.person], "body.person")

    receipt = await on.write(matters.PutBefore(event), body, check, location="/v1/matters/{id}")
    on.call.response.status_code = 201
    material = await view.event_at(on.call.rt, receipt.stream, receipt.version)
    return receipt.model_copy(update={"id": str(material)})


@router.post("/v1/matters/{id}/decisions")
async def decide_matter(on: OnManagedDep, body: NewDecision) -> Receipt:
    decided = MatterDecided(**on.ids, text=body.text)
    return await on.write(matters.RecordDecision(decided), body)


@router.post("/v1/matters/{id}/reviews")
async def review(on: OnManagedDep, body: Nothing) -> Receipt:
    """A person looked whether the matter is still needed; the next review is due anew."""
    return await on.write(matters.Review(), body)


@router.post("/v1/matters/{id}/promotions")
async def promote(on: OnManagedDep, body: Promotion) -> Receipt:
    """A sealed fact becomes an ordinary one where a consent now covers its true class (L12)."""
    name = body.fields[0]
    bases = await _consents_for(on, body.person, CLASS_OF[name])
    promoted = FactPromoted(**on.ids, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        material = next((e.event for e in on.past.events if e.envelope.id == body.material), None)
        if not isinstance(material, MaterialSubmitted):
            raise bad_input(
                "body.material", "not a material of this matter / この事案の資料ではありません"
            )
        if material.person != body.person:
            raise bad_input("body.person", "the material is about another / 別の人の資料です")
        if material.true_class != CLASS_OF[name]:
            raise bad_input(f"body.{name}", "the material is of another class / 情報区分が違います")
        if on.state.status == "live" and not bases:
            raise Refused("no-live-basis", "live", matters.ALLOWED["live"])

    basis = str(bases[0]) if bases else None
    return await on.write(matters.Promote(promoted), body, check, basis)


@router.post("/v1/matters/{id}/ending")
async def end_matter(on: OnManagedDep, body: Nothing) -> Receipt:
    return await on.write(matters.End(), body)


async def _consents_for(on: OnMatter, person: UUID, data_class: str) -> list[UUID]:
    """Live consents of a person that cover at least one agency for that class."""
    world = await view.the_world(on.call.rt)
    given = await view.consents_of(on.call.rt, on.submitted.case)
    now = on.call.now()
    return sorted(
        one.id
        for one in given.values()
        if one.recorded.person == person
        and data_class in one.classes(now)
        and any(covers(one, agency, world, now) for agency in world.agencies)
    )


def _matter(on: OnMatter) -> MatterShown:
    year, now, live = fiscal_year(on.call.now()), on.pool.now, on.state.status == "live"
    times: dict[str, datetime | None] = {"reviewed_at": None, "review_due": None, "ended_at": None}
    materials: list[MaterialShown] = []
    decisions: list[DecisionShown] = []
    for recorded in on.past.events:
        e = recorded.envelope
        common: dict[str, Any] = {
            "version": e.version,
            "recorded_by": e.agency,
            "occurred_at": e.occurred_at,
        }
        times["review_due"] = review_due(recorded.event, e.occurred_at) or times["review_due"]
        match recorded.event:
            case MaterialSubmitted(person=person):
                promoted = e.id in on.state.promoted
                materials.append(MaterialShown(id=e.id, person=person, promoted=promoted, **common))
            case MatterDecided():
                decisions.append(DecisionShown(**common))
            case MatterReviewed():
                times["reviewed_at"] = e.occurred_at
            case MatterEnded():
                times |= {"ended_at": e.occurred_at, "review_due": None}
    return MatterShown(
        id=on.submitted.matter,
        case=on.submitted.case,
        body=on.submitted.body,
        submitter=on.submitter,
        submitted_at=on.past.events[0].envelope.occurred_at,
        status="live" if live else "ended",
        overdue=live and on.state.overdue,
        subjects=list(on.submitted.subjects),
        members=[
            CalledShown(
                subject=subject,
                agency=now[subject].agency if subject in now else None,
                pledged=subject in now and year in now[subject].years,
            )
            for subject in sorted(on.state.called)
        ],
        materials=materials,
        decisions=decisions,
        version=on.past.version,
        **times,
    )
