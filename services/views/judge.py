"""Judging: for changed cases, compare what each agency may hold with what it holds; record the change.

Fail closed: a document grows only while the services that carry bases are heard (heartbeats at
most 5 s old, everything they cover applied, no basis stream of the case parked). Shrinking
never waits.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from shared.basis import DIRECTORY_TYPES, POOL_TYPES, Consent, World, consents, world
from shared.broker import HEARTBEATS, KafkaError, TopicPartition, consumer, stop
from shared.contracts import Recorded
from shared.contracts.views import BasisRef, DocumentChanged, ItemRef
from shared.db import PASSING, RACED, Connection, Pool
from shared.journal import Context
from shared.kept import all_of, of_keys
from shared.kill import point
from shared.runtime import Runtime
from shared.telemetry import stuck

from .domain.disclose import Item, Shown, disclose
from .domain.document import Handles, content, digest, only
from .domain.facts import Fact, facts

HEARD_SECONDS = 5.0
BATCH = 50
CAREFUL_SECONDS = 0.5
BASIS_SERVICES = ("intake", "meetings")
WORLD_TYPES = (*DIRECTORY_TYPES, *POOL_TYPES)

TAKE = """
select id from cases where (dirty or judge_at <= $1) and stuck is null
 order by id limit $2 for update skip locked"""
DONE = "update cases set dirty = $2, judge_at = $3 where id = $1"
STUCK = "update cases set stuck = $2 where id = $1"
STUCK_CASES = "select count(*) from cases where stuck is not null"
LEFT = "select exists (select from cases where (dirty or judge_at <= $1) and stuck is null)"
HELD = """
select distinct on (stream) stream, data from journal
 where key = $1 and stream like 'disclosure/%' and type = $2 order by stream, version desc"""
LAST = "select coalesce(max(version), 0) from journal where stream = $1"
DELIVER = """
insert into delivery (agency, case_id, handle, document, changed_at) values ($1, $2, $3, $4, $5)
on conflict (agency, case_id) do update
   set document = excluded.document, ended = false, changed_at = excluded.changed_at,
       retry_at = null"""
POSITIONS = """
select topic, partition, topic_id, "offset" from position
 where view = $1 and topic = any($2::text[])"""
BASIS_PARKED = """
select exists (select from parked
                where view = $1 and (stream is null or split_part(stream, '/', 1) = any($2::text[]))
                  and (key is null or key = $3))"""
WORLD_AGE = "select count(*) from kept where type = any($1::text[])"

log = structlog.get_logger()


@dataclass(frozen=True)
class Beat:
    """What a service said of itself: when (real time), and its offsets by partition."""

    at: datetime
    offsets: dict[int, tuple[str, int]]


class Judge:
    """One a process; replicas share the work by row locks."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._beats: dict[str, Beat] = {}
        self._world: tuple[int, World] = (-1, World())
        rt.state["judge"] = self

    async def some(self, db: Connection) -> bool:
        """Judge a batch in the caller's transaction (search_path: the live view's schema)."""
        now = self._rt.clock.now()
        rows = await db.fetch(TAKE, now, BATCH)
        if not rows:
            return False
        heard = await self._heard(db)
        all_agencies = await self.world(db)
        for row in rows:
            try:
                async with db.transaction():
                    await self._case(db, row["id"], all_agencies, now, heard)
            except PASSING:
                raise
            except RACED:
                continue  # the agency wrote a receipt just now; the case stays dirty
            except Exception as error:
                log.exception("case.not_judged")
                await db.execute(STUCK, row["id"], type(error).__name__)
        stuck.set(await db.fetchval(STUCK_CASES))
        return True

    async def world(self, db: Connection | Pool) -> World:
        """Directory and pools; read again only when there are more events than before."""
        age = await db.fetchval(WORLD_AGE, WORLD_TYPES)
        if age != self._world[0]:
            self._world = age, world(await self._rt.read(await all_of(db, WORLD_TYPES)))
        return self._world[1]

    async def load(
        self, db: Connection | Pool, case: UUID
    ) -> tuple[list[Recorded], list[Fact], dict[UUID, Consent]]:
        events = await self._rt.read(await of_keys(db, [str(case)]))
        return events, facts(events), consents(events)

    async def _case(
        self, db: Connection, case: UUID, known: World, now: datetime, heard: bool
    ) -> None:
        _, found, given = await self.load(db, case)
        held = {
            row["stream"]: DocumentChanged.model_validate(row["data"])
            for row in await db.fetch(HELD, str(case), DocumentChanged.TYPE)
        }
        may_grow = heard and not await db.fetchval(
            BASIS_PARKED,
            self._rt.applier.name,
            ["consent", "matter", "body", "basis"],
            str(case).encode(),
        )
        waits = False
        for agency in sorted(_candidates(found, given, known, held.values(), now)):
            before = held.get(f"disclosure/{agency}/{case}")
            waits |= await self._agency(
                db, case, agency, before, found, given, known, now, may_grow
            )
        await db.execute(DONE, case, waits, _next_boundary(given.values(), now))

    async def _agency(
        self,
        db: Connection,
        case: UUID,
        agency: str,
        before: DocumentChanged | None,
        found: Sequence[Fact],
        given: dict[UUID, Consent],
        known: World,
        now: datetime,
        may_grow: bool,
    ) -> bool:
        """Record the change if there is one. True: something may not be shown yet."""
        shown = disclose(found, given, known, agency, now)
        had = {(ref.event, ref.field) for ref in before.items} if before else set()
        waits = not may_grow and any((i.fact.event, i.fact.field) not in had for i in shown.items)
        if waits:
            old = [fact for fact in found if (fact.event, fact.field) in had]
            shown = only(disclose(old, given, known, agency, now), had)
        key = self._rt.keys.index_key
        handles = Handles(key, agency)
        mark = digest(key, content(handles, shown))
        if (before is None and not shown.items) or (before and before.digest == mark):
            return waits
        refs = tuple(_ref(item) for item in shown.items)
        kept = {(ref.event, ref.field) for ref in refs}
        event = DocumentChanged(
            agency=agency,
            case=case,
            document=before.document + 1 if before else 1,
            items=refs,
            digest=mark,
            cause="content_ended" if had - kept and not kept - had else "content_changed",
        )
        stream = f"disclosure/{agency}/{case}"
        context = Context(actor="views", agency=agency, at=now, occurred_at=now)
        version = await db.fetchval(LAST, stream)
        await self._rt.journal.append(db, stream, str(case), version, [event], context)
        point("views.recorded")
        handle = UUID(handles.of("case", case))
        await db.execute(DELIVER, agency, case, handle, event.document, now)
        return waits

    async def _heard(self, db: Connection) -> bool:
        """May documents grow now?"""
        limit = datetime.now(UTC) - timedelta(seconds=HEARD_SECONDS)
        beats = {name: self._beats.get(name) for name in BASIS_SERVICES}
        if any(beat is None or beat.at < limit for beat in beats.values()):
            return False
        rows = await db.fetch(POSITIONS, self._rt.applier.name, BASIS_SERVICES)
        done = {(r["topic"], r["partition"]): (r["topic_id"], r["offset"]) for r in rows}
        for name, beat in beats.items():
            for partition, (topic_id, end) in (beat.offsets if beat else {}).items():
                at_id, at = done.get((name, partition), (topic_id, 0))
                if end and (at_id != topic_id or at < end):
                    return False
        return True

    async def listen(self) -> None:
        """Hear the heartbeats of the basis-bearing services, for as long as the process lives."""
        place = TopicPartition(HEARTBEATS, 0)
        while True:
            reader = consumer(self._rt.kafka, None)
            try:
                await reader.start()
                reader.assign([place])
                await reader.seek_to_beginning(place)
                while True:
                    for records in (await reader.getmany(timeout_ms=500)).values():
                        for record in records:
                            self._hear(record.value)
            except (KafkaError, OSError) as error:
                log.warning("heartbeats.wait", error=type(error).__name__)
                await asyncio.sleep(0.5)
            finally:
                await stop(reader)

    def _hear(self, value: bytes | None) -> None:
        try:
            beat = json.loads(value or b"")
            offsets = {int(p): (str(id), int(end)) for p, (id, end) in beat["offsets"].items()}
            self._beats[beat["service"]] = Beat(datetime.fromisoformat(beat["time"]), offsets)
        except (ValueError, KeyError, TypeError):
            log.error("heartbeat.unreadable")

    async def run(self) -> None:
        """Judge what time or a heartbeat makes due, also when no event arrives."""
        while True:
            try:
                began = time.monotonic()
                while self._rt.applier.live and await self._once():
                    if time.monotonic() - began > CAREFUL_SECONDS:
                        break
            except PASSING as error:
                log.warning("judge.waits", error=type(error).__name__)
            await asyncio.sleep(CAREFUL_SECONDS)

    async def _once(self) -> bool:
        async with self._rt.pool.acquire() as db, db.transaction():
            await self._rt.applier.enter(db)
            worked = await self.some(db)
            point("views.judged")
        point("views.committed")
        self._rt.wake()
        self._rt.applier.beat()
        return worked

    async def settled(self) -> bool:
        if not self._rt.applier.live:
            return False
        if await self._rt.reads.fetchval(LEFT, self._rt.clock.now()):
            await self._once()
            return False
        return True


def _candidates(
    found: Iterable[Fact],
    given: dict[UUID, Consent],
    known: World,
    held: Iterable[DocumentChanged],
    now: datetime,
) -> set[str]:
    """Every agency that could hold something, or did."""
    agencies = {fact.recorded_by for fact in found if fact.recorded_by}
    agencies |= {event.agency for event in held}
    for consent in given.values():
        agencies |= set(consent.recorded.holders)
        if consent.recorded.group:
            agencies |= known.pool(consent.recorded.group, now)
    return agencies


def _next_boundary(given: Iterable[Consent], now: datetime) -> datetime | None:
    moments = [m for c in given for m in (c.recorded.begins, c.end) if m and m > now]
    return min(moments, default=None)


def _ref(item: Item) -> ItemRef:
    return ItemRef(
        event=item.fact.event,
        field=item.fact.field,
        bases=tuple(BasisRef(kind=b.kind, id=b.id) for b in item.bases),
    )


def shown_now(shown: Shown, document: DocumentChanged) -> Shown:
    """What the recorded document may still show at this moment."""
    return only(shown, {(ref.event, ref.field) for ref in document.items})
