"""What the bases of a case give to one agency at a moment, and what is kept from it all the same. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from shared.basis import CONSENT_TYPES, Bar, Consent, World, consents, reaches
from shared.contracts import CONSENTABLE, Recorded
from shared.grounds import GROUND_TYPES, Ground, grounds
from shared.protection import PROTECTION_TYPES, Protections, hidden_since, protections

from .facts import Fact

WITHOUT_CONSENT = frozenset((*CONSENTABLE, "judgement"))
"""L22: a reporter is nobody's to share; what is sealed has its own way (L12)."""
BASIS_TYPES = frozenset((*CONSENT_TYPES, *GROUND_TYPES, *PROTECTION_TYPES))


Lack = Literal["not_named", "other_class", "stopped", "other_provider", "other_case"]


class Basis(NamedTuple):
    """Why an item is shown. `id` is the consent, ground or matter; for an own record the agency, and
    `programme` that under which it holds it, if it does not in its own right.
    """

    kind: Literal["own_record", "consent", "matter", "urgent", "ground"]
    id: str
    programme: str | None = None


@dataclass(frozen=True)
class Grant:
    """What one basis gives to one agency now: classes of persons. `before`: nothing recorded since;
    `provider`: what that agency holds as its own, None: what anybody does; `cases`: what was told in these,
    None: the case is of no merge.
    """

    basis: Basis
    persons: frozenset[UUID]
    classes: frozenset[str]
    before: datetime | None = None
    provider: str | None = None
    cases: frozenset[UUID] | None = None

    def lack(self, fact: Fact, person: UUID, keeper: str | None) -> Lack | None:
        """What keeps it from giving the fact of this person, the first in this order; None: it is given.
        `keeper`: whose own record the fact is now.
        """
        if person not in self.persons:
            return "not_named"
        if fact.data_class not in self.classes:
            return "other_class"
        known = self.before is None or fact.at < self.before
        if not known:
            return "stopped"
        if self.provider not in (None, keeper):
            return "other_provider"
        meant = self.cases is None or fact.case in self.cases
        return None if meant else "other_case"


@dataclass(frozen=True)
class Bases:
    """All bases of a case, and what is protected in it. Of merged cases: `told_in`, the case of each
    basis; `counts_in`, all cases for which it is meant (L18); `elsewhere`, what is protected in others.
    """

    consents: Mapping[UUID, Consent] = field(default_factory=dict)
    grounds: Mapping[UUID, Ground] = field(default_factory=dict)
    protected: Protections = field(default_factory=dict)
    told_in: Mapping[UUID, UUID] = field(default_factory=dict)
    counts_in: Mapping[UUID, frozenset[UUID]] = field(default_factory=dict)
    elsewhere: tuple[Protections, ...] = ()

    @classmethod
    def of(cls, events: Iterable[Recorded]) -> "Bases":
        """From the set of the case's events, in any order (L19)."""
        events = [e for e in events if type(e.event).TYPE in BASIS_TYPES]
        return cls(consents(events), grounds(events), protections(events))

    def recorded_before(self, at: datetime) -> "Bases":
        """Those that were known by then, whatever they say of the time before."""
        return replace(
            self,
            consents={id: c for id, c in self.consents.items() if _before(c.recorded_at, at)},
            grounds={id: g for id, g in self.grounds.items() if _before(g.recorded_at, at)},
        )

    def holders(self, world: World, at: datetime) -> set[str]:
        """Agencies that any of them is meant for."""
        found = {agency for code in self.names() if (agency := world.meant(code, at))}
        return found.union(*(world.pool(group, at) for group in self.groups()))

    def groups(self) -> set[str]:
        """Pools whose members a consent is meant for."""
        return {c.recorded.group for c in self.consents.values() if c.recorded.group}

    def names(self) -> set[str]:
        """The agencies and desks that they name."""
        consented = (consent.recorded.holders for consent in self.consents.values())
        grounded = (ground.recorded.holders for ground in self.grounds.values())
        return set[str]().union(*consented, *grounded)

    def moments(self) -> Iterator[datetime]:
        """When time alone changes what they give."""
        for consent in self.consents.values():
            yield consent.recorded.begins
            if consent.end:
                yield consent.end
        for ground in self.grounds.values():
            yield from ground.moments()

    def hidden_since(self, fact: Fact, agency: str, at: datetime) -> datetime | None:
        """L11; who is protected in one of merged cases is protected in all."""
        if not self.protected and not self.elsewhere:
            return None
        found = [
            hidden_since(protected, fact.type, fact.field, fact.person, agency, at)
            for protected in (self.protected, *self.elsewhere)
        ]
        return min((since for since in found if since), default=None)

    def crosses(self, basis: Basis, fact: Fact) -> bool:
        """Whether it was given in another case than that in which the fact was told."""
        return (
            basis.kind != "own_record" and self.told_in.get(UUID(basis.id), fact.case) != fact.case
        )


def _before(recorded_at: datetime | None, at: datetime) -> bool:
    return recorded_at is None or recorded_at < at


def ground_bar(ground: Ground, agency: str, world: World, at: datetime) -> Bar | None:
    """What keeps it from that agency; None: nothing (L7, L8)."""
    if not ground.live(at):
        return "not_live"
    if agency not in world.agencies:
        return "not_registered"
    return None if world.named(ground.recorded.holders, agency, at) else "not_meant"


def grants(bases: Bases, world: World, agency: str, at: datetime) -> list[Grant]:
    """L3, L4a, L7, L8: what is live and meant for the agency, by kind and id."""
    consented = [
        Grant(
            Basis("consent", str(id)),
            frozenset((consent.recorded.person,)),
            consent.classes(at) & set(CONSENTABLE),
            consent.stopped(at),
            cases=bases.counts_in.get(id),
        )
        for id, consent in bases.consents.items()
        if reaches(consent, agency, world, at)
    ]
    others = [
        Grant(
            Basis(ground.kind, str(id)),
            frozenset(ground.recorded.persons),
            WITHOUT_CONSENT.intersection(ground.recorded.classes),
            ground.stopped(at),
            ground.provider,
            bases.counts_in.get(id),
        )
        for id, ground in bases.grounds.items()
        if ground_bar(ground, agency, world, at) is None
    ]
    return sorted((*consented, *others), key=lambda grant: grant.basis)
