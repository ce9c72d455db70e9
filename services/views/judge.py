"""Judging: for changed cases, compare what each agency may hold with what it holds; record the change.

Fail closed: a document grows only while the services that carry bases are heard, and no stream that the
case is judged by is parked. Shrinking never waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from shared.basis import DIRECTORY_TYPES, POOL_TYPES, World, world
from shared.contracts import Recorded
from shared.contracts.views import DocumentChanged
from shared.db import LINES, PASSING, RACED, REFUSED, Connection, Pool, lines
from shared.journal import Addition, Beside, Context
from shared.kept import all_of, of_keys
from shared.kill import point
from shared.runtime import Runtime
from shared.telemetry import stuck
from shared.views import Asked

from .domain.disclosure import retracts
from .domain.document import Handles
from .domain.joined import Merge, below, joined, mistaken, near
from .domain.verdict import Evidence, Held, Verdict, verdict
from .heard import Heard, Position
from .made import Made
from .merges import holding, merges_of

BATCH, MOST_UNHEARD = 50, 2_000
START = UUID(int=0)
LAST = UUID(int=2**128 - 1)
"""Before all cases, behind all cases."""
CAREFUL_SECONDS, PARKED_SECONDS = 0.5, 5.0
"""Between looks at what is left; and at what waits for something that is parked: it may be all of a city."""
BASIS_STREAMS = ("case", "consent", "matter", "basis", "merge")
"""Of one that is parked nobody knows what it would end; a case's own stream says what is protected."""
OFFICE_STREAMS = ("programme", "desk", "agency", "body")
"""These are of no case: while one is parked, no document grows. A pool binds also whom no consent names it
for: nobody is to learn of a consent by what waits (0091).
"""
AGAIN = timedelta(minutes=1)
"""So often what could not be judged is tried again, lest what ends by time stay longer; and at each start."""
WORLD_TYPES = (*DIRECTORY_TYPES, *POOL_TYPES)


def _columns(first: int, last: int) -> list[str]:
    return [LINES.format(n) for n in range(first, last + 1)]


NEXT = "select * from judging($1, $2, $3, $4, $5, $6, $7, $8, $9)"
TOUCHED = "touched('views-' || t.live, $10, $11, $12, $13, $14, $15, $16, $17)"
STUCK = "update cases set stuck = $2, dirty = true, judge_at = $3 where id = $1"
STUCK_NOW = "update cases set judge_at = $1 where stuck is not null"
STUCK_CASES = "select count(*) from cases where stuck is not null"
LEFT = """
select exists (select from cases where dirty and stuck is null)
    or exists (select from cases where judge_at <= $1)"""
LEFT_OF = """
select id from cases where id = any($1::uuid[]) and (dirty or judge_at <= $2) and stuck is null"""
DELIVER = """
insert into delivery (agency, case_id, handle, document, changed_at, shrinks, behind_since)
select n.*, n.changed_at
  from unnest({}::text[], {}::uuid[], {}::uuid[], {}::int[], {}::timestamptz[], {}::bool[])
       n (agency, case_id, handle, document, changed_at, shrinks)
 where not exists (select from delivery d
                    where (d.agency, d.case_id) = (n.agency, n.case_id) and d.document >= n.document)
on conflict (agency, case_id) do update
   set document = excluded.document, ended = false, changed_at = excluded.changed_at,
       shrinks = excluded.shrinks,
       behind_since = case when delivery.document = delivery.sent_document
                           then excluded.changed_at else delivery.behind_since end,
       retry_at = null, refused = null
 where delivery.document < excluded.document"""
JUDGED = """
judged as (
     update cases c set dirty = d.waits, judge_at = d.again_at, stuck = null
       from unnest({}::uuid[], {}::bool[], {}::timestamptz[]) d (id, waits, again_at)
      where c.id = d.id)"""
JUDGED_ALONE = f"with {JUDGED.format(*_columns(1, 3))} select"
JUDGED_BESIDE = f"""
{JUDGED.format(*_columns(25, 27))}, delivered as ({DELIVER.format(*_columns(28, 33))}),"""
DELIVER_ALONE = DELIVER.format(*_columns(1, 6))
PARKED = """
select distinct case when key is null or split_part(stream, '/', 1) = any($3)
                       or encode(key, 'escape') !~ '^[0-9a-f-]{36}$'
                     then null else key end as key
  from parked
 where view = $1 and (stream is null or split_part(stream, '/', 1) = any($2))"""
LOOK = """
select (select events || '/' || mark from world) as directory,
       (select coalesce(jsonb_agg(jsonb_build_array(topic, partition, topic_id, "offset")), '[]')
          from position where view = $1) as positions"""

log = structlog.get_logger()


class Seen(NamedTuple):
    """How far this view is. `directory` marks the state of directory and pools."""

    directory: str
    positions: list[Position]


class Due(NamedTuple):
    """Cases whose rows are ours, and all that they are judged by. `events` by case, those that stand
    with them too; `held`: by case and agency; `parked`: keys of basis streams that wait, None if it may
    be any.
    """

    cases: Sequence[UUID]
    upto: UUID | None
    seen: Seen
    events: Mapping[UUID, list[Recorded]]
    held: Mapping[str, Mapping[str, Held]]
    parked: set[bytes | None]
    merges: Sequence[Merge]


class Judged(NamedTuple):
    """Behind which case there are more; and which wait until the services that carry bases are heard, or
    what is parked is repaired.
    """

    upto: UUID | None
    unheard: Sequence[UUID]


class Told:
    """What the events of one case tell, with those that were merged into it; each read once. `own`: the
    events of the case alone; `keys`: of all streams that it alone is judged by.
    """

    def __init__(
        self, case: UUID, events: Mapping[UUID, list[Recorded]], merges: Sequence[Merge]
    ) -> None:
        self.own = events[case]
        self.events = [e for one in below(case, merges) for e in events[one]]
        self.facts, self.bases = joined(case, events, merges)
        self.mistaken = mistaken(case, events, merges)
        self.keys = _keys(case, merges)


class Sure(NamedTuple):
    """Whether what is read after it can have ended unheard: are the services that carry bases `heard`, and
    which keys are `parked` (as `Due` has them)?
    """

    heard: bool
    parked: Set[bytes | None]

    def of(self, told: Told) -> bool:
        return self.heard and self.parked.isdisjoint((None, *told.keys))


def _keys(case: UUID, merges: Sequence[Merge]) -> set[bytes]:
    """Keys of all streams that only this case is judged by: its own, those that stand with it, the merges."""
    together = near(case, merges)
    by = [m.id for m in merges if m.into in together]
    return {str(id).encode() for id in (*together, *by)}


def _shrinks(document: DocumentChanged) -> bool:
    return document.cause == "content_ended" or bool(document.withdrawn)


class Judge:
    """One a process; replicas share the work by row locks."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self.heard, self.made = Heard(rt), Made()
        self._world: tuple[str, World] = ("", World())
        self._apart, self._left = False, asyncio.Event()
        self._unheard: set[UUID] = set()
        self._more = self._begun = False
        self._patient_until = 0.0
        rt.on_commit.append(self._committed)
        rt.state["judge"] = self

    def _committed(self) -> None:
        if self._more:
            self._more = False
            self._left.set()

    def asks(self, changed: Sequence[UUID]) -> Asked:
        """What is judged next, and all that it is judged by, when these cases have changed."""
        return Asked(TOUCHED, self._asked(self._rt.clock.now(), changed, LAST))

    def _asked(self, now: datetime, first: Sequence[UUID], past: UUID) -> tuple[Any, ...]:
        which = BASIS_STREAMS, OFFICE_STREAMS
        return now, BATCH, DocumentChanged.TYPE, *which, first, past, list(self._unheard)

    async def some(
        self,
        db: Connection,
        first: Sequence[UUID] = (),
        past: UUID = START,
        answer: Sequence[Any] | None = None,
    ) -> Judged:
        """Judge a batch in the caller's transaction (search_path: the live view's schema): of the cases
        in `first`, of others behind `past`, of those whose time has come. `answer`: to what `asks` asks of
        `first`, in this transaction.

        Raises what the database refused, RACED or other: then the transaction is lost, and the
        next batch is judged case by case.
        """
        now = self._rt.clock.now()
        asked = self._rt.applier.name, *self._asked(now, first, past)
        due = await self._due(await db.fetch(NEXT, *asked) if answer is None else answer)
        if due is None:
            return Judged(None, ())
        known = await self.world(db, due.seen)
        if not self._apart:
            try:
                waits = await self._judge(db, due.cases, known, now, due)
                if (first or answer) and waits:  # the loop remembers them, once they are committed
                    self._more = True
                return Judged(due.upto, waits)
            except PASSING:
                raise
            except REFUSED:
                self._apart = True
                raise
            except Exception as error:
                log.warning("cases.judged_apart", error=type(error).__name__)
        for case in due.cases:
            await self._alone(db, case, known, now, due)
        self._apart = False
        return Judged(due.upto, ())

    async def _due(self, rows: Sequence[Any]) -> Due | None:
        if not rows or rows[0]["cases"] is None:
            return None
        head, *kept = rows
        held: dict[str, dict[str, Held]] = defaultdict(dict)
        for one in head["held"]:
            held[one["key"]][one["stream"].split("/")[1]] = Held(one["version"], one["data"] or {})
        seen = Seen(head["directory"], head["positions"])
        events = await self._by_case(kept)
        parked, merges = set(head["waiting"]), merges_of(head["merges"])
        return Due(head["cases"], head["upto"], seen, events, held, parked, merges)

    async def look(self, db: Connection | Pool) -> Seen:
        row = await db.fetchrow(LOOK, self._rt.applier.name)
        assert row is not None
        return Seen(row["directory"], row["positions"])

    async def sure(self, db: Connection | Pool) -> Sure:
        """For what is disclosed outside the documents; asked before what it is judged by is read."""
        which = [*BASIS_STREAMS, *OFFICE_STREAMS], OFFICE_STREAMS
        heard = self._rt.applier.live and self.heard.all((await self.look(db)).positions)
        parked = await db.fetch(PARKED, self._rt.applier.name, *which)
        return Sure(heard, {row["key"] for row in parked})

    async def left(self, db: Connection | Pool, of: Sequence[UUID], now: datetime) -> set[UUID]:
        """Those of these cases that are still to be judged."""
        return {row["id"] for row in await db.fetch(LEFT_OF, of, now)}

    async def world(self, db: Connection | Pool, seen: Seen | None = None) -> World:
        """Directory and pools; read again only when there are other events than before."""
        mark = (seen or await self.look(db)).directory
        if mark != self._world[0]:
            self._world = mark, world(await self._rt.read(await all_of(db, WORLD_TYPES)))
        return self._world[1]

    async def load(self, db: Connection | Pool, cases: Sequence[UUID]) -> dict[UUID, Told]:
        """What is known of the cases, opened together."""
        of, merges = await self.events(db, cases)
        return {case: Told(case, of, merges) for case in cases}

    async def events(
        self, db: Connection | Pool, cases: Sequence[UUID]
    ) -> tuple[Mapping[UUID, list[Recorded]], Sequence[Merge]]:
        """Of these cases and of those that stand with them."""
        merges = await holding(db, cases)
        keys = [
            str(case) for case in {*cases, *(end for m in merges for end in (m.merged, m.into))}
        ]
        return await self._by_case(await of_keys(db, keys)), merges

    async def _by_case(self, rows: Sequence[Any]) -> Mapping[UUID, list[Recorded]]:
        of: dict[UUID, list[Recorded]] = defaultdict(list)
        for event in await self._rt.read(rows):
            of[UUID(event.envelope.key)].append(event)
        return of

    async def _alone(
        self, db: Connection, case: UUID, known: World, now: datetime, due: Due
    ) -> None:
        """Something of a batch went wrong: it must not hold up the others."""
        try:
            async with db.transaction():
                await self._judge(db, [case], known, now, due)
        except RACED:  # the agency wrote a receipt just now: the case stays dirty, and is next
            self._more = True
        except PASSING:
            raise
        except Exception as error:
            log.exception("case.not_judged", case=str(case))
            await db.execute(STUCK, case, type(error).__name__, now + AGAIN)

    async def _judge(
        self, db: Connection, cases: Sequence[UUID], known: World, now: datetime, due: Due
    ) -> Sequence[UUID]:
        """Record what has to change in the documents of the cases. Which wait to be heard of."""
        heard = self._hears(due.seen)
        sure = Sure(heard, due.parked)
        verdicts: list[Verdict] = []
        for case in cases:
            key, its = str(case), Told(case, due.events, due.merges)
            evidence = Evidence(
                case, its.facts, its.bases, known, due.held.get(key, {}), sure.of(its), its.events,
                its.mistaken,
            )  # fmt: skip
            verdicts.append(verdict(evidence, now, self._rt.keys.index_key))
            await asyncio.sleep(0)  # requests do not wait for the whole batch
        waits = [c for c, v in zip(cases, verdicts, strict=True) if v.waits]
        if waits and heard and time.monotonic() >= self._patient_until:
            self._patient_until = time.monotonic() + PARKED_SECONDS
        if len(cases) >= BATCH and not all(v.waits for v in verdicts):
            self._more = True
        judged = (
            lines(cases),
            lines(v.waits for v in verdicts),
            lines(v.again_at for v in verdicts),
        )
        changes = [change for v in verdicts for change in v.changes]
        if not changes:
            await db.execute(JUDGED_ALONE, *judged)
            return waits
        documents = self._deliveries([(document, now) for _, document in changes])
        await self._record(db, changes, now, Beside(JUDGED_BESIDE, (*judged, *documents)))
        self.made.keep(
            ((d.agency, d.case, d.digest), v.made[d.agency]) for v in verdicts for _, d in v.changes
        )
        return waits

    def _hears(self, seen: Seen) -> bool:
        """Whether a document may grow; if so, what waited for it is due."""
        heard = self.heard.all(seen.positions)
        if heard and self._unheard and time.monotonic() >= self._patient_until:
            self._unheard.clear()
            self._left.set()
        return heard

    async def _record(
        self,
        db: Connection,
        changes: Sequence[tuple[int, DocumentChanged]],
        now: datetime,
        beside: Beside,
    ) -> None:
        written = await self._rt.journal.append_all(
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
            beside=beside,
        )
        # What withdraws is read again: what the agency owes is counted from the record.
        pairs = zip(written, changes, strict=True)
        self.made.wrote(one.id for one, (_, d) in pairs if not retracts(d))
        point("views.recorded")

    async def deliver(
        self, db: Connection, recorded: Iterable[tuple[DocumentChanged, datetime]]
    ) -> bool:
        """Have the newest of these documents sent, unless they or newer ones are known already.
        Was one not known?
        """
        columns = self._deliveries(recorded)
        return bool(columns[0]) and not (await db.execute(DELIVER_ALONE, *columns)).endswith(" 0")

    def _deliveries(self, recorded: Iterable[tuple[DocumentChanged, datetime]]) -> tuple[str, ...]:
        newest = {(d.agency, d.case): (d.document, at, _shrinks(d)) for d, at in recorded}
        key = self._rt.keys.index_key
        return (
            lines(agency for agency, _ in newest),
            lines(case for _, case in newest),
            lines(Handles(key, agency).of("case", case) for agency, case in newest),
            lines(document for document, _, _ in newest.values()),
            lines(at for _, at, _ in newest.values()),
            lines(shrinks for *_, shrinks in newest.values()),
        )

    async def run(self) -> None:
        """Judge what was left over, and what time or a heartbeat makes due, also when no event arrives."""
        while True:
            self._left.clear()
            try:
                past: UUID | None = START
                if self._rt.applier.live and not self._begun:
                    await self._retry()
                while past and self._rt.applier.live:
                    past = await self._once(past)
                stuck.set(await self._rt.reads.fetchval(STUCK_CASES))
            except RACED:
                self._left.set()
            except (REFUSED, *PASSING) as error:
                log.warning("judge.waits", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(CAREFUL_SECONDS):
                    await self._left.wait()

    async def _retry(self) -> None:
        """What the process before this one could not judge: this one may be able to."""
        async with self._rt.pool.acquire() as db, db.transaction():
            await self._rt.applier.enter(db)
            await db.execute(STUCK_NOW, self._rt.clock.now())
        self._begun = True

    async def _once(self, past: UUID = START) -> UUID | None:
        async with self._rt.pool.acquire() as db, db.transaction():
            await self._rt.applier.enter(db)
            if self._unheard:
                self._hears(await self.look(db))
            upto, waits = await self.some(db, past=past)
            point("views.judged")
        point("views.committed")
        self._unheard.update(waits[: MOST_UNHEARD - len(self._unheard)])
        self._rt.wake()
        self._rt.applier.beat()
        return upto

    async def settled(self) -> bool:
        if not self._rt.applier.live:
            return False
        if await self._rt.reads.fetchval(LEFT, self._rt.clock.now()):
            with suppress(REFUSED):  # the next look judges case by case
                await self._once()
            return False
        return True
