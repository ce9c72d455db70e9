"""What the three parts of the API share: words for values, standing, checks of input."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from shared.basis import pools
from shared.contracts.codes import LegalType, bodies, body_codes
from shared.contracts.event import AGENCY, SUBJECT
from shared.http import Body, Call, Caller
from shared.offices import the_offices
from shared.problems import Problem, bad_input

from .. import view
from ..domain import member

Agency = Annotated[str, StringConstraints(pattern=AGENCY)]
Subject = Annotated[str, StringConstraints(pattern=SUBJECT)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]
People = Annotated[list[UUID], Field(min_length=1, max_length=20)]
WORKERS = ("intake_worker", "agency_worker", "coordinator", "supervisor")
STAFF = (*WORKERS, "privacy_officer", "system")
HOSTS = ("coordinator", "supervisor")
CASEWORKERS = ("intake_worker", *HOSTS)
ONLY_OFFICE = "only the body's office does this / 会議体の事務局の機関だけができます"
NO_ID = UUID(int=0)
Check = Callable[[], Awaitable[None]]
Value = TypeVar("Value")


def body_of(*types: LegalType) -> tuple[AfterValidator, WithJsonSchema]:
    """Annotations for a string that must be the code of a body of these legal types."""
    codes = body_codes(*types)

    def check(code: str) -> str:
        if code not in codes:
            raise ValueError(f"one of these bodies / 会議体は次のいずれかです: {', '.join(codes)}")
        return code

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": codes})


def of_the_day(call: Call, code: str, *types: LegalType) -> None:
    """422 for a body that is none of these legal types yet."""
    found = bodies(call.now()).get(code)
    if found is None or found.legal_type not in types:
        raise bad_input("body.body", "no such body on this day / この日にはまだない会議体です")


class Nothing(Body):
    """A command that needs no values."""


class _CaseNamed(BaseModel):
    case: UUID


class _BodiesNamed(BaseModel):
    bodies: list[str] = Field(max_length=20)


async def staff(call: Caller) -> Call:
    call.need(*STAFF)
    return call


StaffDep = Annotated[Call, Depends(staff)]


async def named_case(call: Call) -> UUID | None:
    """The case that the body names, before the body is looked at: standing comes first."""
    try:
        return _CaseNamed.model_validate(await call.request.json()).case
    except ValidationError:
        return None


async def named_bodies(call: Call) -> set[str]:
    """The known bodies that the call names, before the rest of it is looked at, as above."""
    try:
        named = _BodiesNamed.model_validate(await call.request.json()).bodies
    except ValidationError:
        return set()
    return set(named) & set(body_codes())


async def pool_of(call: Call, body: str) -> member.Pool:
    """From the journal: always up to date. Who was named for a desk is there while he sits at it (L5)."""
    past = await call.load(f"body/{body}")
    pool: member.Pool = past.fold(member.DECIDER)
    if all(one.desk is None for one in pool.members.values()):
        return pool
    stays, now = pools(past.events, await the_offices(call.rt)).get(body, {}), call.now()
    over = [s for s, stay in stays.items() if stay.left_at and stay.left_at <= now]
    return pool.seated([s for s, stay in stays.items() if now < stay.since], over)


def need_office(call: Call, pool: member.Pool, *roles: str) -> None:
    """403 unless the caller has one of the roles (HOSTS if none is said) at the body's office."""
    call.need(*(roles or HOSTS))
    if call.who.agency not in pool.office:
        raise Problem("wrong-role", detail=ONLY_OFFICE)


async def all_registered(call: Call, agencies: Iterable[str], field: str) -> None:
    known = (await view.the_world(call.rt)).agencies
    if unknown := sorted(set(agencies) - set(known)):
        names = ", ".join(unknown)
        raise bad_input(field, f"not in the directory / 機関一覧にありません: {names}")


async def all_of_case(
    call: Call, case: UUID, people: Iterable[UUID], field: str = "body.subjects"
) -> None:
    if set(people) - await view.people_of(call.rt, case):
        raise bad_input(field, "not a person of this case / このケースの人ではありません")


def once(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))
