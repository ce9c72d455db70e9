"""What an item of a consented agenda has lost of its bases since it was put on (L6). Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.basis import Consent, World, consents, covers, world
from shared.contracts import Recorded
from shared.contracts.intake import ConsentNarrowed, PersonFlagged
from shared.contracts.meetings import AgendaItemAdded
from shared.contracts.referral import AgencyRegistered


class Loss(NamedTuple):
    """Why an item may have to go: `basis` covers these agencies no more, None: nobody."""

    basis: UUID
    agencies: frozenset[str] | None
    by: UUID
    at: datetime
    correlation: UUID | None


def losses(
    item: AgendaItemAdded, of_case: Sequence[Recorded], of_world: Sequence[Recorded], now: datetime
) -> Iterator[Loss]:
    """Of what is known of the consents of its case, of the directory and of the pools, in any order."""
    given, around = consents(of_case), world(of_world)
    yield from _said(item, given, of_case, around, now)
    under = [given[id] for id in item.bases if id in given]
    if item.matter is None and len(under) == len(item.bases):
        ordered = sorted((*of_case, *of_world), key=_in_time)
        for person in item.subjects:
            of_person = [one for one in under if one.recorded.person == person]
            for agency in item.invited:
                if not any(covers(one, agency, around, now) for one in of_person):
                    yield from _left(of_person, agency, around, ordered, now)


def _in_time(e: Recorded) -> tuple[datetime, str, int]:
    return e.envelope.occurred_at, e.envelope.stream, e.envelope.version


def _said(
    item: AgendaItemAdded,
    given: dict[UUID, Consent],
    of_case: Sequence[Recorded],
    around: World,
    now: datetime,
) -> Iterator[Loss]:
    """What somebody said of a consent or of a person: it tells by itself, whatever else is known."""
    for e in sorted(of_case, key=lambda e: (e.envelope.at, e.envelope.stream, e.envelope.version)):
        by = e.envelope.id, e.envelope.occurred_at, e.envelope.correlation
        match e.event:
            case ConsentNarrowed(consent=id, excluded=excluded):
                left_out = {one for one in item.invited if around.named(excluded, one, now)}
                if left_out:
                    yield Loss(id, frozenset(left_out), *by)
            case PersonFlagged(person=person):
                for id, consent in given.items():
                    stops = consent.recorded.person == person and consent.stopped(now)
                    if stops and stops == e.envelope.at:
                        yield Loss(id, None, *by)


def _left(
    of_person: Sequence[Consent],
    agency: str,
    around: World,
    ordered: Sequence[Recorded],
    now: datetime,
) -> Iterator[Loss]:
    """An agency that none of them covers now, if one of them did: who was never covered as far as is
    known may be one of whom the half has not come yet. By the first event since it was covered last.
    """
    begun = [(one.recorded.begins, None) for one in of_person]
    moments = [*((e.envelope.occurred_at, e) for e in ordered), *begun]
    agencies: dict[str, AgencyRegistered] = {}
    basis: UUID | None = None
    by: Recorded | None = None
    for at, e in sorted(moments, key=lambda moment: moment[0]):
        if at > now:
            break
        if e and isinstance(e.event, AgencyRegistered):
            agencies[e.event.agency] = e.event
        then = replace(around, agencies=agencies)
        covering = next((one.id for one in of_person if covers(one, agency, then, at)), None)
        if covering:
            basis, by = covering, None
        elif basis and by is None:
            by = e
    if basis and by:
        told = by.envelope
        yield Loss(basis, frozenset({agency}), told.id, told.occurred_at, told.correlation)
