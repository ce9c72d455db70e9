"""What an agency's document was at a moment; to whom one person's data went."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.contracts import Unreadable
from shared.contracts.event import Consentable
from shared.contracts.views import BasisRef, GivenBack, ItemRef
from shared.http import Call, Caller, Moment, PathId, Route, to_uuid
from shared.problems import Problem, not_found

from .. import account, merges
from ..delivery import opened_again
from ..domain.disclose import Coverage
from ..domain.document import Handles
from ..domain.facts import Outline, concerning
from ..domain.grant import Basis
from ..domain.history import Copy, Disclosed, Ref, disclosed
from ..judge import Judge
from ..then import document_then
from .common import OFFICERS, Code, Held, led, short
from .disclosures import OnProvision, of_case

router = APIRouter(route_class=Route)


class Reading(BaseModel):
    subject: str
    at: datetime


class Disclosure(BaseModel):
    """One item about the person and who held it, opened it or got it by hand; no content. `way`:
    document, reading, or one of the list hand_way. `copies`: printed with it.
    """

    case: UUID
    receiver: str
    way: str
    event: UUID
    type: str | None
    field: str
    bases: list[BasisRef]
    since: datetime
    until: datetime | None
    delivered_at: datetime | None
    read_by: list[Reading]
    copies: list[Copy]


@router.get("/v1/persons/{person}/disclosures")
async def list_disclosures(person: PathId, call: Caller) -> list[Disclosure]:
    """One person's list over the cases that the caller's agency leads or led, for its privacy officer; by
    all ids that merges say are his (L18).
    """
    ids = await merges.ids_of(call.rt.reads, to_uuid(person))
    cases: list[UUID] = []
    for case in await account.cases_of(call.rt, ids):
        try:
            await led(call, case)
        except Problem:
            continue
        cases.append(case)
    if not cases:
        raise not_found()
    call.need("privacy_officer")
    found = [line for case in cases for line in await _of_case(call, case, ids)]
    return sorted(found, key=lambda one: (one.since, one.receiver, one.event, one.field))


async def _of_case(call: Call, case: UUID, ids: Sequence[UUID]) -> list[Disclosure]:
    judge: Judge = call.rt.state["judge"]
    told = (await judge.load(call.rt.reads, [case]))[case]
    events = told.events
    about = frozenset[Ref]().union(*(concerning(events, id) for id in ids))
    types = {e.envelope.id: short(e.envelope.type) for e in events}
    streams = await account.disclosures_of(call.rt, [case])
    pasts = await call.loads(*streams)
    found = [one for past in pasts for one in disclosed(past.events, about)]
    lines = [_line(one, case, types.get(one.ref[0])) for one in found]
    for on in await of_case(call, case, told):
        lines += [
            _by_hand(on, item, types.get(item.event))
            for item in on.recorded.items
            if (item.event, item.field) in about
        ]
    return lines


def _by_hand(on: OnProvision, item: ItemRef, type_: str | None) -> Disclosure:
    given = on.recorded
    name, way = ("" if isinstance(v, Unreadable) else v for v in (given.receiver, given.way))
    returns = [
        e.envelope.at
        for e in on.past.events
        if isinstance(e.event, GivenBack) and item in e.event.items
    ]
    return Disclosure(
        case=given.case,
        receiver=given.to or name or "",
        way=way or "",
        event=item.event,
        type=type_,
        field=item.field,
        bases=list(item.bases),
        since=on.past.events[0].envelope.occurred_at,
        until=min(returns, default=None),
        delivered_at=None,
        read_by=[],
        copies=[copy for copy, its in on.copies if (item.event, item.field) in its],
    )


def _line(one: Disclosed, case: UUID, type_: str | None) -> Disclosure:
    event, field = one.ref
    return Disclosure(
        case=case,
        receiver=one.agency,
        way=one.way,
        event=event,
        type=type_,
        field=field,
        bases=list(one.bases),
        since=one.since,
        until=one.until,
        delivered_at=one.delivered_at,
        read_by=[Reading(subject=subject, at=at) for subject, at in one.read_by],
        copies=one.copies,
    )


async def document_at(on: Held, at: datetime) -> tuple[dict[str, Any], tuple[ItemRef, ...]]:
    """The document as it was recorded at that moment, on the bases of then (404 before the first); and
    the items that were opened: content is left only where it may be shown now (L15).
    """
    call, agency = on.call, on.call.who.agency
    then = await document_then(call.rt, agency, on.case, at)
    if not then:
        raise not_found()
    now = await opened_again(call.rt, agency, on.case, then.recorded, then.at)
    values = {item["item"]: item for item in now["items"]}
    handles = Handles(call.rt.keys.index_key, agency)
    items, opened = [], []
    for ref in then.recorded.items:
        name = handles.of("item", f"{ref.event}/{ref.field}")
        of = then.of.get((ref.event, ref.field))
        person = of and of.person
        reference = {
            "item": name,
            "type": "warning.protected" if ref.warned else of and short(of.type),
            "field": ref.field,
            "class": of and of.data_class,
            "person": person and handles.of("person", person),
            "content": "shown" if name in values else "ended",
        }
        bases = [handles.basis(Basis(b.kind, b.id, b.programme)) for b in ref.bases]
        items.append({**reference, **values.get(name, {}), "bases": bases})
        if name in values:
            opened.append(ref)
    persons: list[dict[str, Any]] = [
        {"person": handles.of("person", person), "classes": dict(classes)}
        for person, classes in then.persons.items()
    ]
    return now | {"persons": persons, "items": items}, tuple(opened)


class PersonThen(BaseModel):
    """Each consentable class: covered or not_covered (L13)."""

    person: UUID
    classes: dict[Consentable, Coverage]


class ItemThen(BaseModel):
    """By reference. `warned`: only that it is protected was shown (L11)."""

    event: UUID
    type: str | None
    field: str
    data_class: str | None
    persons: list[UUID]
    bases: list[BasisRef]
    warned: bool


class DocumentThen(BaseModel):
    """What an agency's document held, and on which bases; never its content."""

    agency: str
    case: UUID
    document: int
    at: datetime
    persons: list[PersonThen]
    items: list[ItemThen]


@router.get("/v1/cases/{case}/documents/{agency}")
async def get_document_then(
    case: PathId, agency: Code, call: Caller, known_at: Annotated[Moment | None, Query()] = None
) -> DocumentThen:
    """As it was recorded at that moment, or is now, for officers of the agency that leads or led the case.
    404 also where the agency had none. What an agency holds as its own record only, nobody disclosed
    to it: that is told to itself.
    """
    id = to_uuid(case)
    await led(call, id)
    call.need(*OFFICERS)
    then = await document_then(call.rt, agency, id, known_at or call.now())
    if not then:
        raise not_found()
    mine = agency == call.who.agency
    refs = [r for r in then.recorded.items if mine or any(b.kind != "own_record" for b in r.bases)]
    items = [_item_then(ref, then.of.get((ref.event, ref.field))) for ref in refs]
    shown = {person for item in items for person in item.persons}
    return DocumentThen(
        agency=agency,
        case=id,
        document=then.recorded.document,
        at=then.at,
        persons=[
            PersonThen(person=person, classes=dict(classes))
            for person, classes in then.persons.items()
            if person in shown
        ],
        items=items,
    )


def _item_then(ref: ItemRef, of: Outline | None) -> ItemThen:
    return ItemThen(
        event=ref.event,
        type=short(of.type) if of else None,
        field=ref.field,
        data_class=of.data_class if of else None,
        persons=sorted(of.subjects) if of else [],
        bases=list(ref.bases),
        warned=ref.warned,
    )
