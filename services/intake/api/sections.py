"""Sections of the つなぐシート: read with an ETag of their own, saved under it."""

from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from shared.contracts import Event, Recorded, Unreadable
from shared.contracts.codes import labels
from shared.contracts.intake import (
    HealthRecorded,
    InvolvedRecorded,
    LivingRecorded,
    PersonDescribed,
    ReporterRecorded,
    SituationRecorded,
    UrgencyJudged,
    WorriesRecorded,
)
from shared.http import Body, Receipt, Route
from shared.journal import Past
from shared.problems import bad_input

from ..domain import case as cases
from .common import OnCase, OnCaseDep
from .joint import of_person
from .sheet import (
    Health,
    Involved,
    Living,
    Part,
    Person,
    Reporter,
    Situation,
    Urgency,
    Worries,
    check,
)

router = APIRouter(route_class=Route)
OfPerson = Literal["person", "situation", "living", "health"]
OfCase = Literal["worries", "involved", "urgency", "reporter"]
OF_PERSON = get_args(OfPerson)
NOTHING: dict[str, Any] = {"mentions": [], "relation_words": []}
EVENTS: dict[str, type[Event]] = {
    "person": PersonDescribed,
    "situation": SituationRecorded,
    "living": LivingRecorded,
    "health": HealthRecorded,
    "worries": WorriesRecorded,
    "involved": InvolvedRecorded,
    "urgency": UrgencyJudged,
    "reporter": ReporterRecorded,
}


class Section(Body):
    """One part of the sheet, saved by itself."""

    person: Person | None = None
    situation: Situation | None = None
    living: Living | None = None
    health: Health | None = None
    worries: Worries | None = None
    involved: Involved | None = None
    urgency: Urgency | None = None
    reporter: Reporter | None = None


class Value(BaseModel):
    """The newest value of a field, who recorded it, and when it was so (L2, L17)."""

    value: Any
    recorded_by: str
    actor: str
    at: datetime
    occurred_at: datetime


class SectionShown(BaseModel):
    """`version` is that of the section's last change, 0 if nobody has filled it in. `protected`: fields
    that hold something, kept from the caller's agency (L11).
    """

    name: str
    person: UUID | None
    version: int
    fields: dict[str, Value]
    protected: list[str]


class SectionReceipt(Receipt):
    """`mentions` and `relation_words`: other members that a summary speaks of. What is shared of one
    person should not tell of another (L4); the worker looks at it again.
    """

    mentions: list[UUID]
    relation_words: list[str]


@router.get("/v1/cases/{id}/sections/{name}")
async def get_section(
    name: OfPerson | OfCase, on: OnCaseDep, person: UUID | None = None
) -> SectionShown:
    """Of one person where the section is a person's: `?person=`."""
    if (name in OF_PERSON) != (person is not None):
        raise bad_input("query.person", "name the person of the section / 対象者を指定してください")
    on = await of_person(on, person) if person else on
    version = _last(on.past, name, person)
    on.call.shows(version)
    fields: dict[str, Value] = {}
    protected: set[str] = set()
    for recorded in sorted(_of(on.shown(), name, person), key=_age):
        protected.update(on.hidden(recorded.event))
        fields |= _values(recorded)
    return SectionShown(
        name=name,
        person=person,
        version=version,
        fields={field: value for field, value in fields.items() if field not in protected},
        protected=sorted(protected),
    )


@router.put("/v1/cases/{id}/sections/{name}")
async def save_section(name: OfPerson | OfCase, on: OnCaseDep, body: Section) -> SectionReceipt:
    """The part of the body that bears the section's name is saved; If-Match guards that section only. Of a
    person of a case that goes on with this one, it is saved there: the receipt says where.
    """
    part: Part | None = getattr(body, name)
    if part is None:
        raise bad_input(f"body.{name}", "this section is missing / この項目がありません")
    check(on.call, part)
    person = part.id if isinstance(part, Person) else getattr(part, "person", None)
    on = await of_person(on, person) if person else on
    events = part.events(on.case)
    if isinstance(part, Person) and part.id in on.state.people:
        events = events[1:]
    receipt = await on.write(
        cases.SaveSheet(tuple(events)), body, guarded=lambda past: _last(past, name, person)
    )
    noticed = _prompts(on, part) if isinstance(part, Situation) else NOTHING
    return SectionReceipt(**receipt.model_dump(), **noticed)


def _of(events: list[Recorded], name: str, person: UUID | None) -> list[Recorded]:
    return [
        e
        for e in events
        if isinstance(e.event, EVENTS[name]) and getattr(e.event, "person", None) == person
    ]


def _last(past: Past, name: str, person: UUID | None) -> int:
    return max((e.envelope.version for e in _of(past.events, name, person)), default=0)


def _age(recorded: Recorded) -> tuple[datetime, int]:
    return recorded.envelope.occurred_at, recorded.envelope.version


def _values(recorded: Recorded) -> dict[str, Value]:
    e = recorded.envelope
    meta: dict[str, Any] = {
        "recorded_by": e.agency,
        "actor": e.actor,
        "at": e.at,
        "occurred_at": e.occurred_at,
    }
    found = recorded.event.model_dump(exclude={"case", "person"}, exclude_none=True, warnings=False)
    return {
        name: Value(value=value, **meta)
        for name, value in found.items()
        if not isinstance(value, Unreadable)
    }


def _prompts(on: OnCase, part: Situation) -> dict[str, Any]:
    text = part.texts()
    others = {
        e.event.person
        for e in on.shown()
        if isinstance(e.event, PersonDescribed)
        and e.event.person != part.person
        and isinstance(e.event.name, str)
        and e.event.name.split()[-1] in text
    }
    words = [word for word in labels("relation_word").values() if word in text]
    return {"mentions": sorted(others), "relation_words": words}
