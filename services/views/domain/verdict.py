"""What has to change in the documents of one case. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from shared.basis import World
from shared.contracts import Recorded
from shared.contracts.views import BasisRef, DocumentChanged, ItemRef

from .disclose import Item, ItemKey, Shown, disclose
from .document import Handles, canonical, content, digest_of, only
from .facts import Fact, corrects, replaced
from .grant import Bases, Basis

EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Held:
    """An agency's newest recorded document of a case; `version` is the last of its stream. No `data`: it
    had none, its people opened what is sealed.
    """

    version: int
    data: Mapping[str, Any]

    def __bool__(self) -> bool:
        return bool(self.data)

    @property
    def items(self) -> set[ItemKey]:
        return {_key(item) for item in self.data["items"]}

    @property
    def once(self) -> set[tuple[UUID, str]]:
        """What it held, or gave back with this document: of that it is told when it is corrected (L17)."""
        return {_key(item)[:2] for item in (*self.data["items"], *self.data["withdrawn"])}

    @property
    def corrected(self) -> set[ItemKey]:
        """Items of which it was told that they correct what it held (L17)."""
        return {_key(item) for item in self.data["items"] if item.get("told") == "corrected"}


@dataclass(frozen=True)
class Verdict:
    """`changes`: the new documents, each with the version of its stream so far; `made`: by agency what
    they show, in canonical form. `waits`: something may not be shown yet. `again_at`: when a basis of
    the case begins, ends or stands still next.
    """

    changes: Sequence[tuple[int, DocumentChanged]]
    waits: bool
    again_at: datetime | None
    made: Mapping[str, bytes]


@dataclass(frozen=True)
class Evidence:
    """All that a case is judged by; `held` by agency, `events`: where the facts come from, `mistaken`:
    those that were recorded in error. What `may_grow` is not: shrinking never waits.
    """

    case: UUID
    found: Sequence[Fact]
    given: Bases
    known: World
    held: Mapping[str, Held]
    may_grow: bool
    events: Sequence[Recorded] = ()
    mistaken: Sequence[Fact] = ()

    @cached_property
    def corrected(self) -> Mapping[UUID, UUID]:
        """Events that another replaced whole, with that one: the same for every agency."""
        return replaced(self.events)

    @cached_property
    def recorders(self) -> set[tuple[str, str, datetime]]:
        """Who recorded something, of which agency, and when; of somebody who never sat at a desk, once."""
        seats = self.known.offices.seats
        return {
            (*who, fact.at if who in seats else EVER)
            for fact in self.found
            if (who := (fact.recorded_by, fact.actor))[0]
        }


def verdict(of: Evidence, now: datetime, key: bytes) -> Verdict:
    """`key` is the index key: it makes handles and digests."""
    changes: list[tuple[int, DocumentChanged]] = []
    made: dict[str, bytes] = {}
    waits = False
    for agency in sorted(_candidates(of, now)):
        begun = of.held.get(agency)
        before = begun or None
        new, later = _document(of, agency, before, now, key)
        waits |= later
        if new:
            change, made[agency] = new
            changes.append((begun.version if begun is not None else 0, change))
    return Verdict(changes, waits, _next_boundary(of, now), made)


def _document(
    of: Evidence, agency: str, before: Held | None, now: datetime, key: bytes
) -> tuple[tuple[DocumentChanged, bytes] | None, bool]:
    """What to record and what it shows, if anything; and True when something may not be shown yet."""
    handles = Handles(key, agency)
    had = before.items if before else set()
    once = before.once if before and of.mistaken else set()
    found = [*of.found, *(fact for fact in of.mistaken if (fact.event, fact.field) in once)]
    shown = disclose(found, of.given, of.known, agency, now)
    if not _adds(of, shown):
        shown = Shown((), {})
    waits = not of.may_grow and any(item.key not in had for item in shown.items)
    if waits:
        known = {(event, field) for event, field, _ in had}
        old = [fact for fact in found if (fact.event, fact.field) in known]
        shown = only(disclose(old, of.given, of.known, agency, now), had)
    if before:
        shown = _corrected(of, before, shown)
    if before is None and not shown.items:
        return None, waits
    plain = canonical(content(handles, shown))
    mark = digest_of(key, plain)
    if before and before.data["digest"] == mark:
        return None, waits
    refs = tuple(_ref(item) for item in shown.items)
    kept = {item.key for item in shown.items}
    more = {key for key in kept - had if not key[2]}
    change = DocumentChanged(
        agency=agency,
        case=of.case,
        document=before.data["document"] + 1 if before else 1,
        items=refs,
        digest=mark,
        cause="content_ended" if had - kept and not more else "content_changed",
        withdrawn=_withdrawn(of, before, shown) if before and had - kept else (),
    )
    return (change, plain), waits


def _corrected(of: Evidence, before: Held, shown: Shown) -> Shown:
    """L17: those who held the old value are told, and stay told while the new one shows."""
    new = {(of.corrected[e], field) for e, field in before.once if e in of.corrected}
    known = before.corrected
    items = tuple(
        item._replace(corrects=True)
        if item.key in known
        or (item.key[:2] in new and corrects(item.fact.type) and not item.fact.error_at)
        else item
        for item in shown.items
    )
    return Shown(items, shown.persons)


def _adds(of: Evidence, shown: Shown) -> bool:
    """Whether it shows more than the documents of cases that were merged into this one do already."""
    return any(
        item.fact.case == of.case or any(of.given.crosses(b, item.fact) for b in item.bases)
        for item in shown.items
    )


def _withdrawn(of: Evidence, before: Held, shown: Shown) -> tuple[ItemRef, ...]:
    """What is shown no more, with its bases, unless a newer value stands in its place (L17)."""
    slots = {item.fact.slot for item in shown.items if item.fact.slot and not item.warned}
    newer = {(fact.event, fact.field) for fact in of.found if fact.slot in slots}
    standing = {item.fact.event for item in shown.items}
    corrected = {old for old, new in of.corrected.items() if new in standing}
    kept = {item.key for item in shown.items}
    return tuple(
        ItemRef.model_validate(item)
        for item in before.data["items"]
        if (key := _key(item)) not in kept
        and key[:2] not in newer
        and key[0] not in corrected
        and not key[2]
    )


def _key(item: Mapping[str, Any]) -> ItemKey:
    """Of an item on record."""
    bare = item.get("warned", False) or item.get("told") == "recorded_in_error"
    return UUID(item["event"]), item["field"], bare


def _candidates(of: Evidence, now: datetime) -> set[str]:
    """Every agency that could hold something, or did."""
    agencies = {keeper for who in of.recorders if (keeper := of.known.offices.keeper(*who, now))}
    agencies |= {agency for agency, held in of.held.items() if held}
    return agencies | of.given.holders(of.known, now)


def _next_boundary(of: Evidence, now: datetime) -> datetime | None:
    """Of a basis, of the contracts under whose programmes something was recorded or is named, or of the
    stays of a group's members; and when our clock is where another's was that recorded something.
    """
    offices = of.known.offices
    programmes = {offices.programme_of(*who) for who in of.recorders}
    programmes |= {offices.desks[c].programme for c in of.given.names() if c in offices.desks}
    moments = [*of.given.moments(), *offices.moments(p for p in programmes if p)]
    for recorded in of.events:
        moments += recorded.envelope.occurred_at, recorded.envelope.at
    for group in of.given.groups():
        moments += of.known.turns(group)
    return min((moment for moment in moments if moment > now), default=None)


def _ref(item: Item) -> ItemRef:
    return ItemRef(
        event=item.fact.event,
        field=item.fact.field,
        bases=tuple(map(_basis_ref, item.bases)),
        warned=item.warned,
        told=item.told,
    )


@lru_cache(1 << 12)
def _basis_ref(basis: Basis) -> BasisRef:
    return BasisRef(**basis._asdict())
