"""Consents and pools as intervals: which agency a consent covers at a moment (L3, L4a). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import (
    ConsentExpired,
    ConsentRecorded,
    ConsentToldOfMember,
    ConsentWithdrawn,
)
from shared.contracts.meetings import MemberLeft, MemberNamed, MemberPledged
from shared.contracts.referral import AgencyRegistered

CONSENT_TYPES = tuple(
    e.TYPE for e in (ConsentRecorded, ConsentToldOfMember, ConsentWithdrawn, ConsentExpired)
)
POOL_TYPES = tuple(e.TYPE for e in (MemberNamed, MemberPledged, MemberLeft))
DIRECTORY_TYPES = (AgencyRegistered.TYPE,)


@dataclass(frozen=True)
class Consent:
    """One person's answer. Live at t: begun ≤ t < end."""

    recorded: ConsentRecorded
    told: frozenset[str] = frozenset()
    ended_at: datetime | None = None

    @property
    def id(self) -> UUID:
        return self.recorded.consent

    @property
    def end(self) -> datetime | None:
        ends = [end for end in (self.recorded.until, self.ended_at) if end]
        return min(ends, default=None)

    def live(self, at: datetime) -> bool:
        if self.recorded.status != "granted":
            return False
        return self.recorded.begins <= at and (self.end is None or at < self.end)


@dataclass(frozen=True)
class Member:
    """A named person of an agency in the pool of a body; `years`: fiscal years pledged for."""

    subject: str
    agency: str
    secretariat: bool
    since: datetime
    left_at: datetime | None = None
    years: frozenset[int] = frozenset()

    def belongs(self, at: datetime) -> bool:
        return self.since <= at and (self.left_at is None or at < self.left_at)


@dataclass(frozen=True)
class World:
    """What is not of one case: the directory and the pools."""

    agencies: Mapping[str, AgencyRegistered] = field(default_factory=dict)
    pools: Mapping[str, Mapping[str, Member]] = field(default_factory=dict)

    def in_pool(self, body: str, agency: str, at: datetime) -> bool:
        members = self.pools.get(body, {}).values()
        return any(m.agency == agency and m.belongs(at) for m in members)

    def pool(self, body: str, at: datetime) -> set[str]:
        return {m.agency for m in self.pools.get(body, {}).values() if m.belongs(at)}


def covers(consent: Consent, agency: str, world: World, at: datetime) -> bool:
    """L3: live, meant for that agency (named, or by group), and for a purpose it has."""
    terms = consent.recorded
    registered = world.agencies.get(agency)
    if not consent.live(at) or agency in terms.excluded or registered is None:
        return False
    if not set(terms.purposes) & set(registered.purposes):
        return False
    if agency in terms.holders:
        return True
    if terms.group is None or not world.in_pool(terms.group, agency, at):
        return False
    return agency in consent.told or world.in_pool(terms.group, agency, terms.begins)


def consents(events: Iterable[Recorded]) -> dict[UUID, Consent]:
    """Fold a set of events, in any order."""
    found: dict[UUID, Consent] = {}
    rest: list[Recorded] = []
    for recorded in events:
        if isinstance(recorded.event, ConsentRecorded):
            found[recorded.event.consent] = Consent(recorded.event)
        else:
            rest.append(recorded)
    for recorded in rest:
        match recorded.event:
            case ConsentToldOfMember(consent=id, agency=agency) if id in found:
                found[id] = replace(found[id], told=found[id].told | {agency})
            case ConsentWithdrawn(consent=id) | ConsentExpired(consent=id) if id in found:
                end = recorded.envelope.occurred_at
                ended = found[id].ended_at
                found[id] = replace(found[id], ended_at=min(ended, end) if ended else end)
    return found


def world(events: Iterable[Recorded]) -> World:
    """Fold the directory and the pools from a set of events, in any order."""
    ordered = sorted(events, key=lambda e: (e.envelope.stream, e.envelope.version))
    agencies: dict[str, AgencyRegistered] = {}
    pools: dict[str, dict[str, Member]] = {}
    for recorded in ordered:
        match recorded.event:
            case AgencyRegistered() as registered:
                agencies[registered.agency] = registered
            case MemberNamed() as named:
                members = pools.setdefault(named.body, {})
                before = members.get(named.member)
                at = recorded.envelope.occurred_at
                if before and before.agency == named.agency and before.belongs(at):
                    members[named.member] = replace(before, secretariat=named.secretariat)
                else:
                    members[named.member] = Member(
                        named.member, named.agency, named.secretariat, at
                    )
            case MemberPledged(body=body, member=subject, fiscal_year=year):
                member = pools.get(body, {}).get(subject)
                if member:
                    pools[body][subject] = replace(member, years=member.years | {year})
            case MemberLeft(body=body, member=subject):
                member = pools.get(body, {}).get(subject)
                if member:
                    left = recorded.envelope.occurred_at
                    pools[body][subject] = replace(member, left_at=left)
    return World(agencies, pools)
