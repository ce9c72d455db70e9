"""Consents: given or not, told of, narrowed, withdrawn."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.basis import FREEZES_PROXIES, flags
from shared.calendar import TOKYO, age
from shared.contracts.codes import OneOf, bodies, own_view_below_age
from shared.contracts.intake import ConsentRecorded, PersonDescribed
from shared.decider import Refused
from shared.http import (
    Body,
    Caller,
    Line,
    Moment,
    PathId,
    Receipt,
    Route,
    Text,
    to_uuid,
)
from shared.ids import uuid7
from shared.problems import bad_input, not_found

from .. import view
from ..domain import consent
from .common import (
    Agency,
    OnCase,
    OnCaseDep,
    Staff,
    all_known,
    in_directory,
    may_be_named,
    standing,
)

router = APIRouter(route_class=Route)
DataClass = Annotated[str, *OneOf("data_class")]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2200, 12, 31))]


class Assessment(BaseModel):
    """Who found when that the person cannot consent, and when that is looked at again (L4a)."""

    model_config = ConfigDict(extra="forbid")
    by: Line
    on: Day
    review_on: Day


class Proxy(BaseModel):
    """Who answered in the person's place, by which paper, for which classes, from when to when (days of
    Tokyo, both included). With `conflict_of_interest` he may not.
    """

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, *OneOf("proxy")]
    name: Line
    document: Line
    scope: list[DataClass] = Field(min_length=1, max_length=6)
    begins: Day
    until: Day | None = None
    conflict_of_interest: bool = False


class NewConsent(Body):
    """Who may hold what of one person, for which purposes, how long (L3). A proxy's consent ends with
    his power at the latest.
    """

    person: UUID
    status: Annotated[str, *OneOf("consent_status")] = "granted"
    classes: list[DataClass] = Field(min_length=1, max_length=6)
    purposes: list[Annotated[str, *OneOf("purpose")]] = Field(min_length=1, max_length=3)
    medium: Annotated[str, *OneOf("consent_medium")] = "paper"
    holders: list[Agency] = Field([], max_length=70)
    group: Line | None = None
    excluded: list[Agency] = Field([], max_length=70)
    begins: Moment | None = None
    until: Moment | None = None
    text_version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    explained_by: Staff | None = None
    signed_on: Day | None = None
    own_view: Text | None = None
    assessment: Assessment | None = None
    proxy: Proxy | None = None

    @model_validator(mode="after")
    def _assessed(self) -> "NewConsent":
        if (self.status == "cannot_consent") != (self.assessment is not None):
            raise ValueError("cannot_consent and its assessment go together / 判断の記録が必要です")
        return self

    def event(self, case: UUID, id: UUID, now: datetime) -> ConsentRecorded:
        answered: dict[str, Any] = self.model_dump(
            exclude={"occurred_at", "begins", "until", "assessment", "proxy"}
        )
        ends = [self.until] if self.until else []
        if found := self.assessment:
            answered |= {"assessed_by": found.by, "assessed_on": found.on}
            answered["review_on"] = found.review_on
        if proxy := self.proxy:
            answered |= {"proxy": proxy.kind, "proxy_name": proxy.name, "proxy_scope": proxy.scope}
            answered |= {"proxy_document": proxy.document, "proxy_from": proxy.begins}
            answered["proxy_until"] = proxy.until
            ends += [_midnight(proxy.until + timedelta(days=1))] if proxy.until else []
        return ConsentRecorded(
            consent=id,
            case=case,
            begins=self.begins or self.occurred_at or now,
            until=min(ends, default=None),
            **answered,
        )


class Narrowing(Body):
    """What the person takes back: agencies, classes, time. Whatever is wider is a new consent."""

    excluded: list[Agency] = Field([], max_length=70)
    dropped: list[DataClass] = Field([], max_length=6)
    until: Moment | None = None


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
    event = body.event(on.case, id, on.call.now())

    async def check() -> None:
        all_known(on, [body.person], "body.person")
        if event.until and event.until <= event.begins:
            raise bad_input("body.until", "lies before begins / 終期が始期より前です")
        if not body.holders and not body.group:
            raise bad_input("body.holders", "name agencies or a group / 提供先がありません")
        if body.group and body.group not in bodies(on.call.now()):
            known = ", ".join(bodies(on.call.now()))
            raise bad_input(
                "body.group", f"no such body, one of / 会議体は次のいずれかです: {known}"
            )
        await may_be_named(on, set(body.holders), "body.holders")
        await in_directory(on, {*body.excluded} - {*body.holders}, "body.excluded")
        _answerable(on, body, event)

    return await on.call.handle(
        consent.DECIDER,
        f"consent/{id}",
        str(on.case),
        consent.Record(event),
        body,
        check=check,
        location="/v1/consents/{id}",
    )


@router.post("/v1/consents/{id}/narrowing")
async def narrow(on: OnConsentDep, body: Narrowing) -> Receipt:
    """The person takes a part back; who held it must give it back (see views)."""
    case, id, state = on
    command = consent.Narrow(tuple(body.excluded), tuple(body.dropped), body.until)

    async def check() -> None:
        if not (body.excluded or body.dropped or body.until):
            raise bad_input("body", "says nothing / 変更する内容がありません")
        if body.until and body.until <= (body.occurred_at or case.call.now()):
            raise bad_input("body.until", "has passed; withdraw / 過去の日時です。撤回してください")
        await in_directory(case, {*body.excluded} - state.holders, "body.excluded")

    return await case.call.handle(
        consent.DECIDER, f"consent/{id}", str(case.case), command, body, check=check
    )


@router.post("/v1/consents/{id}/withdrawal")
async def withdraw(on: OnConsentDep, body: Withdrawal) -> WithdrawalReceipt:
    """Ends what the consent gave; every agency that it named must confirm (see views)."""
    case, id, state = on
    receipt = await case.call.handle(
        consent.DECIDER, f"consent/{id}", str(case.case), consent.Withdraw(), body
    )
    known, now = await view.the_world(case.call.rt), case.call.now()
    agencies = {agency for code in state.holders if (agency := known.meant(code, now))}
    if state.group:
        agencies |= known.pool(state.group, now)
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


def _answerable(on: OnCase, body: NewConsent, event: ConsentRecorded) -> None:
    """L4a: the dead answer nothing; a proxy within what his paper allows, and with clean hands (409)."""
    standing_now = next((f for _, f in reversed(flags(on.events, body.person))), frozenset[str]())
    if proxy := body.proxy:
        if not set(body.classes) <= set(proxy.scope):
            raise bad_input("body.classes", "beyond the proxy's scope / 代理権の範囲を超えています")
        if not _midnight(proxy.begins) <= event.begins:
            raise bad_input(
                "body.begins", "before the proxy's power begins / 代理権の始期より前です"
            )
        young = age(_birth(on, body.person), on.call.now())
        if young is not None and young < own_view_below_age() and not body.own_view:
            raise bad_input(
                "body.own_view", "the minor's own view is missing / 本人の意向が必要です"
            )
        if proxy.conflict_of_interest or standing_now & FREEZES_PROXIES:
            raise Refused("proxy-is-barred", on.state.status, ())
    if "died" in standing_now and body.status == "granted":
        raise Refused("person-has-died", on.state.status, ())


def _birth(on: OnCase, person: UUID) -> str | None:
    told = [
        e.event.birth
        for e in on.events
        if isinstance(e.event, PersonDescribed) and e.event.person == person
    ]
    return next((birth for birth in reversed(told) if isinstance(birth, str)), None)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), TOKYO)
