"""Urgent protection and other grounds as intervals: which agency they cover at a moment (L7, L8). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.basis import Consent, World, covers
from shared.contracts import CONSENTABLE, Recorded
from shared.contracts.intake import (
    BasisEnded,
    BasisExpired,
    BasisReviewed,
    GroundRecorded,
    UrgentAsserted,
)

GROUND_TYPES = tuple(
    e.TYPE for e in (UrgentAsserted, GroundRecorded, BasisReviewed, BasisEnded, BasisExpired)
)


@dataclass(frozen=True)
class Ground:
    """Live at t: begun ≤ t < end. From an overdue review until a late one nothing new flows by it; what
    it showed until then stays, until its end (L7).
    """

    recorded: UrgentAsserted | GroundRecorded
    reviewed_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None

    @property
    def id(self) -> UUID:
        return self.recorded.basis

    @property
    def kind(self) -> Literal["urgent", "ground"]:
        return "urgent" if isinstance(self.recorded, UrgentAsserted) else "ground"

    @property
    def provider(self) -> str | None:
        """Whose records it covers; None: everybody's."""
        return None if isinstance(self.recorded, UrgentAsserted) else self.recorded.provider

    @property
    def review_by(self) -> datetime | None:
        return self.recorded.review_by if isinstance(self.recorded, UrgentAsserted) else None

    @property
    def end(self) -> datetime:
        until = self.recorded.until
        return min(until, self.ended_at) if self.ended_at else until

    def live(self, at: datetime) -> bool:
        return self.recorded.begins <= at < self.end

    def stopped(self, at: datetime) -> datetime | None:
        """Since when nothing new flows by it; None: it does not stand still."""
        due = self.review_by
        if due is None or at < due or (self.reviewed_at and self.reviewed_at <= at):
            return None
        return due

    def moments(self) -> Iterable[datetime]:
        """When it may come to give more or less."""
        yield from (self.recorded.begins, self.end)
        if self.review_by and self.reviewed_at is None:
            yield self.review_by


def grounds(events: Iterable[Recorded]) -> dict[UUID, Ground]:
    """Fold a set of events, in any order."""
    events = list(events)
    found = {
        e.event.basis: Ground(e.event, recorded_at=e.envelope.at)
        for e in events
        if isinstance(e.event, UrgentAsserted | GroundRecorded)
    }
    for recorded in events:
        at = recorded.envelope.occurred_at
        match recorded.event:
            case BasisReviewed(basis=id) if id in found:
                first = found[id].reviewed_at
                found[id] = replace(found[id], reviewed_at=min(first, at) if first else at)
            case BasisEnded(basis=id) | BasisExpired(basis=id) if id in found:
                ended = found[id].ended_at
                found[id] = replace(found[id], ended_at=min(ended, at) if ended else at)
    return found


def classes_for(
    basis: Consent | Ground, person: UUID, agency: str, teller: str, world: World, at: datetime
) -> frozenset[str]:
    """L9: consentable classes of this person that a basis now lets `teller` tell that agency."""
    if isinstance(basis, Consent):
        meant = basis.recorded.person == person and covers(basis, agency, world, at)
        return basis.classes(at) if meant else frozenset()
    meant = (
        basis.live(at)
        and basis.stopped(at) is None
        and person in basis.recorded.persons
        and agency in world.agencies
        and world.named(basis.recorded.holders, agency, at)
        and basis.provider in (None, teller)
    )
    return frozenset(basis.recorded.classes).intersection(CONSENTABLE if meant else ())
