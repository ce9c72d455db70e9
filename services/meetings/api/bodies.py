"""Bodies and the members of their pools."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from shared.contracts.codes import LegalType, bodies
from shared.contracts.event import SUBJECT
from shared.contracts.meetings import MemberLeft, MemberNamed, MemberPledged
from shared.http import After, Body, Call, Caller, Limit, Page, Receipt, Route
from shared.offices import the_offices
from shared.problems import bad_input, not_found

from ..domain import member as members
from .common import Agency, Check, Nothing, StaffDep, all_registered, need_office, pool_of

router = APIRouter(route_class=Route)


class NewMember(Body):
    """`desk`: one of the agency, or of a programme that it runs, at which he sits or will sit; he belongs
    to the body, pledge and all, until his seat or the contract ends.
    """

    agency: Agency
    secretariat: bool = False
    desk: Agency | None = None


class NewPledge(Body):
    """The pledge of secrecy holds from April of `fiscal_year` to March."""

    fiscal_year: int = Field(ge=2000, le=2999)


class MemberShown(BaseModel):
    """`ahead`: his seat at the desk is still to come."""

    subject: str
    agency: str
    secretariat: bool
    desk: str | None
    ahead: bool
    fiscal_years: list[int]


class BodyShown(BaseModel):
    code: str
    name: str
    legal_type: LegalType
    citation: str
    secrecy: str | None
    review_days: int | None
    counted_in_indicator_1: bool
    confirmed: bool
    members: list[MemberShown]


@dataclass
class OnBody:
    """A call on a known body (404 otherwise), with everyone ever named to it."""

    call: Call
    code: str
    pool: members.Pool

    def over(self, subject: str) -> bool:
        known = self.pool.members.get(subject)
        return known is not None and known.seat == "over"

    def is_self(self, subject: str) -> bool:
        who = self.call.who
        return (who.subject, who.agency) == (subject, self.pool.members[subject].agency)

    async def write(
        self,
        command: members.Command,
        body: Body,
        check: Check | None = None,
    ) -> Receipt:
        stream = f"body/{self.code}"
        return await self.call.handle(
            members.DECIDER, stream, self.code, command, body, check=check
        )


async def on_body(code: str, call: Caller) -> OnBody:
    if code not in bodies(call.now()):
        raise not_found()
    return OnBody(call, code, await pool_of(call, code))


OnBodyDep = Annotated[OnBody, Depends(on_body)]


async def on_pool(subject: str, on: OnBodyDep) -> OnBody:
    """The body's office; or who keeps the directory, as he appoints the office: never himself."""
    who = on.call.who
    if "operator" not in who.roles or who.subject == subject:
        need_office(on.call, on.pool)
    return on


async def on_member(subject: str, on: OnBodyDep) -> OnBody:
    """404 for whoever was never named."""
    if subject not in on.pool.members:
        raise not_found()
    return on


async def on_leaving(subject: str, on: Annotated[OnBody, Depends(on_member)]) -> OnBody:
    """The member himself, or whoever may name him."""
    return on if on.is_self(subject) else await on_pool(subject, on)


async def on_pledging(subject: str, on: Annotated[OnBody, Depends(on_member)]) -> OnBody:
    """The member himself, or a coordinator of the body's office for him."""
    if not on.is_self(subject):
        need_office(on.call, on.pool, "coordinator")
    return on


@router.get("/v1/bodies")
async def list_bodies(call: StaffDep, after: After = None, limit: Limit = 50) -> Page[BodyShown]:
    """The kinds of meeting (要確認 until confirmed) with their members now."""
    known = bodies(call.now())
    codes = sorted(code for code in known if code > (after or ""))[:limit]
    items = []
    for code in codes:
        pool = await pool_of(call, code)
        items.append(
            BodyShown(
                **known[code].model_dump(),
                members=[
                    MemberShown(
                        subject=subject,
                        agency=one.agency,
                        secretariat=one.secretariat,
                        desk=one.desk,
                        ahead=one.seat == "ahead",
                        fiscal_years=sorted(one.years),
                    )
                    for subject, one in sorted(pool.named.items())
                ],
            )
        )
    return Page(items=items, next=codes[-1] if len(codes) == limit else None)


@router.put("/v1/bodies/{code}/members/{subject}")
async def name_member(
    subject: str, on: Annotated[OnBody, Depends(on_pool)], body: NewMember
) -> Receipt:
    """By a coordinator or supervisor of the body's office: the agencies of its secretariat. Who keeps the
    directory (`operator`) appoints the first of them, and nobody names himself that way.

    The same values again write nothing; others begin the membership anew, without a pledge, and so do
    the same when the seat at the desk was over.
    """
    if not re.fullmatch(SUBJECT, subject):
        raise bad_input(
            "path.subject", "use letters, digits and . _ : @ - / 英数字と . _ : @ - です"
        )

    async def check() -> None:
        await all_registered(on.call, [body.agency], "body.agency")
        if body.desk and not await _will_sit(on.call, body.agency, subject, body.desk):
            raise bad_input(
                "body.desk", "he is not named to that desk / その窓口の担当者ではありません"
            )

    named = MemberNamed(
        body=on.code,
        member=subject,
        agency=body.agency,
        secretariat=body.secretariat,
        desk=body.desk,
    )
    return await on.write(members.Name(named, on.over(subject)), body, check)


@router.post("/v1/bodies/{code}/members/{subject}/pledge")
async def pledge(
    subject: str, on: Annotated[OnBody, Depends(on_pledging)], body: NewPledge
) -> Receipt:
    pledged = MemberPledged(body=on.code, member=subject, fiscal_year=body.fiscal_year)
    return await on.write(members.Pledge(pledged, on.over(subject)), body)


@router.post("/v1/bodies/{code}/members/{subject}/leaving")
async def leave(subject: str, on: Annotated[OnBody, Depends(on_leaving)], body: Nothing) -> Receipt:
    return await on.write(members.Leave(MemberLeft(body=on.code, member=subject)), body)


async def _will_sit(call: Call, agency: str, subject: str, desk: str) -> bool:
    """Now, or later as it is agreed today. Shelters are named nowhere (L11)."""
    known = await the_offices(call.rt)
    shown = desk in known.desks and not known.desks[desk].shelter
    return shown and known.sitting(agency, subject, desk, call.now()) is not None
