"""All that is held about one person, item by item, and what of it he is shown by default (L22). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import Coded, Personal, Recorded, Unreadable, sealed_fields
from shared.contracts.event import DataClass
from shared.contracts.intake import ConsentRecorded

NEVER: frozenset[DataClass] = frozenset({"reporter", "sealed"})
"""In no file to a person, whoever decides."""


@dataclass(frozen=True)
class Item:
    """One sealed field of one event. `withheld`: the ground by default, None where it is shown;
    `fixed`: nobody can show it.
    """

    event: UUID
    field: str
    type: str
    case: str
    data_class: DataClass
    value: Any
    at: datetime
    occurred_at: datetime
    recorded_by: str
    withheld: str | None
    fixed: bool


def items(events: Iterable[Recorded], people: frozenset[UUID]) -> list[Item]:
    """Of one case: what speaks of these people, alone or with others, or of the household."""
    return [item for recorded in events for item in _items(recorded, people)]


def _items(recorded: Recorded, people: frozenset[UUID]) -> Iterator[Item]:
    event, envelope = recorded.event, recorded.envelope
    about = _about(recorded)
    if about is not None and not about & people:
        return
    for name, mark in sealed_fields(type(event)).items():
        value = getattr(event, name)
        if value is None or value == () or isinstance(value, Unreadable):
            continue
        yield Item(
            event=envelope.id,
            field=name,
            type=envelope.type,
            case=envelope.key,
            data_class=mark.data_class,
            value=value,
            at=envelope.at,
            occurred_at=envelope.occurred_at,
            recorded_by=envelope.agency,
            withheld=_withheld(recorded, mark, about, people),
            fixed=mark.data_class in NEVER,
        )


def _about(recorded: Recorded) -> frozenset[UUID] | None:
    """The people that an event names; None: the household as a whole."""
    event = recorded.event
    person = getattr(event, "person", None)
    if person:
        return frozenset({person})
    return frozenset(getattr(event, "subjects", ())) or None


def _withheld(
    recorded: Recorded,
    mark: Coded | Personal,
    about: frozenset[UUID] | None,
    people: frozenset[UUID],
) -> str | None:
    """Free text under the household's key may tell of anybody: it is shown when somebody has read it."""
    if mark.data_class in NEVER:
        return "third_party"
    if isinstance(recorded.event, ConsentRecorded):
        return None
    if getattr(recorded.event, "matter", None) or mark.data_class == "judgement":
        return "administration"
    unread = isinstance(mark, Personal) and mark.of is None
    if about is None or about - people or unread:
        return "third_party"
    return None
