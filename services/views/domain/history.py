"""What an agency was shown over time, item by item; never the content. Pure."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.views import (
    BasisRef,
    DocumentChanged,
    ItemRef,
    PagePrinted,
    ReadingRecorded,
    ReceiptRecorded,
)

Ref = tuple[UUID, str]
"""Event and field."""


@dataclass(frozen=True)
class Copy:
    """Printed by whom and when; `number` among those of one document, or of what left by hand."""

    number: int
    subject: str
    at: datetime


@dataclass
class Disclosed:
    """One item that an agency held or opened: from when, until when, on which bases, who read it, who
    printed it. That it is warned of a protected one tells it nothing (L11), nor that one was recorded
    in error (L17).

    `way`: in its document, or by a named member's reading of what is sealed.
    """

    ref: Ref
    agency: str
    way: Literal["document", "reading"]
    since: datetime
    bases: tuple[BasisRef, ...]
    document: int = 0
    until: datetime | None = None
    delivered_at: datetime | None = None
    read_by: list[tuple[str, datetime]] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)


def disclosed(events: Iterable[Recorded], about: Container[Ref]) -> list[Disclosed]:
    """Of one agency's stream of one case; `about`: the items that are asked for."""
    found: list[Disclosed] = []
    held: dict[Ref, Disclosed] = {}
    of: dict[int, list[Disclosed]] = {}
    for e in sorted(events, key=lambda e: e.envelope.version):
        at = e.envelope.at
        match e.event:
            case DocumentChanged(agency=agency, document=document, items=items):
                now = {_ref(item): item.bases for item in items if not item.bare}
                for gone in held.keys() - now.keys():
                    held.pop(gone).until = at
                for ref, bases in now.items():
                    if ref in held:
                        more = tuple(b for b in bases if b not in held[ref].bases)
                        held[ref].bases += more
                    elif ref in about:
                        held[ref] = Disclosed(ref, agency, "document", at, bases, document)
                        found.append(held[ref])
                of[document] = list(held.values())
            case PagePrinted(document=document, copy_number=number):
                for one in of[document]:
                    one.copies.append(Copy(number, e.envelope.actor, at))
            case ReceiptRecorded(document=document):
                for one in held.values():
                    if one.document <= document:
                        one.delivered_at = one.delivered_at or at
            case ReadingRecorded(agency=agency, items=items):
                for item in items:
                    opened = _read(item, held, agency, at)
                    if opened and opened.ref in about:
                        opened.read_by.append((e.envelope.actor, at))
                        found += [opened] if opened.way == "reading" else []
    return found


def _read(item: ItemRef, held: dict[Ref, Disclosed], agency: str, at: datetime) -> Disclosed | None:
    """What the reading belongs to. Sealed facts are in no document: each reading stands by itself."""
    if any(basis.kind == "matter" for basis in item.bases):
        return Disclosed(_ref(item), agency, "reading", at, item.bases, until=at)
    return held.get(_ref(item))


def _ref(item: ItemRef) -> Ref:
    return item.event, item.field


def known_at(events: Iterable[Recorded], at: datetime) -> tuple[DocumentChanged, datetime] | None:
    """The agency's document as it was recorded at that moment."""
    found = [
        (e.event, e.envelope.at)
        for e in events
        if isinstance(e.event, DocumentChanged) and e.envelope.at <= at
    ]
    return max(found, key=lambda one: one[0].document, default=None)
