"""Protected items: an address, telephone, school or workplace that only named agencies see (L11). Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from shared.contracts import Event, Recorded
from shared.contracts.intake import (
    ItemProtected,
    PersonDescribed,
    ProtectionLifted,
    SituationRecorded,
)
from shared.contracts.meetings import FactPromoted

PROTECTION_TYPES = (ItemProtected.TYPE, ProtectionLifted.TYPE)
WARNING = "支援措置あり・照会前に個人情報担当へ"
SCHOOL_AND_WORK = ("school", "workplace")
ITEMS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (PersonDescribed.TYPE, "address"): ("address",),
    (PersonDescribed.TYPE, "phone"): ("phone",),
    (SituationRecorded.TYPE, "work"): SCHOOL_AND_WORK,
    (FactPromoted.TYPE, "work"): SCHOOL_AND_WORK,
}
"""Event type and field → the items that stand in it. Free text is beyond it."""

Protections = Mapping[tuple[UUID, str], tuple[tuple[datetime, frozenset[str] | None], ...]]
"""Person and item → since when which agencies are named; None: since then it is protected no more."""


def protections(events: Iterable[Recorded]) -> Protections:
    """Fold a set of events of one case, in any order. What counts is when it was recorded: nobody could
    keep to it before.
    """
    found: dict[tuple[UUID, str], dict[int, tuple[datetime, frozenset[str] | None]]] = {}
    for e in events:
        match e.event:
            case ItemProtected(person=person, item=item, named=named):
                change = e.envelope.at, frozenset(named)
                found.setdefault((person, item), {})[e.envelope.version] = change
            case ProtectionLifted(person=person, item=item):
                found.setdefault((person, item), {})[e.envelope.version] = e.envelope.at, None
    return {place: tuple(of[version] for version in sorted(of)) for place, of in found.items()}


def hidden_since(
    protected: Protections, type: str, field: str, person: UUID | None, agency: str, at: datetime
) -> datetime | None:
    """Since when this field of this person is kept from that agency without a break; None: it is not."""
    if person is None or not protected:
        return None
    since = [
        _since(protected.get((person, item), ()), agency, at)
        for item in ITEMS.get((type, field), ())
    ]
    return min((one for one in since if one), default=None)


def hidden(protected: Protections, event: Event, agency: str, at: datetime) -> list[str]:
    """Fields of an event that hold something and are kept from that agency."""
    person = getattr(event, "person", None)
    return [
        field
        for type, field in ITEMS
        if type == event.TYPE
        and getattr(event, field) is not None
        and hidden_since(protected, type, field, person, agency, at)
    ]


def _since(
    changes: tuple[tuple[datetime, frozenset[str] | None], ...], agency: str, at: datetime
) -> datetime | None:
    since: datetime | None = None
    for changed_at, named in changes:
        if changed_at <= at:
            since = None if named is None or agency in named else since or changed_at
    return since
