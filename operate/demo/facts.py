"""What was told of whom: facts read from the acknowledged intents, by the declarations alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from operate.demo.ledger import Done
from shared.contracts import Event, Structural, declared
from shared.contracts.event import TYPE_PREFIX
from shared.contracts.intake import (
    CaseClosed,
    CaseOpened,
    CaseScreened,
    ContactRecorded,
    PersonDescribed,
    PersonJoined,
    SituationRecorded,
    WorriesRecorded,
)
from shared.contracts.meetings import DecisionRecorded, FactPromoted, TaskAgreed, TaskDone
from shared.contracts.referral import ReferralCompleted, ReferralDeclined, ReferralRequested

OF_CASE: dict[str, type[Event]] = {
    "screening": CaseScreened,
    "closing": CaseClosed,
    "record": ContactRecorded,
}
OF_REFERRAL: dict[str, type[Event]] = {"decline": ReferralDeclined, "completion": ReferralCompleted}


@dataclass(frozen=True)
class Fact:
    """One field. `subjects` None: the whole household, whoever belongs to it."""

    case: str
    type: str
    field: str
    data_class: str
    value: Any
    subjects: frozenset[str] | None
    recorded_by: str
    actor: str
    occurred: datetime
    recorded: datetime
    not_to: frozenset[str] = frozenset()
    slot: tuple[str, ...] | None = None
    sealed: bool = False


def facts(done: Iterable[Done]) -> list[Fact]:
    """All facts of the year. What is put before a statutory body is left out: it is on no document."""
    done = list(done)
    asked = {one.id: one for one in done if one.intent.kind in ("referral", "meeting-tasks")}
    matters = {one.id: one for one in done if one.intent.kind == "matter"}
    return [fact for one in done for fact in _of(one, asked, matters)]


def _of(one: Done, asked: Mapping[str, Done], matters: Mapping[str, Done]) -> Iterator[Fact]:
    kind, body, case = one.intent.kind, one.body, one.places.get("case", "")
    if kind == "case":
        yield from _sheet(one)
    elif kind.startswith("section-"):
        name = kind.removeprefix("section-")
        yield from _section(one, case, name, body[name], joins=one.intent.effects == 2)
    elif kind in OF_CASE:
        yield from _fields(one, OF_CASE[kind], case, body, _named(body))
    elif kind == "referral":
        yield from _fields(one, ReferralRequested, body["case"], body, frozenset({body["person"]}))
    elif kind in OF_REFERRAL:
        first = asked[one.places["referral"]].body
        about = frozenset({first["person"]})
        yield from _fields(one, OF_REFERRAL[kind], first["case"], body, about)
    elif kind == "meeting-decisions":
        yield from _fields(one, DecisionRecorded, body["case"], body, _named(body))
    elif kind == "meeting-tasks":
        yield from _fields(one, TaskAgreed, body["case"], body, _named(body))
    elif kind == "task-completion":
        agreed = asked[one.places["task"]].body
        yield from _fields(one, TaskDone, agreed["case"], body, _named(agreed))
    elif kind == "matter-promotions":
        case = matters[one.places["matter"]].body["case"]
        yield from _fields(one, FactPromoted, case, body, frozenset({body["person"]}))


def _sheet(one: Done) -> Iterator[Fact]:
    yield from _fields(one, CaseOpened, one.id, one.body, None)
    for person in one.body["people"]:
        yield from _section(one, one.id, "person", person, joins=True)
    for situation in one.body["situations"]:
        yield from _section(one, one.id, "situation", situation)
    if one.body["worries"]:
        yield from _section(one, one.id, "worries", one.body["worries"])


def _section(
    one: Done, case: str, name: str, part: Mapping[str, Any], *, joins: bool = False
) -> Iterator[Fact]:
    if name == "worries":
        yield from _fields(one, WorriesRecorded, case, part, _named(part))
        return
    about = frozenset({part["id" if name == "person" else "person"]})
    if joins:
        yield from _fields(one, PersonJoined, case, part, about)
    model = PersonDescribed if name == "person" else SituationRecorded
    yield from _fields(one, model, case, part, about)


def _named(part: Mapping[str, Any]) -> frozenset[str] | None:
    return frozenset(part.get("subjects") or ()) or None


def _fields(
    one: Done,
    model: type[Event],
    case: str,
    values: Mapping[str, Any],
    about: frozenset[str] | None,
) -> Iterator[Fact]:
    """Each classed field that has a value; of a heard-at-a-meeting situation they are sealed (L12)."""
    type_ = model.TYPE.removeprefix(TYPE_PREFIX).removesuffix(".v1")
    for name, mark in declared(model).items():
        value = values.get(name, model.model_fields[name].get_default())
        if isinstance(mark, Structural) or value is None or value in ((), []):
            continue
        person = ",".join(sorted(about or ())) if model.SLOT == "person" else ""
        yield Fact(
            case=case,
            type=type_,
            field=name,
            data_class=mark.data_class,
            value=value,
            subjects=about,
            recorded_by=one.agency,
            actor=one.intent.actor.subject,
            occurred=one.occurred.astimezone(UTC),
            recorded=one.at,
            not_to=frozenset(values.get("not_to") or ()),
            slot=(case, type_, person, name) if model.SLOT else None,
            sealed=bool(values.get("matter")) and model is SituationRecorded,
        )
