"""Consents and pools as intervals: which agency a consent covers at a moment (L3, L4a). Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import (
    ConsentExpired,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentToldOfMember,
    ConsentWithdrawn,
    PersonFlagged,
)
from shared.contracts.meetings import MemberLeft, MemberNamed, MemberPledged
from shared.contracts.referral import AgencyRegistered
from shared.directory import OFFICE_TYPES, Offices, offices

CONSENT_TYPES = tuple(
    e.TYPE
    for e in (
        ConsentRecorded,
        ConsentToldOfMember,
        ConsentNarrowed,
        ConsentWithdrawn,
        ConsentExpired,
        PersonFlagged,
    )
)
FREEZES_PROXIES = frozenset(("abuse", "conflict_of_interest"))
POOL_TYPES = tuple(e.TYPE for e in (MemberNamed, MemberPledged, MemberLeft))
DIRECTORY_TYPES = (AgencyRegistered.TYPE, *OFFICE_TYPES)


Bar = Literal["not_registered", "not_live", "excluded", "other_purpose", "stopped", "not_meant"]
Stretch = tuple[datetime, datetime | None]
"""From, inclusive, to, exclusive; None: still so."""


@dataclass(frozen=True)
class Narrowing:
    at: datetime
    excluded: frozenset[str]
    dropped: frozenset[str]
    until: datetime | None


@dataclass(frozen=True)
class Consent:
    """One person's answer. Live at t: begun ≤ t < end.

    `told`: since when the person knew of an agency that joined the group. `stops`: when the person had
    died, or a proxy's power was in doubt. L4a says that death ends consent for new disclosures; read
    here as: nothing that was recorded since flows by it, to nobody it did not reach before, while what
    it showed until then stays until the consent's own end or somebody's withdrawal. The same holds for
    a proxy's consent under an abuse flag (L22: frozen). A consent that was recorded in a stop gives nothing.
    """

    recorded: ConsentRecorded
    told: Mapping[str, datetime] = field(default_factory=dict)
    ended_at: datetime | None = None
    narrowings: frozenset[Narrowing] = frozenset()
    stops: tuple[Stretch, ...] = ()
    recorded_at: datetime | None = None

    @property
    def id(self) -> UUID:
        return self.recorded.consent

    @property
    def end(self) -> datetime | None:
        ends = [self.recorded.until, self.ended_at, *(n.until for n in self.narrowings)]
        return min((end for end in ends if end), default=None)

    def live(self, at: datetime) -> bool:
        if self.recorded.status != "granted":
            return False
        return self.recorded.begins <= at and (self.end is None or at < self.end)

    def stopped(self, at: datetime) -> datetime | None:
        """Since when nothing new flows by it; None: it does not stand still."""
        return min((since for since, to in self.stops if holds((since, to), at)), default=None)

    def classes(self, at: datetime) -> frozenset[str]:
        dropped = (n.dropped for n in self.narrowings if n.at <= at)
        return frozenset(self.recorded.classes).difference(*dropped)

    def excluded(self, at: datetime) -> frozenset[str]:
        later = (n.excluded for n in self.narrowings if n.at <= at)
        return frozenset(self.recorded.excluded).union(*later)


def holds(stretch: Stretch, at: datetime) -> bool:
    since, to = stretch
    return since <= at and (to is None or at < to)


@dataclass(frozen=True)
class Member:
    """A named person of an agency in the pool of a body; `years`: fiscal years pledged for. `earlier`:
    stays that are over; whoever comes back begins anew, and pledges anew. Who was named for a desk
    belongs to it while he sits there: from `since` until `left_at`.
    """

    subject: str
    agency: str
    secretariat: bool
    since: datetime
    left_at: datetime | None = None
    years: frozenset[int] = frozenset()
    desk: str | None = None
    earlier: "tuple[Member, ...]" = ()

    def belongs(self, at: datetime) -> bool:
        return self.since <= at and (self.left_at is None or at < self.left_at)


@dataclass(frozen=True)
class World:
    """What is not of one case: the directory and the pools."""

    agencies: Mapping[str, AgencyRegistered] = field(default_factory=dict)
    pools: Mapping[str, Mapping[str, Member]] = field(default_factory=dict)
    offices: Offices = field(default_factory=Offices)

    def meant(self, code: str, at: datetime) -> str | None:
        """The agency that a basis names by this code, itself or by a desk that it has then (L2)."""
        return code if code in self.agencies else self.offices.desk_of(code, at)

    def listed(self, at: datetime) -> set[str]:
        """What somebody may name: agencies, and desks that are open and no shelters (L11)."""
        desks = (d.code for d in self.offices.desks.values() if d.open(at) and not d.shelter)
        return {*self.agencies, *desks}

    def named(self, codes: Iterable[str], agency: str, at: datetime) -> bool:
        return any(code == agency or self.meant(code, at) == agency for code in codes)

    def stays(self, body: str) -> Iterator[Member]:
        for member in self.pools.get(body, {}).values():
            yield from (*member.earlier, member)

    def in_pool_since(self, body: str, agency: str, at: datetime) -> datetime | None:
        """Since when somebody of the agency has belonged to it without a break; None: nobody does then."""
        stays = [stay for stay in self.stays(body) if stay.agency == agency]
        since = min((stay.since for stay in stays if stay.belongs(at)), default=None)
        while since is not None:
            joins = (s.since for s in stays if s.since < since and (s.left_at or at) >= since)
            if (before := min(joins, default=None)) is None:
                break
            since = before
        return since

    def turns(self, body: str) -> Iterator[datetime]:
        """When who belongs to it changes: some of it lies ahead, by a seat at a desk or another's clock."""
        for stay in self.stays(body):
            yield stay.since
            if stay.left_at:
                yield stay.left_at

    def pool(self, body: str, at: datetime) -> set[str]:
        return {stay.agency for stay in self.stays(body) if stay.belongs(at)}


def covers(consent: Consent, agency: str, world: World, at: datetime) -> bool:
    """L3: live, meant for that agency (named, or by group), for a purpose it has; and no stop (L4a)."""
    return consent.stopped(at) is None and reaches(consent, agency, world, at)


def reaches(consent: Consent, agency: str, world: World, at: datetime) -> bool:
    """As `covers`, if also what stands still counts: that goes on for what was shown before."""
    return bar(consent, agency, world, at) is None


def bar(consent: Consent, agency: str, world: World, at: datetime) -> Bar | None:
    """What keeps it from reaching that agency, the first in this order; None: nothing."""
    terms = consent.recorded
    registered = world.agencies.get(agency)
    if registered is None:
        return "not_registered"
    if not consent.live(at):
        return "not_live"
    if world.named(consent.excluded(at), agency, at):
        return "excluded"
    if not set(terms.purposes) & set(registered.purposes):
        return "other_purpose"
    since = consent.stopped(at)
    if since and not _reached_before(consent, agency, world, since):
        return "stopped"
    return None if is_meant(consent, agency, world, at) else "not_meant"


def is_meant(consent: Consent, agency: str, world: World, at: datetime) -> bool:
    """Named, or in the group: since the consent began, or of its joining the person was told."""
    terms = consent.recorded
    if world.named(terms.holders, agency, at):
        return True
    since = world.in_pool_since(terms.group, agency, at) if terms.group else None
    return since is not None and (since <= terms.begins or _told(consent, agency, at))


def _told(consent: Consent, agency: str, at: datetime) -> bool:
    return agency in consent.told and consent.told[agency] <= at


def _reached_before(consent: Consent, agency: str, world: World, since: datetime) -> bool:
    """Did it give that agency anything before it came to stand still?"""
    terms = consent.recorded
    if terms.begins >= since or (consent.recorded_at and consent.recorded_at >= since):
        return False
    return is_meant(consent, agency, world, since)


def consents(events: Iterable[Recorded]) -> dict[UUID, Consent]:
    """Fold a set of events, in any order."""
    found: dict[UUID, Consent] = {}
    rest: list[Recorded] = []
    flagged: list[Recorded] = []
    for recorded in events:
        match recorded.event:
            case ConsentRecorded(consent=id) as said:
                found[id] = Consent(said, recorded_at=recorded.envelope.at)
            case PersonFlagged():
                flagged.append(recorded)
            case _:
                rest.append(recorded)
    for recorded in rest:
        at = recorded.envelope.occurred_at
        match recorded.event:
            case ConsentToldOfMember(consent=id, agency=agency) if id in found:
                first = min(at, found[id].told.get(agency, at))
                found[id] = replace(found[id], told={**found[id].told, agency: first})
            case ConsentNarrowed(consent=id) as less if id in found:
                one = Narrowing(at, frozenset(less.excluded), frozenset(less.dropped), less.until)
                found[id] = replace(found[id], narrowings=found[id].narrowings | {one})
            case ConsentWithdrawn(consent=id) | ConsentExpired(consent=id) if id in found:
                ended = found[id].ended_at
                found[id] = replace(found[id], ended_at=min(ended, at) if ended else at)
    return {id: stopped_by(c, flagged, c.recorded.person) for id, c in found.items()}


def flags(events: Iterable[Recorded], person: UUID) -> list[tuple[datetime, frozenset[str]]]:
    """What stood of a person since when, the oldest first."""
    changes = {
        (e.envelope.version, e.envelope.at, frozenset(e.event.flags))
        for e in events
        if isinstance(e.event, PersonFlagged) and e.event.person == person
    }
    return [(at, standing) for _, at, standing in sorted(changes, key=lambda one: one[0])]


def stopped_by(consent: Consent, flagged: Sequence[Recorded], person: UUID) -> Consent:
    """With the stops that what stood of this person made too: the one who consents, by whichever id."""
    if not flagged:
        return consent
    stopping = {"died"} | (FREEZES_PROXIES if consent.recorded.proxy else frozenset())
    stops: list[Stretch] = []
    since: datetime | None = None
    for at, standing in flags(flagged, person):
        if standing & stopping:
            since = since or at
        elif since:
            stops.append((since, at))
            since = None
    stops += [(since, None)] if since else []
    return replace(consent, stops=(*consent.stops, *stops)) if stops else consent


def world(events: Iterable[Recorded]) -> World:
    """Fold the directory and the pools from a set of events, in any order."""
    ordered = sorted(events, key=lambda e: (e.envelope.stream, e.envelope.version))
    known = offices(ordered)
    agencies = {e.event.agency: e.event for e in ordered if isinstance(e.event, AgencyRegistered)}
    return World(agencies, pools(ordered, known), known)


def pools(ordered: Iterable[Recorded], known: Offices) -> dict[str, dict[str, Member]]:
    """Members by body and subject, from events of which each stream's come in their order."""
    found: dict[str, dict[str, Member]] = {}
    for recorded in ordered:
        at = recorded.envelope.occurred_at
        match recorded.event:
            case MemberNamed(body=body, member=subject) as named:
                members = found.setdefault(body, {})
                members[subject] = _named(members.get(subject), named, at, known)
            case MemberPledged(body=body, member=subject, fiscal_year=year):
                if member := found.get(body, {}).get(subject):
                    found[body][subject] = replace(member, years=member.years | {year})
            case MemberLeft(body=body, member=subject):
                if member := found.get(body, {}).get(subject):
                    found[body][subject] = replace(member, left_at=at)
    return {
        body: {subject: _seated(member, known) for subject, member in members.items()}
        for body, members in found.items()
    }


def _named(before: Member | None, named: MemberNamed, at: datetime, known: Offices) -> Member:
    new = Member(named.member, named.agency, named.secretariat, at, desk=named.desk)
    if before is None:
        return new
    if before.left_at is None:
        over = _seated(before, known).left_at
        if over is None or at < over:
            if (before.agency, before.desk) == (named.agency, named.desk):
                return replace(before, secretariat=named.secretariat)
            before = replace(before, left_at=at)  # he works for another agency, or elsewhere in it
    return replace(new, earlier=(*before.earlier, replace(before, earlier=())))


def _seated(member: Member, known: Offices) -> Member:
    """Of a desk: while he sits there without a break. Afterwards he is named anew, and pledges anew."""
    earlier = tuple(_seated(one, known) for one in member.earlier)
    if member.desk is None:
        return replace(member, earlier=earlier) if earlier else member
    sat = known.sitting(member.agency, member.subject, member.desk, member.since)
    since, until = sat or (member.since, member.since)
    ends = [end for end in (until, member.left_at) if end]
    left = max(since, min(ends)) if ends else None
    return replace(member, since=since, left_at=left, earlier=earlier)
