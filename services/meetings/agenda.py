"""Agenda items and what they rest on: an item leaves when it rests on it no more (L6)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

from shared.basis import CONSENT_TYPES, DIRECTORY_TYPES, POOL_TYPES
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
from shared.ids import uuid7
from shared.journal import Context
from shared.runtime import Runtime

from .domain import meeting as meetings
from .domain import sitting as sittings
from .domain.loss import Loss, losses

OF_WORLD = (*DIRECTORY_TYPES, *POOL_TYPES)
WORLD = UUID(int=0)
"""The directory and the pools, as one of the things that every consented item rests on."""
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
select distinct i.meeting, i.case_id from item i left join meeting m on m.id = i.meeting
 where i.basis = any($1::uuid[]) and coalesce(m.status, 'planned') = 'planned'
 order by i.meeting, i.case_id"""
KNOWN = """
select * from kept
 where type = any($1::text[]) or key = any($2::text[]) and type = any($3::text[])"""


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
            case _ if recorded.envelope.type in OF_WORLD:
                found.setdefault(WORLD, (None, None, None))
    return [(id, *ended) for id, ended in found.items()]


def _under(item: AgendaItemAdded) -> list[UUID]:
    """A consented item rests on its subjects too: what stands of them stops consents (L4a, L22); and on
    whom the directory and the pools say that they reach (L3).
    """
    if item.matter:
        return list(item.bases)
    return [*item.bases, *(_subject(item.case, one) for one in item.subjects), WORLD]


def _subject(case: UUID, person: UUID) -> UUID:
    return uuid5(case, str(person))


async def put(db: Connection, item: AgendaItemAdded) -> None:
    await take_off(db, item.meeting, item.case)
    await db.execute(ITEM, _under(item), item.meeting, item.case)


async def take_off(db: Connection, meeting: UUID, case: UUID) -> None:
    await db.execute(NO_ITEM, meeting, case)


async def remove_items(rt: Runtime, db: Connection, events: Sequence[Recorded]) -> None:
    """L6: an item leaves the agenda when, before the sitting is held, one of its bases ends or stands
    still because of what stands of the person, or an invited agency is covered no more: narrowed, out
    of the group, without the desk that was named or without a purpose in common.

    Whichever half comes last, the item or the other, finds the other. It does not matter whether
    the follower is catching up: the journal itself says what is still to be done.
    """
    touched = [id for id, *_ in bases(events)]
    if not touched:
        return
    for row in await db.fetch(WITHOUT_BASIS, touched):
        lost = Loss(row["basis"], None, row["ended_by"], row["ended_at"], row["correlation"])
        await _remove(rt, db, row["meeting"], row["case_id"], partial(_ended, lost))
    on_it = await db.fetch(ON_IT, touched)
    if not on_it:
        return
    keys = sorted({str(row["case_id"]) for row in on_it})
    known = await rt.read(await db.fetch(KNOWN, OF_WORLD, keys, CONSENT_TYPES))
    of_world = [e for e in known if e.envelope.type in OF_WORLD]
    for row in on_it:
        case = str(row["case_id"])
        of_case = [e for e in known if e.envelope.key == case and e.envelope.type in CONSENT_TYPES]
        losses_of = partial(losses, of_case=of_case, of_world=of_world, now=rt.clock.now())
        await _remove(rt, db, row["meeting"], row["case_id"], losses_of)


def _ended(lost: Loss, _: AgendaItemAdded) -> list[Loss]:
    return [lost]


async def _remove(
    rt: Runtime,
    db: Connection,
    meeting: UUID,
    case: UUID,
    losses_of: Callable[[AgendaItemAdded], Iterable[Loss]],
) -> None:
    """Write that the item has left, because of the first of its losses that concerns it."""
    state: meetings.Meeting = (await rt.journal.load(f"meeting/{meeting}", db)).fold(
        meetings.DECIDER
    )
    if state.convened is None or state.status != "planned":
        return
    stream = f"sitting/{meeting}/{case}"
    past = await rt.journal.load(stream, db)
    sitting: sittings.Sitting = past.fold(sittings.DECIDER)
    if sitting.item is None or sitting.status != "added":
        return
    for lost in losses_of(sitting.item):
        command = sittings.LoseBasis(lost.basis, state.status, lost.agencies)
        try:
            removed = sittings.decide(sitting, command)
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
