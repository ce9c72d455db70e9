"""HTTP of intake: parse, decide, answer. Rules are in `domain`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints, model_validator
from uuid_utils.compat import uuid7

from shared.basis import Consent, consents
from shared.contracts import Event, Recorded, Unreadable
from shared.contracts.codes import OneOf, bodies
from shared.contracts.intake import (
    CaseClosed,
    CaseOpened,
    CaseReopened,
    CaseScreened,
    ConsentRecorded,
    ContactRecorded,
    PersonDescribed,
    PersonJoined,
    SituationRecorded,
    WorriesRecorded,
)
from shared.http import (
    After,
    Body,
    Call,
    Caller,
    Limit,
    Line,
    Moment,
    Page,
    PathId,
    Receipt,
    Route,
    Text,
    to_uuid,
)
from shared.problems import bad_input, not_found

from . import view
from .domain import case as cases
from .domain import consent, record

router = APIRouter(tags=["intake"], route_class=Route)

Agency = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^[0-9+() -]{3,30}$")]
SectionName = Literal["person", "situation", "worries"]
WORKERS = ("intake_worker", "agency_worker", "coordinator", "supervisor")
NO_ID = UUID(int=0)


class Person(BaseModel):
    """One member of the household; everything but the relation may stay unknown."""

    model_config = {"extra": "forbid"}
    id: UUID | None = None
    relation: Annotated[str, *OneOf("relation")] = "self"
    name: Line | None = None
    kana: Line | None = None
    sex: Annotated[str, *OneOf("sex")] | None = None
    birth: date | None = None
    address: Line | None = None
    phone: Phone | None = None
    living_with: list[Annotated[str, *OneOf("relation")]] | None = Field(None, max_length=20)
    not_to: list[Agency] = Field([], max_length=70)

    def events(self, case: UUID, person: UUID) -> list[Event]:
        described = self.model_dump(exclude={"id", "relation"}, mode="json")
        return [
            PersonJoined(case=case, person=person, relation=self.relation),
            PersonDescribed(case=case, person=person, **described),
        ]


class Situation(BaseModel):
    """The short summary of one person that can be shared, class by class (L4)."""

    model_config = {"extra": "forbid"}
    person: UUID
    health: Text | None = None
    work: Text | None = None
    money: Text | None = None
    welfare_use: Text | None = None
    history: Text | None = None
    source: Annotated[str, *OneOf("source")] = "person"
    matter: UUID | None = None
    not_to: list[Agency] = Field([], max_length=70)

    @model_validator(mode="after")
    def _from_meeting(self) -> "Situation":
        if (self.source == "meeting") != (self.matter is not None):
            raise ValueError("source meeting and its matter go together")
        return self


class Worries(BaseModel):
    """◎ is `main_concern`, ○ the others. Free text is about the household unless subjects say so."""

    model_config = {"extra": "forbid"}
    subjects: list[UUID] = Field([], max_length=20)
    concerns: list[Annotated[str, *OneOf("concern")]] = Field([], max_length=16)
    main_concern: Annotated[str, *OneOf("concern")] | None = None
    text: Text | None = None
    wishes: Text | None = None


class NewCase(Body):
    """つなぐシート: partial is fine."""

    route: Annotated[str, *OneOf("route")]
    reporter: Line | None = None
    household: UUID | None = None
    people: list[Person] = Field([], max_length=20)
    situations: list[Situation] = Field([], max_length=20)
    worries: Worries | None = None


class Section(Body):
    """One part of the sheet, saved by itself."""

    person: Person | None = None
    situation: Situation | None = None
    worries: Worries | None = None


class Screening(Body):
    outcome: Annotated[str, *OneOf("screening")]
    note: Text | None = None


class Closing(Body):
    reason: Annotated[str, *OneOf("closing")]
    note: Text | None = None


class Reopening(Body):
    note: Text | None = None


class NewRecord(Body):
    subjects: list[UUID] = Field([], max_length=20)
    method: Annotated[str, *OneOf("contact_method")]
    text: Text | None = None


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


class CaseLine(BaseModel):
    id: UUID
    lead: str
    status: str
    opened_at: datetime


class Fact(BaseModel):
    """One recorded part of the sheet, opened for those who may see it."""

    type: str
    version: int
    recorded_by: str
    at: datetime
    occurred_at: datetime
    values: dict[str, Any]


class CaseFile(BaseModel):
    """The whole file for the lead agency; for others what they recorded themselves (L20)."""

    id: UUID
    status: str
    lead: str
    version: int
    people: list[UUID]
    facts: list[Fact]


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


class OnCase:
    """A call on a case in which the caller's agency has standing (404 otherwise)."""

    def __init__(self, call: Call, case: UUID, state: cases.Case, events: list[Recorded]) -> None:
        self.call, self.case, self.state, self.events = call, case, state, events

    @property
    def version(self) -> int:
        return len(self.events)

    async def write(self, command: cases.Command, body: Body) -> Receipt:
        stream = f"case/{self.case}"
        return await self.call.handle(cases.DECIDER, stream, str(self.case), command, body)


async def standing(call: Call, case: UUID) -> OnCase:
    past = await call.load(f"case/{case}")
    mine = {e.envelope.agency for e in past.events}
    if not past.version or not (
        call.who.agency in mine or await view.is_party(call.rt, call.who.agency, case)
    ):
        raise not_found()
    call.need(*WORKERS)
    return OnCase(call, case, past.fold(cases.DECIDER), past.events)


async def on_case(id: PathId, call: Caller) -> OnCase:
    return await standing(call, to_uuid(id))


async def on_consent(id: PathId, call: Caller) -> tuple[OnCase, UUID, consent.Consent]:
    consent_id = to_uuid(id)
    past = await call.load(f"consent/{consent_id}")
    state = past.fold(consent.DECIDER)
    if state.case is None:
        raise not_found()
    return await standing(call, state.case), consent_id, state


async def worker(call: Caller) -> Call:
    call.need(*WORKERS)
    return call


OnCaseDep = Annotated[OnCase, Depends(on_case)]
OnConsentDep = Annotated[tuple[OnCase, UUID, consent.Consent], Depends(on_consent)]


@router.post("/v1/cases", status_code=201)
async def open_case(call: Annotated[Call, Depends(worker)], body: NewCase) -> Receipt:
    _not_to_itself(call, [*body.people, *body.situations])
    case = uuid7()
    opened = CaseOpened(
        case=case,
        household=body.household or uuid7(),
        lead=call.who.agency,
        route=body.route,
        reporter=body.reporter,
    )
    sheet = [e for p in body.people for e in p.events(case, p.id or uuid7())]
    sheet += [_situation(case, s) for s in body.situations]
    if body.worries:
        sheet.append(_worries(case, body.worries))
    return await call.handle(
        cases.DECIDER,
        f"case/{case}",
        str(case),
        cases.OpenCase(opened, tuple(sheet)),
        body,
        location="/v1/cases/{id}",
    )


@router.get("/v1/cases")
async def list_cases(
    call: Annotated[Call, Depends(worker)],
    after: After = None,
    limit: Limit = 50,
    status: Annotated[Literal["open", "closed"] | None, Query()] = None,
) -> Page[CaseLine]:
    """The caller agency's own cases."""
    start = to_uuid(after) if after else NO_ID
    rows = await view.cases_of(call.rt, call.who.agency, start, limit, status)
    items = [CaseLine.model_validate(row) for row in rows]
    return Page(items=items, next=str(items[-1].id) if len(items) == limit else None)


@router.get("/v1/cases/{id}")
async def get_case(on: OnCaseDep) -> CaseFile:
    on.call.shows(on.version)
    mine = on.call.who.agency
    shown = [e for e in on.events if mine in (on.state.lead, e.envelope.agency)]
    return CaseFile(
        id=on.case,
        status=on.state.status,
        lead=on.state.lead,
        version=on.version,
        people=sorted(on.state.people),
        facts=[_fact(e) for e in shown],
    )


@router.put("/v1/cases/{id}/sections/{name}")
async def save_section(name: SectionName, on: OnCaseDep, body: Section) -> Receipt:
    """The part of the body that bears the section's name is saved."""
    _not_to_itself(on.call, [part for part in (body.person, body.situation) if part])
    parts: list[Event] = []
    if name == "person" and body.person:
        parts = body.person.events(on.case, body.person.id or uuid7())
        if body.person.id in on.state.people:
            parts = parts[1:]
    elif name == "situation" and body.situation:
        parts = [_situation(on.case, body.situation)]
    elif name == "worries" and body.worries:
        parts = [_worries(on.case, body.worries)]
    else:
        raise bad_input(f"body.{name}", "this section is missing / この項目がありません")
    return await on.write(cases.SaveSheet(tuple(parts)), body)


@router.post("/v1/cases/{id}/screenings")
async def screen(on: OnCaseDep, body: Screening) -> Receipt:
    event = CaseScreened(case=on.case, outcome=body.outcome, note=body.note)
    return await on.write(cases.Screen(event), body)


@router.post("/v1/cases/{id}/closing")
async def close(on: OnCaseDep, body: Closing) -> Receipt:
    event = CaseClosed(case=on.case, reason=body.reason, note=body.note)
    return await on.write(cases.Close(event), body)


@router.post("/v1/cases/{id}/reopening")
async def reopen(on: OnCaseDep, body: Reopening) -> Receipt:
    return await on.write(cases.Reopen(CaseReopened(case=on.case, note=body.note)), body)


@router.post("/v1/cases/{id}/records", status_code=201)
async def add_record(on: OnCaseDep, body: NewRecord) -> Receipt:
    id = uuid7()
    event = ContactRecorded(
        record=id,
        case=on.case,
        subjects=tuple(body.subjects),
        method=body.method,
        text=body.text,
    )

    async def check() -> None:
        _all_known(on, body.subjects, "body.subjects")

    return await on.call.handle(
        record.DECIDER,
        f"record/{id}",
        str(on.case),
        event,
        body,
        check=check,
        location=f"/v1/cases/{on.case}/records/{{id}}",
    )


@router.get("/v1/cases/{id}/records")
async def list_records(on: OnCaseDep) -> list[Fact]:
    """The 支援経過記録: all lines for the lead agency, for others their own."""
    found: list[Recorded] = []
    for stream in await view.streams_of(on.call.rt, on.case, "record"):
        found += (await on.call.load(stream)).events
    mine = on.call.who.agency
    found.sort(key=lambda e: (e.envelope.occurred_at, e.envelope.id))
    return [_fact(e) for e in found if mine in (on.state.lead, e.envelope.agency)]


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
        _all_known(on, [body.person], "body.person")
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
    moment = at or on.call.now()
    return [_shown(found, moment) for found in consents(events).values()]


def _shown(found: Consent, at: datetime) -> ConsentShown:
    fields = found.recorded.model_dump(exclude={"consent", "case", "medium", "text_version"})
    return ConsentShown(id=found.id, live=found.live(at), ended_at=found.ended_at, **fields)


def _all_known(on: OnCase, people: list[UUID], field: str) -> None:
    if set(people) - on.state.people:
        raise bad_input(field, "not a person of this case / このケースの人ではありません")


def _not_to_itself(call: Call, parts: Sequence[Person | Situation]) -> None:
    if any(call.who.agency in part.not_to for part in parts):
        raise bad_input(
            "body.not_to", "you record it, so you hold it / 記録する機関は指定できません"
        )


def _situation(case: UUID, found: Situation) -> SituationRecorded:
    return SituationRecorded(case=case, **found.model_dump())


def _worries(case: UUID, found: Worries) -> WorriesRecorded:
    return WorriesRecorded(case=case, **found.model_dump())


def _fact(recorded: Recorded) -> Fact:
    values = recorded.event.model_dump(exclude={"case"}, exclude_none=True, warnings=False)
    shown = {k: None if isinstance(v, Unreadable) else v for k, v in values.items()}
    e = recorded.envelope
    return Fact(
        type=e.type,
        version=e.version,
        recorded_by=e.agency,
        at=e.at,
        occurred_at=e.occurred_at,
        values=shown,
    )
