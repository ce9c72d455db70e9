"""Judging: for changed cases, compare what each agency may hold with what it holds; record the change.

Fail closed: a document grows only while the services that carry bases are heard, and no basis
stream of the case is parked. Shrinking never waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from shared.basis import DIRECTORY_TYPES, POOL_TYPES, World, world
from shared.contracts import Recorded
from shared.contracts.views import DocumentChanged
from shared.db import PASSING, RACED, REFUSED, Connection, Pool
from shared.journal import Addition, Context
from shared.kept import all_of, of_keys
from shared.kill import point
from shared.runtime import Runtime
from shared.telemetry import stuck

from .domain.document import Handles
from .domain.joined import Merge, below, joined
from .domain.verdict import Evidence, Held, Verdict, verdict
from .heard import Heard, Position
from .merges import BELOW, holding, merges_of

BATCH = 50
CAREFUL_SECONDS = 0.5
BASIS_STREAMS = ("case", "consent", "matter", "body", "basis", "merge")
"""Of one that is parked nobody knows what it would end; a case's own stream says what is protected."""
OFFICE_STREAMS = ("programme", "desk")
"""These are of no case: while one is parked, no document grows."""
WORLD_TYPES = (*DIRECTORY_TYPES, *POOL_TYPES)

TAKE = """
select id from cases where (dirty or judge_at <= $1) and stuck is null
 order by id limit $2 for update skip locked"""
STUCK = "update cases set stuck = $2 where id = $1"
STUCK_CASES = "select count(*) from cases where stuck is not null"
LEFT = "select exists (select from cases where (dirty or judge_at <= $1) and stuck is null)"
HELD = """
select distinct on (j.stream) j.stream, j.key, j.data,
       (select max(l.version) from journal l where l.stream = j.stream) as version
  from journal j where j.key = any($1::text[]) and j.stream like 'disclosure/%' and j.type = $2
 order by j.stream, j.version desc"""
DELIVER = """
insert into delivery (agency, case_id, handle, document, changed_at, behind_since)
select n.*, n.changed_at from unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::timestamptz[])
           n (agency, case_id, handle, document, changed_at)
 where not exists (select from delivery d
                    where (d.agency, d.case_id) = (n.agency, n.case_id) and d.document >= n.document)
on conflict (agency, case_id) do update
   set document = excluded.document, ended = false, changed_at = excluded.changed_at,
       behind_since = case when delivery.document = delivery.sent_document
                           then excluded.changed_at else delivery.behind_since end,
       retry_at = null
 where delivery.document < excluded.document"""
JUDGED = f"""
with judged as (
     update cases c set dirty = d.waits, judge_at = d.again_at
       from unnest($6::uuid[], $7::bool[], $8::timestamptz[]) d (id, waits, again_at)
      where c.id = d.id)
{DELIVER}"""
LOOK = f"""
with recursive {BELOW.format(cases="$6::uuid[]")}
select (select events || '/' || mark from world) as world,
       (select coalesce(jsonb_agg(jsonb_build_array(topic, partition, topic_id, "offset")), '[]')
          from position where view = $3) as positions,
       (select coalesce(jsonb_agg(held), '[]') from ({HELD}) held) as held,
       array(select distinct case when split_part(stream, '/', 1) = any($7::text[]) then null
                                  else key end
               from parked
              where view = $3
                and (stream is null or split_part(stream, '/', 1) = any($4::text[] || $7::text[]))
                and (key is null or key = any($5::bytea[]) or split_part(stream, '/', 1) = any($7::text[])
                     or key in (select convert_to(unnest(array[id, merged])::text, 'UTF8')
                                  from below))) as parked,
       (select coalesce(jsonb_agg(below), '[]') from below where not again) as merges"""
"""In one round trip what `Seen` says."""

log = structlog.get_logger()


class Seen(NamedTuple):
    """What cases are judged by, besides their events. `world` marks the state of directory and pools;
    `held`: by case and agency; `parked`: keys of basis streams that wait, None if it may be any.
    """

    world: str
    positions: list[Position]
    held: dict[str, dict[str, Held]]
    parked: set[bytes | None]
    merges: Sequence[Merge]


class Told:
    """What the events of one case tell, with those that were merged into it; each read once. `own`: the
    events of the case alone.
    """

    def __init__(
        self, case: UUID, events: Mapping[UUID, list[Recorded]], merges: Sequence[Merge]
    ) -> None:
        self.own = events[case]
        self.events = [e for one in below(case, merges) for e in events[one]]
        self.facts, self.bases = joined(case, events, merges)


def _keys(case: UUID, merges: Sequence[Merge]) -> set[bytes]:
    """Keys of all streams that a case is judged by: its own, those merged into it, the merges."""
    family = below(case, merges)
    by = [m.id for m in merges if m.into in family]
    return {str(id).encode() for id in (*family, *by)}


class Judge:
    """One a process; replicas share the work by row locks."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self.heard = Heard(rt)
        self._world: tuple[str, World] = ("", World())
        self._apart = False
        rt.state["judge"] = self

    async def some(self, db: Connection) -> bool:
        """Judge a batch in the caller's transaction (search_path: the live view's schema).

        Raises what the database refused, RACED or other: then the transaction is lost, and the
        next batch is judged case by case.
        """
        now = self._rt.clock.now()
        rows = await db.fetch(TAKE, now, BATCH)
        if not rows:
            return False
        cases = [row["id"] for row in rows]
        seen = await self.look(db, cases)
        known = await self.world(db, seen)
        if not self._apart:
            try:
                await self._judge(db, cases, known, now, seen)
                return True
            except PASSING:
                raise
            except REFUSED:
                self._apart = True
                raise
            except Exception as error:
                log.warning("cases.judged_apart", error=type(error).__name__)
        for case in cases:
            await self._alone(db, case, known, now, seen)
        self._apart = False
        return True

    async def look(self, db: Connection | Pool, cases: Sequence[UUID]) -> Seen:
        keys = [str(case) for case in cases]
        row = await db.fetchrow(
            LOOK,
            keys,
            DocumentChanged.TYPE,
            self._rt.applier.name,
            BASIS_STREAMS,
            [key.encode() for key in keys],
            cases,
            OFFICE_STREAMS,
        )
        assert row is not None
        held: dict[str, dict[str, Held]] = defaultdict(dict)
        for one in row["held"]:
            held[one["key"]][one["data"]["agency"]] = Held(one["version"], one["data"])
        return Seen(
            row["world"], row["positions"], held, set(row["parked"]), merges_of(row["merges"])
        )

    async def world(self, db: Connection | Pool, seen: Seen | None = None) -> World:
        """Directory and pools; read again only when there are other events than before."""
        mark = (seen or await self.look(db, [])).world
        if mark != self._world[0]:
            self._world = mark, world(await self._rt.read(await all_of(db, WORLD_TYPES)))
        return self._world[1]

    async def load(
        self, db: Connection | Pool, cases: Sequence[UUID], merges: Sequence[Merge] | None = None
    ) -> dict[UUID, Told]:
        """What is known of the cases, opened together. `merges`: those that hold, if read already."""
        if merges is None:
            merges = await holding(db, cases)
        keys = [str(case) for case in {*cases, *(m.merged for m in merges)}]
        of: dict[UUID, list[Recorded]] = defaultdict(list)
        for event in await self._rt.read(await of_keys(db, keys)):
            of[UUID(event.envelope.key)].append(event)
        return {case: Told(case, of, merges) for case in cases}

    async def _alone(
        self, db: Connection, case: UUID, known: World, now: datetime, seen: Seen
    ) -> None:
        """Something of a batch went wrong: it must not hold up the others."""
        try:
            with suppress(RACED):  # the agency wrote a receipt just now; the case stays dirty
                async with db.transaction():
                    await self._judge(db, [case], known, now, seen)
        except PASSING:
            raise
        except Exception as error:
            log.exception("case.not_judged")
            await db.execute(STUCK, case, type(error).__name__)

    async def _judge(
        self, db: Connection, cases: Sequence[UUID], known: World, now: datetime, seen: Seen
    ) -> None:
        """Record what has to change in the documents of the cases."""
        told = await self.load(db, cases, seen.merges)
        heard = self.heard.all(seen.positions)
        verdicts: list[Verdict] = []
        for case in cases:
            key, its = str(case), told[case]
            may_grow = heard and seen.parked.isdisjoint((None, *_keys(case, seen.merges)))
            evidence = Evidence(
                case, its.facts, its.bases, known, seen.held[key], may_grow, its.events
            )
            verdicts.append(verdict(evidence, now, self._rt.keys.index_key))
            await asyncio.sleep(0)  # requests do not wait for the whole batch
        changes = [change for v in verdicts for change in v.changes]
        await self._record(db, changes, now)
        await db.execute(
            JUDGED,
            *self._deliveries([(document, now) for _, document in changes]),
            cases,
            [v.waits for v in verdicts],
            [v.again_at for v in verdicts],
        )

    async def _record(
        self, db: Connection, changes: Sequence[tuple[int, DocumentChanged]], now: datetime
    ) -> None:
        if not changes:
            return
        await self._rt.journal.append_all(
            db,
            [
                Addition(
                    f"disclosure/{d.agency}/{d.case}",
                    str(d.case),
                    version,
                    [d],
                    Context(actor="views", agency=d.agency, at=now, occurred_at=now),
                )
                for version, d in changes
            ],
        )
        point("views.recorded")

    async def deliver(
        self, db: Connection, recorded: Iterable[tuple[DocumentChanged, datetime]]
    ) -> bool:
        """Have the newest of these documents sent, unless they or newer ones are known already.
        Was one not known?
        """
        columns = self._deliveries(recorded)
        return bool(columns[0]) and not (await db.execute(DELIVER, *columns)).endswith(" 0")

    def _deliveries(
        self, recorded: Iterable[tuple[DocumentChanged, datetime]]
    ) -> tuple[list[Any], ...]:
        newest = {(d.agency, d.case): (d.document, at) for d, at in recorded}
        key = self._rt.keys.index_key
        return (
            [agency for agency, _ in newest],
            [case for _, case in newest],
            [UUID(Handles(key, agency).of("case", case)) for agency, case in newest],
            [document for document, _ in newest.values()],
            [at for _, at in newest.values()],
        )

    async def run(self) -> None:
        """Judge what time or a heartbeat makes due, also when no event arrives."""
        while True:
            try:
                began = time.monotonic()
                while self._rt.applier.live and await self._once():
                    if time.monotonic() - began > CAREFUL_SECONDS:
                        break
                stuck.set(await self._rt.reads.fetchval(STUCK_CASES))
            except (REFUSED, *PASSING) as error:
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
            with suppress(REFUSED):  # the next look judges case by case
                await self._once()
            return False
        return True
