"""Agenda items and what they rest on: an item leaves when it rests on it no more (L6)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from shared.basis import CONSENT_TYPES, consents
from shared.contracts import Recorded
from shared.contracts.intake import (
    ConsentExpired,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentWithdrawn,
    PersonFlagged,
)
from shared.contracts.meetings import AgendaItemAdded, MatterEnded
from shared.db import RACED, Connection
from shared.decider import Refused
from shared.follow import Overtaken
from shared.journal import Context
from shared.kept import of_keys
from shared.runtime import Runtime

from .domain import meeting as meetings
from .domain import sitting as sittings

BASIS = """
insert into basis as b (id, ended_by, ended_at, correlation)
select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[])
on conflict (id) do update set ended_by = coalesce(b.ended_by, excluded.ended_by),
                               ended_at = coalesce(b.ended_at, excluded.ended_at),
                               correlation = coalesce(b.correlation, excluded.correlation)"""
ITEM = """
insert into item (basis, meeting, case_id) select unnest($1::uuid[]), $2, $3
on conflict do nothing"""
NO_ITEM = "delete from item where meeting = $1 and case_id = $2"
WITHOUT_BASIS = """
select i.meeting, i.case_id, b.id as basis, b.ended_by, b.ended_at, b.correlation
  from item i join basis b on b.id = i.basis
 where b.id = any($1::uuid[]) and b.ended_by is not null
 order by i.meeting, i.case_id, b.id"""
ON_IT = """
select distinct meeting, case_id from item where basis = any($1::uuid[]) order by meeting, case_id"""


class Loss(NamedTuple):
    """Why an item may have to go: `basis` covers these agencies no more, None: nobody."""

    basis: UUID
    agencies: frozenset[str] | None
    by: UUID
    at: datetime
    correlation: UUID | None


def bases(
    events: Sequence[Recorded],
) -> list[tuple[UUID, UUID | None, datetime | None, UUID | None]]:
    """Each thing that items rest on of which the events speak, once, with what ended it if they say so."""
    found: dict[UUID, tuple[UUID | None, datetime | None, UUID | None]] = {}
    for recorded in events:
        match recorded.event:
            case ConsentWithdrawn(consent=id) | ConsentExpired(consent=id) | MatterEnded(matter=id):
                e = recorded.envelope
                found[id] = (e.id, e.occurred_at, e.correlation)
            case AgendaItemAdded() as item:
                for id in _under(item):
                    found.setdefault(id, (None, None, None))
            case ConsentNarrowed(consent=id):
                found.setdefault(id, (None, None, None))
            case (
                ConsentRecorded(case=case, person=person) | PersonFlagged(case=case, person=person)
            ):
                found.setdefault(_subject(case, person), (None, None, None))
    return [(id, *ended) for id, ended in found.items()]


def _under(item: AgendaItemAdded) -> list[UUID]:
    """A consented item rests on its subjects too: what stands of them stops consents (L4a, L22)."""
    subjects = () if item.matter else (_subject(item.case, one) for one in item.subjects)
    return [*item.bases, *subjects]


def _subject(case: UUID, person: UUID) -> UUID:
    return uuid5(case, str(person))


async def put(db: Connection, item: AgendaItemAdded) -> None:
    await take_off(db, item.meeting, item.case)
    await db.execute(ITEM, _under(item), item.meeting, item.case)


async def take_off(db: Connection, meeting: UUID, case: UUID) -> None:
    await db.execute(NO_ITEM, meeting, case)


async def remove_items(rt: Runtime, db: Connection, events: Sequence[Recorded]) -> None:
    """L6: an item leaves the agenda when, before the sitting is held, one of its bases ends, is narrowed
    by an invited agency, or stands still because of what stands of the person.

    Whichever half comes last, the item or the other, finds the other. It does not matter whether
    the follower is catching up: the journal itself says what is still to be done.
    """
    touched = [id for id, *_ in bases(events)]
    if not touched:
        return
    for row in await db.fetch(WITHOUT_BASIS, touched):
        lost = Loss(row["basis"], None, row["ended_by"], row["ended_at"], row["correlation"])
        await _remove(rt, db, row["meeting"], row["case_id"], [lost])
    on_it = await db.fetch(ON_IT, touched)
    keys = sorted({str(row["case_id"]) for row in on_it})
    known = await rt.read(await of_keys(db, keys, CONSENT_TYPES)) if keys else []
    for row in on_it:
        of_case = [e for e in known if e.envelope.key == str(row["case_id"])]
        await _remove(rt, db, row["meeting"], row["case_id"], list(_less(of_case, rt.clock.now())))


def _less(events: Sequence[Recorded], now: datetime) -> Iterable[Loss]:
    """What the consents of a case, of which these events tell, cover no more though they live."""
    given = consents(events)
    for e in sorted(events, key=lambda e: (e.envelope.at, e.envelope.stream, e.envelope.version)):
        by = e.envelope.id, e.envelope.occurred_at, e.envelope.correlation
        match e.event:
            case ConsentNarrowed(consent=id, excluded=excluded) if excluded:
                yield Loss(id, frozenset(excluded), *by)
            case PersonFlagged(person=person):
                for id, consent in given.items():
                    stops = consent.recorded.person == person and consent.stopped(now)
                    if stops and stops == e.envelope.at:
                        yield Loss(id, None, *by)


async def _remove(
    rt: Runtime, db: Connection, meeting: UUID, case: UUID, losses: Sequence[Loss]
) -> None:
    """Write that the item has left, because of the first of the losses that concerns it."""
    if not losses:
        return
    state: meetings.Meeting = (await rt.journal.load(f"meeting/{meeting}", db)).fold(
        meetings.DECIDER
    )
    if state.convened is None or state.status != "planned":
        return
    stream = f"sitting/{meeting}/{case}"
    past = await rt.journal.load(stream, db)
    for lost in losses:
        command = sittings.LoseBasis(lost.basis, state.status, lost.agencies)
        try:
            removed = sittings.decide(past.fold(sittings.DECIDER), command)
        except Refused:
            continue
        context = Context(
            actor="meetings",
            agency=state.convened.host,
            at=rt.clock.now(),
            occurred_at=lost.at,
            correlation=lost.correlation or uuid7(),
            basis=str(lost.basis),
            causation=lost.by,
        )
        try:
            await rt.journal.append(db, stream, str(case), past.version, removed, context)
        except RACED as error:
            raise Overtaken from error
        return
