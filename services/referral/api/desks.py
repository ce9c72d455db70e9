"""Desks (窓口) of agencies and programmes, and who sits at them. Shelters appear to nobody else (L11)."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, model_validator

from shared.contracts.event import AGENCY, SUBJECT
from shared.contracts.referral import (
    DeskClosed,
    DeskMemberLeft,
    DeskMemberNamed,
    DeskRegistered,
)
from shared.directory import Desk
from shared.http import After, Body, Call, Caller, Limit, Line, Page, Receipt, Route
from shared.journal import Past
from shared.problems import bad_input, not_found

from .. import view
from ..domain import desk as desks
from .common import Agency, OperatorDep, code_in_path, taken

router = APIRouter(route_class=Route)

REGISTRARS = ("operator", "supervisor")


class NewDesk(Body):
    """Of an agency in its own right, or of a programme: one of the two, for good."""

    name: Line
    agency: Agency | None = None
    programme: Agency | None = None
    shelter: bool = False

    @model_validator(mode="after")
    def _of_one(self) -> "NewDesk":
        if (self.agency is None) == (self.programme is None):
            raise ValueError("of an agency or of a programme / 機関か事業のどちらか一方")
        return self


class Closing(Body):
    pass


class OfAgency(Body):
    """Whose staff it is; by default the agency that has the desk now."""

    agency: Agency | None = None


class MemberShown(BaseModel):
    agency: str
    subject: str


class DeskShown(BaseModel):
    """`agency`: who has it now. `members`: for the operator and that agency."""

    code: str
    name: str
    agency: str | None
    programme: str | None
    shelter: bool
    closed: bool
    members: list[MemberShown] | None = None


class OnDesk:
    """A call on a desk: 404 if there is none, or it is a shelter of others."""

    def __init__(self, call: Call, code: str, past: Past, had_by: str | None) -> None:
        self.call, self.code, self.past, self.had_by = call, code, past, had_by
        self.state: desks.Desk = past.fold(desks.DECIDER)

    @property
    def ours(self) -> bool:
        return "operator" in self.call.who.roles or self.call.who.agency == self.had_by

    def of(self, body: OfAgency) -> str:
        agency = body.agency or self.had_by
        if agency is None:
            raise bad_input(
                "body.agency", "nobody has the desk now / 今この窓口を持つ機関がありません"
            )
        if "operator" not in self.call.who.roles and agency != self.call.who.agency:
            raise bad_input("body.agency", "your own staff only / 自機関の職員だけです")
        return agency

    async def write(self, command: desks.Command, body: Body, **more: Any) -> Receipt:
        return await self.call.handle(
            desks.DECIDER, f"desk/{self.code}", self.code, command, body, past=self.past, **more
        )


async def on_desk(code: str, call: Caller) -> OnDesk:
    past = await call.load(f"desk/{code}") if re.fullmatch(AGENCY, code) else Past(0, [])
    offices = (await view.the_world(call.rt)).offices
    on = OnDesk(call, code, past, offices.desk_of(code, call.now()))
    registered = on.state.registered
    if registered is None or (registered.shelter and not on.ours):
        raise not_found()
    return on


async def on_own_desk(on: Annotated[OnDesk, Depends(on_desk)]) -> OnDesk:
    """The operator, or a supervisor of the agency that has it."""
    on.call.need(*(REGISTRARS if on.ours else ("operator",)))
    return on


OnDeskDep = Annotated[OnDesk, Depends(on_desk)]
OnOwnDeskDep = Annotated[OnDesk, Depends(on_own_desk)]


@router.put("/v1/desks/{code}", responses={201: {"model": Receipt}})
async def register_desk(code: str, call: OperatorDep, body: NewDesk) -> Receipt:
    """201 the first time, then 200; the same values again write nothing."""
    code_in_path(code)

    async def check() -> None:
        if await taken(call, f"agency/{code}"):
            raise bad_input("path.code", "is that of an agency / 機関の符号として使われています")
        kind = "agency" if body.agency else "programme"
        if not await taken(call, f"{kind}/{body.agency or body.programme}"):
            raise bad_input(f"body.{kind}", "not in the directory / 登録がありません")

    registered = DeskRegistered(desk=code, **body.model_dump(exclude={"occurred_at"}))
    return await call.handle(
        desks.DECIDER,
        f"desk/{code}",
        code,
        desks.Register(registered),
        body,
        check=check,
        location="/v1/desks/{id}",
    )


@router.get("/v1/desks")
async def list_desks(
    call: Caller,
    agency: Annotated[Agency | None, Query()] = None,
    programme: Annotated[Agency | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[DeskShown]:
    """Open ones, of one agency or programme if named. No shelters."""
    offices, now = (await view.the_world(call.rt)).offices, call.now()
    found = [
        _listed(desk, had_by)
        for code, desk in sorted(offices.desks.items())
        if code > (after or "") and desk.open(now) and not desk.shelter
        for had_by in (offices.desk_of(code, now),)
        if agency in (None, had_by) and programme in (None, desk.programme)
    ][:limit]
    return Page(items=found, next=found[-1].code if len(found) == limit else None)


def _listed(desk: Desk, had_by: str | None) -> DeskShown:
    return DeskShown(
        code=desk.code,
        name=desk.name,
        agency=had_by,
        programme=desk.programme,
        shelter=desk.shelter,
        closed=False,
    )


@router.get("/v1/desks/{code}")
async def get_desk(on: OnDeskDep) -> DeskShown:
    on.call.shows(on.past.version)
    state, registered = on.state, on.state.registered
    assert registered is not None
    members = [MemberShown(agency=a, subject=s) for a, s in sorted(state.members)]
    return DeskShown(
        code=on.code,
        name=registered.name,
        agency=None if state.closed else on.had_by,
        programme=registered.programme,
        shelter=registered.shelter,
        closed=state.closed,
        members=members if on.ours else None,
    )


@router.post("/v1/desks/{code}/closing")
async def close(on: OnOwnDeskDep, body: Closing) -> Receipt:
    """What was recorded there stays whose it is; what named the desk reaches nobody any more."""
    return await on.write(DeskClosed(desk=on.code), body)


@router.put("/v1/desks/{code}/members/{subject}")
async def name_member(subject: str, on: OnOwnDeskDep, body: OfAgency) -> Receipt:
    """From `occurred_at` on, what this person records is recorded at the desk, as long as his agency has
    it; a successor's staff may be named ahead. Who is named to several sits at the last.
    """
    if not re.fullmatch(SUBJECT, subject):
        raise bad_input("path.subject", "letters, digits and ._:@- / 英数字と ._:@- です")
    agency = on.of(body)

    async def check() -> None:
        if not await taken(on.call, f"agency/{agency}"):
            raise bad_input("body.agency", "not in the directory / 機関一覧にありません")

    named = DeskMemberNamed(desk=on.code, agency=agency, member=subject)
    return await on.write(named, body, check=check)


@router.post("/v1/desks/{code}/members/{subject}/leaving")
async def leave(subject: str, on: OnOwnDeskDep, body: OfAgency) -> Receipt:
    agency = on.of(body)
    if (agency, subject) not in on.state.members:
        raise not_found()
    return await on.write(DeskMemberLeft(desk=on.code, agency=agency, member=subject), body)
