"""Why the items of a case are in each agency's document or not: rules and words, never content."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shared.contracts.views import BasisRef
from shared.http import Call, Caller, Route
from shared.problems import bad_input

from .. import words
from ..domain.disclose import keeper_of
from ..domain.facts import Fact
from ..domain.giving import Known
from ..domain.history import Ref
from ..domain.why import Code, Reason, reasons
from ..judge import Told
from .common import Code as AgencyCode
from .common import led, short
from .disclosures import STAFF, known

router = APIRouter(route_class=Route)


class Why(BaseModel):
    """`rule`: by its number; the sentence in Japanese (要確認) and English. `shown`: is the value in its
    document; if a warning stands there, the code is `warned`.
    """

    agency: str
    shown: bool
    code: Code
    rule: str
    ja: str
    en: str
    bases: list[BasisRef]


class ItemWhy(BaseModel):
    """`person` null: it is about several."""

    event: UUID
    type: str
    field: str
    data_class: str = Field(serialization_alias="class")
    person: UUID | None
    occurred_at: datetime
    agencies: list[Why]


@router.get("/v1/reasons")
async def list_reasons(
    call: Caller,
    case: Annotated[UUID, Query()],
    agency: Annotated[AgencyCode | None, Query()] = None,
) -> list[ItemWhy]:
    """Of each item that the agency which leads or led the case holds or recorded, for its staff: the rule by
    which `agency`, or every agency that a basis names or that recorded something, is shown it or not.
    """
    told = await led(call, case)
    call.need(*STAFF)
    knows = await known(call, told)
    if agency and agency not in knows.world.agencies:
        raise bad_input("query.agency", "not in the directory / 機関一覧にありません")
    mine = _own(call, knows)
    found: dict[Ref, ItemWhy] = {}
    for code in [agency] if agency else _concerned(told, knows):
        for fact, reason in reasons(knows.facts, knows.bases, knows.world, code, knows.at):
            if (ref := (fact.event, fact.field)) in mine:
                found.setdefault(ref, _item(fact)).agencies.append(_why(code, reason))
    return sorted(found.values(), key=lambda one: (one.occurred_at, one.event, one.field))


def _own(call: Call, knows: Known) -> set[Ref]:
    """What the caller's agency is shown, and what its own staff recorded though it is sealed."""
    agency = call.who.agency
    shown = reasons(knows.facts, knows.bases, knows.world, agency, knows.at)
    return {
        (fact.event, fact.field)
        for fact, reason in shown
        if reason.permits
        or reason.code == "warned"
        or keeper_of(fact, knows.world, knows.at) == agency
    }


def _concerned(told: Told, knows: Known) -> list[str]:
    recorders = {fact.recorded_by for fact in told.facts}
    named = knows.bases.holders(knows.world, knows.at) | recorders
    return sorted(named & knows.world.agencies.keys())


def _item(fact: Fact) -> ItemWhy:
    return ItemWhy(
        event=fact.event,
        type=short(fact.type),
        field=fact.field,
        data_class=fact.data_class,
        person=fact.person,
        occurred_at=fact.occurred_at,
        agencies=[],
    )


def _why(agency: str, reason: Reason) -> Why:
    bases = [BasisRef(**basis._asdict()) for basis in reason.bases]
    said = words.reasons()[reason.code]
    return Why(agency=agency, shown=reason.permits, code=reason.code, bases=bases, **said)
