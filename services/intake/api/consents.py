"""Consents, and what held when."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints
from uuid_utils.compat import uuid7

from shared.basis import Consent, consents
from shared.contracts import Recorded
from shared.contracts.codes import OneOf, bodies
from shared.contracts.intake import (
    ConsentRecorded,
)
from shared.http import (
    Body,
    Caller,
    Line,
    Moment,
    PathId,
    Receipt,
    Route,
    to_uuid,
)
from shared.problems import bad_input, not_found

from .. import view
from ..domain import consent
from .common import Agency, OnCase, OnCaseDep, all_known, standing

router = APIRouter(route_class=Route)


class NewConsent(Body):
    """Who may hold what of one person, for which purposes, how long (L3)."""

    person: UUID
    status: Annotated[str, *OneOf("consent_status")] = "granted"
    classes: list[Annotated[str, *OneOf("data_class")]] = Field(min_length=1, max_length=6)
    purposes: list[Annotated[str, *OneOf("purpose")]] = Field(min_length=1, max_length=3)
    medium: Annotated[str, *OneOf("consent_medium")] = "paper"
    holders: list[Agency] = Field([], max_length=70)
    group: Line | None = None
    excluded: list[Agency] = Field([], max_length=70)
    begins: Moment | None = None
    until: Moment | None = None
    text_version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]


class Withdrawal(Body):
    pass


class TellOfMember(Body):
    agency: Agency


class Pending(BaseModel):
    agency: str
    state: Literal["pending"] = "pending"


class WithdrawalReceipt(Receipt):
    """Agencies that the withdrawn consent named; views knows which of them held something."""

    agencies: list[Pending]


class ConsentShown(BaseModel):
    id: UUID
    person: UUID
    status: str
    live: bool
    classes: list[str]
    purposes: list[str]
    holders: list[str]
    group: str | None
    excluded: list[str]
    begins: datetime
    until: datetime | None
    ended_at: datetime | None


async def on_consent(id: PathId, call: Caller) -> tuple[OnCase, UUID, consent.Consent]:
    consent_id = to_uuid(id)
    past = await call.load(f"consent/{consent_id}")
    state = past.fold(consent.DECIDER)
    if state.case is None:
        raise not_found()
    return await standing(call, state.case), consent_id, state


OnConsentDep = Annotated[tuple[OnCase, UUID, consent.Consent], Depends(on_consent)]


@router.post("/v1/cases/{id}/consents", status_code=201)
async def record_consent(on: OnCaseDep, body: NewConsent) -> Receipt:
    id = uuid7()
    event = ConsentRecorded(
        consent=id,
        case=on.case,
        begins=body.begins or body.occurred_at or on.call.now(),
        **body.model_dump(exclude={"occurred_at", "begins"}),
    )

    async def check() -> None:
        all_known(on, [body.person], "body.person")
        if event.until and event.until <= event.begins:
            raise bad_input("body.until", "lies before begins / 終期が始期より前です")
        if not body.holders and not body.group:
            raise bad_input("body.holders", "name agencies or a group / 提供先がありません")
        if body.group and body.group not in bodies():
            raise bad_input("body.group", f"no such body: {', '.join(bodies())}")
        agencies = (await view.the_world(on.call.rt)).agencies
        unknown = sorted({*body.holders, *body.excluded} - set(agencies))
        if unknown:
            raise bad_input("body.holders", "not in the directory: " + ", ".join(unknown))

    return await on.call.handle(
        consent.DECIDER,
        f"consent/{id}",
        str(on.case),
        consent.Record(event),
        body,
        check=check,
        location="/v1/consents/{id}",
    )


@router.post("/v1/consents/{id}/withdrawal")
async def withdraw(on: OnConsentDep, body: Withdrawal) -> WithdrawalReceipt:
    """Ends what the consent gave; every agency that it named must confirm (see views)."""
    case, id, state = on
    receipt = await case.call.handle(
        consent.DECIDER, f"consent/{id}", str(case.case), consent.Withdraw(), body
    )
    agencies = set(state.holders)
    if state.group:
        agencies |= (await view.the_world(case.call.rt)).pool(state.group, case.call.now())
    return WithdrawalReceipt(
        **receipt.model_dump(), agencies=[Pending(agency=a) for a in sorted(agencies)]
    )


@router.post("/v1/consents/{id}/told-members")
async def tell_of_member(on: OnConsentDep, body: TellOfMember) -> Receipt:
    """The person was told that an agency joined the group, and did not refuse (L3)."""
    case, id, _ = on
    return await case.call.handle(
        consent.DECIDER,
        f"consent/{id}",
        str(case.case),
        consent.TellOfMember(body.agency),
        body,
    )


@router.get("/v1/cases/{id}/bases")
async def list_bases(
    on: OnCaseDep, at: Annotated[Moment | None, Query()] = None
) -> list[ConsentShown]:
    """What held at a moment (now if not given)."""
    events: list[Recorded] = []
    for stream in await view.streams_of(on.call.rt, on.case, "consent"):
        events += (await on.call.load(stream)).events
    on.reads(events)
    moment = at or on.call.now()
    return [_shown(found, moment) for found in consents(events).values()]


def _shown(found: Consent, at: datetime) -> ConsentShown:
    fields = found.recorded.model_dump(exclude={"consent", "case", "medium", "text_version"})
    return ConsentShown(id=found.id, live=found.live(at), ended_at=found.ended_at, **fields)
