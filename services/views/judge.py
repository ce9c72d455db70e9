"""Judging: for changed cases, compare what each agency may hold with what it holds; record the change.

Fail closed: a document grows only while the services that carry bases are heard, and no basis
stream of the case is parked. Shrinking never waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog

from shared.basis import DIRECTORY_TYPES, POOL_TYPES, World, consents, world
from shared.contracts import Recorded
from shared.contracts.views import DocumentChanged
from shared.db import PASSING, RACED, Connection, Pool
from shared.journal import Addition, Context
from shared.kept import all_of, of_keys
from shared.kill import point
from shared.runtime import Runtime
from shared.telemetry import stuck

from .domain.document import Handles
from .domain.facts import facts
from .domain.verdict import Evidence, Held, Verdict, verdict
from .heard import Heard

BATCH = 50
CAREFUL_SECONDS = 0.5
BASIS_STREAMS = ("consent", "matter", "body", "basis")
WORLD_TYPES = (*DIRECTORY_TYPES, *POOL_TYPES)

TAKE = """
select id from cases where (dirty or judge_at <= $1) and stuck is null
 order by id limit $2 for update skip locked"""
DONE = """
update cases c set dirty = d.waits, judge_at = d.again_at
  from unnest($1::uuid[], $2::bool[], $3::timestamptz[]) d (id, waits, again_at) where c.id = d.id"""
STUCK = "update cases set stuck = $2 where id = $1"
STUCK_CASES = "select count(*) from cases where stuck is not null"
LEFT = "select exists (select from cases where (dirty or judge_at <= $1) and stuck is null)"
HELD = """
select distinct on (j.stream) j.stream, j.key, j.data,
       (select max(l.version) from journal l where l.stream = j.stream) as version
  from journal j where j.key = any($1::text[]) and j.stream like 'disclosure/%' and j.type = $2
 order by j.stream, j.version desc"""
DELIVER = """
insert into delivery (agency, case_id, handle, document, changed_at)
select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::timestamptz[])
           n (agency, case_id, handle, document, changed_at)
 where not exists (select from delivery d
                    where (d.agency, d.case_id) = (n.agency, n.case_id) and d.document >= n.document)
on conflict (agency, case_id) do update
   set document = excluded.document, ended = false, changed_at = excluded.changed_at,
       retry_at = null
 where delivery.document < excluded.document"""
BASIS_PARKED = """
select distinct key from parked
 where view = $1 and (stream is null or split_part(stream, '/', 1) = any($2::text[]))
   and (key is null or key = any($3::bytea[]))"""
WORLD_MARK = """
select (count(*), bit_xor(hashtextextended(id::text, 0)))::text from kept where type = any($1::text[])"""

log = structlog.get_logger()


class Told:
    """What the events of one case tell, each read once."""

    def __init__(self, events: list[Recorded]) -> None:
        self.events = events
        self.facts = facts(events)
        self.consents = consents(events)


class Judge:
    """One a process; replicas share the work by row locks."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self.heard = Heard(rt)
        self._world: tuple[str, World] = ("", World())
        rt.state["judge"] = self

    async def some(self, db: Connection) -> bool:
        """Judge a batch in the caller's transaction (search_path: the live view's schema)."""
        now = self._rt.clock.now()
        rows = await db.fetch(TAKE, now, BATCH)
        if not rows:
            return False
        cases = [row["id"] for row in rows]
        heard = await self.heard.all(db)
        known = await self.world(db)
        try:
            async with db.transaction():
                await self._judge(db, cases, known, now, heard)
        except PASSING:
            raise
        except Exception:
            for case in cases:
                await self._alone(db, case, known, now, heard)
        stuck.set(await db.fetchval(STUCK_CASES))
        return True

    async def world(self, db: Connection | Pool) -> World:
        """Directory and pools; read again only when there are other events than before."""
        mark = await db.fetchval(WORLD_MARK, WORLD_TYPES)
        if mark != self._world[0]:
            self._world = mark, world(await self._rt.read(await all_of(db, WORLD_TYPES)))
        return self._world[1]

    async def load(self, db: Connection | Pool, cases: Sequence[UUID]) -> dict[UUID, Told]:
        """What is known of the cases, opened together."""
        of: dict[str, list[Recorded]] = defaultdict(list)
        for event in await self._rt.read(await of_keys(db, [str(case) for case in cases])):
            of[event.envelope.key].append(event)
        return {case: Told(of[str(case)]) for case in cases}

    async def _alone(
        self, db: Connection, case: UUID, known: World, now: datetime, heard: bool
    ) -> None:
        """Something of a batch went wrong: it must not hold up the others."""
        try:
            with suppress(RACED):  # the agency wrote a receipt just now; the case stays dirty
                async with db.transaction():
                    await self._judge(db, [case], known, now, heard)
        except PASSING:
            raise
        except Exception as error:
            log.exception("case.not_judged")
            await db.execute(STUCK, case, type(error).__name__)

    async def _judge(
        self, db: Connection, cases: Sequence[UUID], known: World, now: datetime, heard: bool
    ) -> None:
        """Record what has to change in the documents of the cases."""
        keys = [str(case) for case in cases]
        told = await self.load(db, cases)
        held: dict[str, dict[str, Held]] = defaultdict(dict)
        for row in await db.fetch(HELD, keys, DocumentChanged.TYPE):
            held[row["key"]][row["data"]["agency"]] = Held(row["version"], row["data"])
        rows = await db.fetch(
            BASIS_PARKED, self._rt.applier.name, BASIS_STREAMS, [key.encode() for key in keys]
        )
        parked = {row["key"] for row in rows}
        verdicts: dict[UUID, Verdict] = {}
        for case in cases:
            may_grow = heard and parked.isdisjoint((None, str(case).encode()))
            its = told[case]
            evidence = Evidence(case, its.facts, its.consents, known, held[str(case)], may_grow)
            verdicts[case] = verdict(evidence, now, self._rt.keys.index_key)
            await asyncio.sleep(0)  # requests do not wait for the whole batch
        await self._record(db, [c for v in verdicts.values() for c in v.changes], now)
        await db.execute(
            DONE,
            cases,
            [v.waits for v in verdicts.values()],
            [v.again_at for v in verdicts.values()],
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
        await self.deliver(db, [(document, now) for _, document in changes])

    async def deliver(
        self, db: Connection, recorded: Iterable[tuple[DocumentChanged, datetime]]
    ) -> None:
        """Have the newest of these documents sent, unless they or newer ones are known already."""
        newest = {(d.agency, d.case): (d.document, at) for d, at in recorded}
        if not newest:
            return
        key = self._rt.keys.index_key
        await db.execute(
            DELIVER,
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
