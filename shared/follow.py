"""The follower: each event exactly once, as the next version of its stream, in its effect's transaction."""

import asyncio
import json
from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import asyncpg
import structlog
from pydantic_core import from_json

from shared import telemetry, views
from shared.broker import (
    ConsumerRebalanceListener,
    KafkaError,
    Patience,
    TopicPartition,
    consumer,
    describe,
    envelope_in,
    stop,
)
from shared.contracts import Envelope, Recorded
from shared.db import PASSING, RACED, Connection, Pool, by_column
from shared.kill import point
from shared.loops import pace
from shared.sealing import Codec, Poison
from shared.settings import Kafka, Limits
from shared.views import View

BATCH = 500
AHEAD_SECONDS = 5.0
"""So long may a batch wait after it was opened: with the keyring's own it stays below the promised
60 s in which a destroyed key is forgotten.
"""
TOGETHER = 200
"""Parked streams that are tried again in one transaction."""
DISPLAY_SECONDS = 1.0
GAP_SECONDS = 20.0
"""Longer than a relay needs to notice that its topic has lost something, and to send it again."""
SILENT_SECONDS = 30.0
"""So long may a view that is behind read nothing, whatever replica reads for it."""
GAP = "gap"

TAKE = "select * from take($1, $2, $3, $4, $5, $6, $7, $8)"
KNOWN = """
select stream, version from inbox where view = $1 and stream = any($2::text[])
 order by stream for update"""
ADVANCE = """
insert into inbox as i (view, stream, version)
select $1, n.stream, n.version from unnest($2::text[], $3::int[], $4::int[]) n (stream, version, seen)
on conflict (view, stream) do update set version = excluded.version
 where i.version = (select s.seen from unnest($2::text[], $4::int[]) s (stream, seen)
                     where s.stream = i.stream)
returning stream"""
TOUCH = """
insert into inbox (view, stream, version) select $1, u, 0 from unnest($2::text[]) u order by u
on conflict do nothing returning stream"""
PARK = """
insert into parked (view, topic, partition, "offset", stream, version, key, value, headers, cause)
select $1, p.topic, p.partition, p.at, p.stream, p.version, p.key, p.value, p.headers::jsonb, p.cause
  from unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::int[], $7::bytea[], $8::bytea[],
              $9::text[], $10::text[])
       p (topic, partition, at, stream, version, key, value, headers, cause)
on conflict (view, topic, partition, "offset") do update
   set stream = excluded.stream, version = excluded.version, key = excluded.key,
       value = excluded.value, headers = excluded.headers, cause = excluded.cause,
       examined_at = null
 where (parked.stream, parked.version, parked.key, parked.value, parked.headers, parked.cause)
       is distinct from (excluded.stream, excluded.version, excluded.key, excluded.value,
                         excluded.headers, excluded.cause)
returning xmax = 0 as new, topic, partition, "offset" """
POSITIONS = 'select topic, partition, topic_id, "offset" from position where view = $1'
SET_BACK = 'update position set "offset" = 0 where view = $1 and topic = $2 and partition = $3'
PARKED_STREAMS = "select distinct stream from parked where view = $1 order by stream"
PARKED_OF = "select distinct stream from parked where view = $1 and stream = any($2::text[])"
LASTING = """
select distinct p.topic, p.partition from parked p
 where p.view = $1 and p.stream is not null and p.parked_at < now() - make_interval(secs => $2)
   and not exists (select from parked e
                    where e.view = p.view and e.stream = p.stream and e.examined_at is not null)
   and not exists (select from inbox i join parked q using (view, stream)
                    where i.view = p.view and i.stream = p.stream and q.version = i.version + 1)"""
FRESH = """
select exists (select from parked
                where view = $1 and starts_with(cause, $2)
                  and parked_at > now() - make_interval(secs => $3))"""
EXAMINED = """
update parked p set examined_at = now() from unnest($2::text[], $3::int[]) d (topic, partition)
 where p.view = $1 and (p.topic, p.partition) = (d.topic, d.partition)
   and p.examined_at is null and p.parked_at < now() - make_interval(secs => $4)"""
PARKED_ROWS = """
select topic, partition, "offset", key, value, headers from parked
 where view = $1 and (stream = any($2::text[]) or ($3 and stream is null)) for update"""
UNPARK = """
delete from parked p using unnest($2::text[], $3::int[], $4::bigint[]) d (topic, partition, at)
 where p.view = $1 and (p.topic, p.partition, p."offset") = (d.topic, d.partition, d.at)"""
HOW_MANY_PARKED = "select count(*) from parked where view = $1"
APPLIED = "select version from inbox where view = $1 and stream = $2"
IS_PARKED = "select exists (select from parked where view = $1 and stream = $2)"

log = structlog.get_logger()


class Overtaken(Exception):
    """Another process advanced the same stream in between: look again."""


class _Refused(Exception):
    """The view refused something in a batch."""


class TooMuchInvalid(Exception):
    """Somebody has to look before this view reads on."""


class Record(NamedTuple):
    """One Kafka record, with what was made of it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset


class Read(NamedTuple):
    record: Record
    envelope: Envelope | None
    event: Recorded | Poison


Places = list[list[Any]]
Spans = dict[str, tuple[int, int]]
Taken = tuple[Record, Envelope, dict[str, Any]]
"""An event of a journal; its record tells only where it is on its topic, or that it is not."""


@dataclass(slots=True)
class Outcome:
    """What one transaction did: `new` records (applied or parked here for the first time), the
    `fresh` events that were applied, and what is `parked`, with its cause.
    """

    new: list[Record]
    fresh: list[Recorded]
    parked: list[tuple[Read, str]]

    def invalid(self) -> int:
        """New records that can not be read or are refused; one that only came early is neither."""
        new = {id(record) for record in self.new}
        return sum(
            id(read.record) in new and not cause.startswith(GAP) for read, cause in self.parked
        )


class Applier:
    """The delivery protocol against one view's tables; hands on what is new, in order.

    Used by the follower, by the Faust agent and by repair: they differ only in where records
    come from. A `promoted` one reacts, and goes over by itself when another number is promoted;
    one that is not is only ever asked to `fold`. `reacted` is called when the view may have
    written to the journal (it wakes the relays).
    """

    def __init__(
        self,
        view: View,
        number: int,
        pool: Pool,
        codec: Codec,
        promoted: bool,
        reacted: Callable[[], None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        self.view, self.number, self.promoted, self._reacted = view, number, promoted, reacted
        self.live = False
        self.stopped: str | None = None  # why, if too much is invalid
        self._limits = limits or Limits()
        self._invalid = 0  # new ones in a row
        self._pool, self._codec = pool, codec
        self._due: set[str] = set()
        self._looked = 0.0
        self.moved = asyncio.Event()

    @property
    def name(self) -> str:
        return views.name_of(self.view.name, self.number)

    async def start(self) -> None:
        """Replay what was parked: the usual cause heals itself at the next deployment."""
        streams = [row["stream"] for row in await self._pool.fetch(PARKED_STREAMS, self.name)]
        for n in range(0, len(streams), TOGETHER):
            await self.replay(streams[n : n + TOGETHER])

    async def apply(
        self,
        records: Sequence[Record],
        topics: Mapping[str, str],
        ahead: Sequence[Read] | None = None,
    ) -> list[Record]:
        """One batch, one transaction: inbox, projection, reactions, parking, positions.

        `topics`: id of each topic. `ahead`: the records as `read` gave them a moment ago. Raises
        PASSING errors and Overtaken; call again with the same. Returns what was new: applied or
        parked here for the first time. With too much invalid it keeps nothing of the batch and
        never returns: see `stopped`.
        """
        reads = ahead or await self.read(records)
        place = _places(records, topics)
        try:
            try:
                outcome = await self._transact(reads, place, _spans(reads))
            except _Refused:
                outcome = await self._transact(reads, place, None)
        except TooMuchInvalid as limit:
            await self._stand_still(str(limit))
        point("follow.committed")
        for stream in sorted(self._due):  # kept until it is done, whatever ends this call
            await self.replay([stream])
            self._due.discard(stream)
        if outcome.fresh and self.promoted:
            self._reacted()
        self.beat()
        return outcome.new

    async def _transact(
        self, reads: Sequence[Read], places: Places, spans: Spans | None
    ) -> Outcome:
        """`spans`: what the batch is if it is the next of all its streams, as nearly always; then it
        is applied as a whole. Else what comes too early or again is told from what is next.
        """
        streams = sorted(spans or {read.envelope.stream for read in reads if read.envelope})
        expected = (
            [[spans[stream][n] for stream in streams] for n in (0, 1)] if spans else [None] * 2
        )
        async with self._pool.acquire() as db, db.transaction():
            try:
                taken = await db.fetchrow(TAKE, self.view.name, *places, streams, *expected)
            except asyncpg.SerializationError as race:
                raise Overtaken from race
            assert taken is not None
            self.number = taken["live"]
            if taken["advanced"]:
                outcome = await self._whole(db, reads)
                waiting = taken["waiting"] or []
            else:
                outcome = await self._apply(db, reads, taken["known"])
                fresh = sorted({event.envelope.stream for event in outcome.fresh})
                rows = await db.fetch(PARKED_OF, self.name, fresh) if fresh else []
                waiting = [row["stream"] for row in rows]
            invalid = await self._within_limits(db, outcome)
            self._due.update(waiting)
            point("follow.applied")
        self._invalid = invalid
        return outcome

    async def _whole(self, db: Connection, reads: Sequence[Read]) -> Outcome:
        events = [read.event for read in reads if isinstance(read.event, Recorded)]
        try:
            await self._effects(db, events)
        except (Overtaken, *PASSING):
            raise
        except Exception as error:
            raise _Refused from error
        telemetry.applied.labels(self.name).inc(len(events))
        return Outcome([read.record for read in reads], events, [])

    async def enter(self, db: Connection) -> None:
        """Work on the promoted number, whichever that is by now, until the transaction ends."""
        self.number = await views.enter(db)

    async def opened(self, taken: Sequence[Taken], *, again: bool = False) -> list[Read]:
        """Events of a journal, for `fold`. `again`: they were applied before, and their seals checked."""
        shut = again and self.view.sealed == "checked"
        rows = [(envelope, wire) for _, envelope, wire in taken]
        events = await self._codec.open(rows, shut=shut, only=self.view.reads)
        return [Read(at, mark, event) for (at, mark, _), event in zip(taken, events, strict=True)]

    async def fold(self, db: Connection, reads: Sequence[Read]) -> Outcome:
        """Apply to our number in the caller's transaction, whose search_path is that number's."""
        return await self._apply(db, reads, await self._known(db, reads))

    async def replay(self, streams: Sequence[str | None]) -> Outcome:
        """Try parked streams again, each in version order. None: the records that told no stream."""
        async with self._pool.acquire() as db, db.transaction():
            outcome = await self.replay_in(db, streams)
            point("follow.replayed")
        return outcome

    async def replay_in(self, db: Connection, streams: Sequence[str | None]) -> Outcome:
        """The same in the caller's transaction, which may be rolled back."""
        await self.enter(db)
        told = [stream for stream in streams if stream is not None]
        await db.fetch(KNOWN, self.name, told)  # as `apply` does: first inbox, then parked
        rows = await db.fetch(PARKED_ROWS, self.name, told, None in streams)
        records = [_record(row) for row in rows]
        reads = await self.read(records)
        reads.sort(key=lambda read: read.envelope.version if read.envelope else 0)
        outcome = await self._apply(db, reads, await self._known(db, reads))
        stay = {read.record.place for read, _ in outcome.parked}
        gone = [record.place for record in records if record.place not in stay]
        await db.execute(UNPARK, self.name, *by_column(gone, 3))
        return outcome

    async def positions(self, ids: Mapping[str, str]) -> dict[TopicPartition, int]:
        """Next to read in each partition, by whichever replica; `ids` as in `apply`. A topic made
        anew starts at nothing. Ask before the ends, or they may be older than what is applied.
        """
        return {
            TopicPartition(row["topic"], row["partition"]): row["offset"]
            for row in await self._pool.fetch(POSITIONS, self.name)
            if row["topic_id"] == ids.get(row["topic"])
        }

    async def set_back(self, place: TopicPartition) -> None:
        """The partition has lost what stood below our position: it is to be read from its start."""
        log.error("topic.went_back", view=self.name, topic=place.topic)
        await self._pool.execute(SET_BACK, self.name, place.topic, place.partition)

    async def gaps(self) -> bool:
        """Does something that came wait for what must come before it? It may be on its way again,
        from a relay whose topic has lost its tail; after some time it counts as lost.
        """
        return bool(await self._pool.fetchval(FRESH, self.name, GAP, GAP_SECONDS))

    async def missed(self, ours: Container[TopicPartition]) -> bool:
        """Set back those of our partitions where a gap lasts, once for each gap, whichever process
        does it: what is missing may stand below our position, if the topic lost its tail and grew
        again between two fetches.
        """
        now = asyncio.get_running_loop().time()
        if now - self._looked < GAP_SECONDS / 2:
            return False
        self._looked = now
        rows = await self._pool.fetch(LASTING, self.name, GAP_SECONDS)
        places = [TopicPartition(row["topic"], row["partition"]) for row in rows]
        places = [place for place in places if place in ours]
        for place in places:
            await self.set_back(place)
        if places:
            await self._pool.execute(EXAMINED, self.name, *by_column(places, 2), GAP_SECONDS)
        return bool(places)

    def beat(self) -> None:
        """Wake whoever waits on the present `moved`; the next ones wait on another."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    async def reached(self, stream: str, version: int) -> bool | None:
        """Has this view applied that version? None: the stream is parked and will not."""
        if (await self._pool.fetchval(APPLIED, self.name, stream) or 0) >= version:
            return True
        return None if await self._pool.fetchval(IS_PARKED, self.name, stream) else False

    async def read(self, records: Iterable[Record]) -> list[Read]:
        """Each as what it is, or the Poison that it is. Raises errors of the keyring."""
        reads: list[Read | None] = []
        sealed: list[tuple[Envelope, dict[str, Any]]] = []
        kept: list[Record] = []
        for record in records:
            try:
                envelope = envelope_in(record.headers, record.key)
            except (ValueError, KeyError, UnicodeDecodeError) as error:
                poison = Poison(f"not one of our events: {type(error).__name__}")
                reads.append(Read(record, None, poison))
                continue
            try:
                wire = from_json(record.value or b"")
                if not isinstance(wire, dict):
                    raise ValueError
            except (ValueError, RecursionError):
                reads.append(Read(record, envelope, Poison("the value is not a JSON object")))
                continue
            kept.append(record)
            sealed.append((envelope, wire))
            reads.append(None)
        events = await self._codec.open(sealed, only=self.view.reads)
        opened = zip(kept, sealed, events, strict=True)
        return [
            read if read else Read(record, envelope, event)
            for read, record, envelope, event in _merge(reads, opened)
        ]

    async def _known(self, db: Connection, reads: Sequence[Read]) -> dict[str, int]:
        streams = sorted({read.envelope.stream for read in reads if read.envelope})
        return {row["stream"]: row["version"] for row in await db.fetch(KNOWN, self.name, streams)}

    async def _apply(
        self, db: Connection, reads: Sequence[Read], known: Mapping[str, int]
    ) -> Outcome:
        ready: list[tuple[Read, Recorded]] = []
        parked: list[tuple[Read, str]] = []
        seen = dict(known)
        for read in reads:
            have = seen.get(read.envelope.stream, 0) if read.envelope else 0
            if read.envelope and read.envelope.version <= have:
                telemetry.duplicates.labels(self.name).inc()
            elif isinstance(read.event, Poison):
                parked.append((read, str(read.event)))
            elif read.envelope and read.envelope.version > have + 1:
                parked.append((read, f"{GAP}: version {have + 1} is missing"))
            elif read.envelope:
                seen[read.envelope.stream] = read.envelope.version
                ready.append((read, read.event))
        events = [event for _, event in ready]
        try:
            async with db.transaction():
                await self._take(db, events, known)
        except (Overtaken, *PASSING):
            raise
        except Exception:
            events = await self._one_by_one(db, ready, parked)
        telemetry.applied.labels(self.name).inc(len(events))
        first = await self._park(db, parked, known.keys() | {e.envelope.stream for e in events})
        applied = {event.envelope.id for event in events}
        new = [read.record for read, event in ready if event.envelope.id in applied]
        return Outcome([*new, *first], events, parked)

    async def _one_by_one(
        self,
        db: Connection,
        ready: Sequence[tuple[Read, Recorded]],
        parked: list[tuple[Read, str]],
    ) -> list[Recorded]:
        """The projection refused something in the batch: find it, park it, keep the rest."""
        done: list[Recorded] = []
        refused: dict[str, int] = {}
        for read, event in ready:
            stream, version = event.envelope.stream, event.envelope.version
            if stream in refused:
                parked.append((read, f"{GAP}: version {refused[stream]} is missing"))
                continue
            try:
                async with db.transaction():
                    await self._take(db, [event], {stream: version - 1})
                done.append(event)
            except (Overtaken, *PASSING):
                raise
            except Exception as error:
                refused[stream] = version
                log.exception("event.refused", view=self.name, type=event.envelope.type)
                parked.append((read, f"the view refused it: {type(error).__name__}"))
        return done

    async def _take(
        self, db: Connection, events: Sequence[Recorded], known: Mapping[str, int]
    ) -> None:
        if not events:
            return
        await self._advance(db, events, known)
        await self._effects(db, events)

    async def _effects(self, db: Connection, events: Sequence[Recorded]) -> None:
        await self.view.project(db, events)
        if self.promoted:
            try:
                await self.view.react(db, events, self.live)
            except RACED as race:
                raise Overtaken from race

    async def _advance(
        self, db: Connection, events: Sequence[Recorded], known: Mapping[str, int]
    ) -> None:
        newest = {event.envelope.stream: event.envelope.version for event in events}
        seen = [known.get(stream, 0) for stream in newest]
        rows = await db.fetch(ADVANCE, self.name, list(newest), list(newest.values()), seen)
        if len(rows) != len(newest):
            raise Overtaken

    async def _park(
        self, db: Connection, parked: Sequence[tuple[Read, str]], known: Set[str]
    ) -> list[Record]:
        """Those parked for the first time. A record of a topic made anew takes its old one's place.

        A stream that has no row yet gets one: who applies what is missing locks it, and sees it
        parked.
        """
        if not parked:
            return []
        streams = {read.envelope.stream for read, _ in parked if read.envelope} - known
        if len(await db.fetch(TOUCH, self.name, sorted(streams))) < len(streams):
            raise Overtaken
        rows = {read.record.place: (read, cause) for read, cause in parked}
        values = [(*read.record.place, *_parked(read), cause) for read, cause in rows.values()]
        done = await db.fetch(PARK, self.name, *by_column(values, 9))
        counted = Counter((read.record.topic, cause) for read, cause in rows.values())
        for (topic, cause), records in counted.items():
            log.error("event.parked", view=self.name, topic=topic, cause=cause, records=records)
        point("follow.parked")
        first = [(r["topic"], r["partition"], r["offset"]) for r in done if r["new"]]
        return [rows[place][0].record for place in first]

    async def _within_limits(self, db: Connection, outcome: Outcome) -> int:
        """How many new ones in a row are invalid now. Raises TooMuchInvalid."""
        invalid = 0 if outcome.fresh else self._invalid + outcome.invalid()
        if invalid > self._limits.invalid_in_a_row:
            most = self._limits.invalid_in_a_row
            raise TooMuchInvalid(f"more than {most} records in a row cannot be applied")
        if outcome.parked:
            most = self._limits.parked
            if await db.fetchval(HOW_MANY_PARKED, self.name) > most:
                raise TooMuchInvalid(f"more than {most} records are parked")
        return invalid

    async def _stand_still(self, reason: str) -> NoReturn:
        """What was not applied stays on the topic, and is read again by the next process."""
        self.stopped, self.live = reason, False
        self.beat()
        log.critical("follower.stopped", view=self.name, reason=reason)
        while True:
            await asyncio.Event().wait()


class _Batch(NamedTuple):
    """`reads`: None if they could not be opened yet. `placed`: where the reader had been placed when
    it was read; what was read before it is placed anew is not ours to apply.
    """

    records: list[Record]
    reads: list[Read] | None
    ends: dict[TopicPartition, int]
    placed: dict[TopicPartition, int]
    at: float


class Follower:
    """Feeds one view from its topics, for as long as the process lives."""

    def __init__(self, applier: Applier, kafka: Kafka, pool: Pool) -> None:
        self.applier, self._kafka, self._pool = applier, kafka, pool
        self._ids: dict[str, str] = {}
        self._places: tuple[TopicPartition, ...] = ()
        self._targets: dict[TopicPartition, int] | None = None
        self._from: dict[TopicPartition, int] = {}
        self._trouble: Exception | None = None
        self._reader: Any = None
        self._asking: Any = None
        self._patience, self._read = Patience(), 0

    async def behind(self) -> bool:
        """Is there a record on the topics that is not applied yet, here or by a replica? Also as long
        as the broker does not say.

        Asked on a connection of its own: on the reader's, a question waits behind the open fetch.
        """
        if self._reader is None or not self.applier.live:
            return True
        done = await self.applier.positions(self._ids)
        try:
            if self._asking is None:
                asking = consumer(self._kafka, None)
                try:
                    await asking.start()
                except KafkaError:
                    await stop(asking)
                    raise
                self._asking = asking
            ends = await self._asking.end_offsets(self._places)
        except KafkaError:
            return True
        return any(done.get(place, 0) < end for place, end in ends.items())

    async def run(self) -> None:
        """Never returns; passing trouble is waited out, a damaged view ends the process."""
        pause = 0.1
        try:
            while True:
                started = asyncio.get_running_loop().time()
                try:
                    await self._session()
                except (KafkaError, Overtaken, *PASSING) as error:
                    if asyncio.get_running_loop().time() - started > 10:
                        pause = 0.1
                    log.warning(
                        "follower.waits", view=self.applier.name, error=type(error).__name__
                    )
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 3)
        finally:
            if self._asking:
                await self._asking.stop()

    async def _session(self) -> None:
        topics = self.applier.view.topics
        self.forget()
        await self._identify()
        await self.applier.start()
        reader = consumer(self._kafka, self.applier.name)
        await reader.start()
        together, coming = pace(), None
        try:
            self._reader = reader
            reader.subscribe(topics, listener=_Seek(self, reader))
            done: dict[TopicPartition, int] = {}
            look_at = 0.0
            coming = asyncio.create_task(self._next(reader, together))
            while True:
                batch = await coming
                coming = asyncio.create_task(self._next(reader, together))
                if self._trouble:
                    raise self._trouble
                if batch.records and batch.placed is self._from:
                    await self._watch(await self._apply(batch))
                    done |= batch.ends
                now = asyncio.get_running_loop().time()
                if self.applier.live and now < look_at:
                    continue
                look_at = now + DISPLAY_SECONDS
                with suppress(*PASSING):
                    await self._look_at_lag(reader)
                    if await self.applier.missed(reader.assignment()):
                        raise KafkaError("a gap lasts: its partition is read again")
                if done:
                    with suppress(KafkaError):  # for the display of lag only
                        await reader.commit(done)
                    done = {}
        finally:
            if coming:
                coming.cancel()
            self._reader = None
            await stop(reader)

    async def _next(self, reader: Any, together: Callable[[], Awaitable[None]]) -> _Batch:
        """Opened while the one before it is written."""
        await together()
        batches = await reader.getmany(timeout_ms=200, max_records=BATCH)
        placed = self._from
        batches = {place: m for place, m in batches.items() if m and place in self._from}
        records = [
            Record(m.topic, m.partition, m.offset, m.key, m.value, tuple(m.headers))
            for messages in batches.values()
            for m in messages
        ]
        reads = None
        with suppress(*PASSING):
            reads = await self.applier.read(records)
        ends = {place: m[-1].offset + 1 for place, m in batches.items()}
        return _Batch(records, reads, ends, placed, asyncio.get_running_loop().time())

    async def _watch(self, new: Sequence[Record]) -> None:
        """What stands below our position was seen before, or the topic was written anew there."""
        changed = {
            place
            for record in new
            if record.offset
            < self._from.get(place := TopicPartition(record.topic, record.partition), 0)
        }
        for place in changed:
            await self.applier.set_back(place)
        if changed:
            raise KafkaError("the topic was written anew below our position")

    async def _apply(self, batch: _Batch) -> list[Record]:
        pause = 0.05
        fresh = asyncio.get_running_loop().time() - batch.at < AHEAD_SECONDS
        ahead = batch.reads if fresh else None
        while True:
            try:
                return await self.applier.apply(batch.records, self._ids, ahead)
            except Overtaken:
                await asyncio.sleep(0)
            except PASSING as error:
                ahead = None
                log.warning("follower.waits", view=self.applier.name, error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3)

    def forget(self, trouble: Exception | None = None) -> None:
        """What is fetched before `seek` has placed the reader is not ours to apply."""
        self._from, self._targets, self._trouble = {}, None, trouble
        self._patience = Patience(SILENT_SECONDS)

    async def seek(self, reader: Any, places: Iterable[TopicPartition]) -> None:
        """PostgreSQL says where to go on, not the broker; a topic made anew, or one that has lost
        its tail, is read from its start. Otherwise from one record before, as a probe. Live is the
        view again when it is at the present ends of all partitions, those of other replicas too.
        """
        await self._identify()
        kept = await self.applier.positions(self._ids)
        ends = await reader.end_offsets(self._places)
        for place in places:
            offset = kept.get(place, 0)
            if offset > ends[place]:
                await self.applier.set_back(place)
                offset = 0
            reader.seek(place, max(offset - 1, 0))
            self._from[place] = offset
        self._targets = ends
        self.applier.live = False

    async def _identify(self) -> None:
        described = await describe(self._kafka, self.applier.view.topics)
        self._ids = {name: topic.id for name, topic in described.items()}
        self._places = tuple(place for topic in described.values() for place in topic.places)

    async def _look_at_lag(self, reader: Any) -> None:
        behind: defaultdict[str, int] = defaultdict(int)
        for place in reader.assignment():
            end, at = reader.highwater(place), await reader.position(place)
            behind[place.topic] += max(0, (end or 0) - at)
        for topic in self.applier.view.topics:
            telemetry.lag.labels(self.applier.name, topic).set(behind[topic])
        targets = self._targets
        if self.applier.live:
            return
        done = await self.applier.positions(self._ids) if targets else {}
        self._progress(done)
        if targets is None:
            return
        reached = all(done.get(place, 0) >= end for place, end in targets.items())
        if reached and targets is self._targets:  # and not assigned anew meanwhile
            log.info("follower.caught_up", view=self.applier.name)
            self.applier.live = True
            self.applier.beat()

    def _progress(self, done: Mapping[TopicPartition, int]) -> None:
        """A broker that is just back may not know its topics yet, and a member is given nothing or
        too little to read; the libraries see nothing wrong in it. Raises KafkaError to join again.
        """
        read = sum(done.values())
        try:
            self._patience.got(read - self._read)
        except KafkaError:
            ends = (self._targets or {}).items()
            behind = [f"{p.topic}/{p.partition}" for p, end in ends if done.get(p, 0) < end]
            given = sorted(f"{p.topic}/{p.partition}" for p in self._from)
            log.warning("follower.silent", view=self.applier.name, behind=behind, given=given)
            raise
        self._read = read


class _Seek(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, follower: Follower, reader: Any) -> None:
        self._follower, self._reader = follower, reader

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._follower.forget()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        # The library swallows what is raised here, and would go on from the offset in its group.
        try:
            await self._follower.seek(self._reader, assigned)
        except Exception as error:
            self._follower.forget(error)


def _merge(
    reads: Iterable[Read | None],
    opened: Iterable[tuple[Record, tuple[Envelope, Any], Recorded | Poison]],
) -> Iterable[tuple[Read | None, Any, Any, Any]]:
    rest = iter(opened)
    for read in reads:
        if read:
            yield read, None, None, None
        else:
            record, (envelope, _), event = next(rest)
            yield None, record, envelope, event


def _places(records: Sequence[Record], topics: Mapping[str, str]) -> Places:
    """How far these records reach in each partition, as columns."""
    ends: dict[tuple[str, int], int] = {}
    for r in records:
        ends[r.topic, r.partition] = max(ends.get((r.topic, r.partition), 0), r.offset + 1)
    return by_column([(t, p, topics[t], end) for (t, p), end in ends.items()], 4)


def _spans(reads: Iterable[Read]) -> Spans | None:
    """Version before and at the end of each stream; None if it cannot be applied as a whole."""
    spans: Spans = {}
    for read in reads:
        if read.envelope is None or isinstance(read.event, Poison):
            return None
        stream, version = read.envelope.stream, read.envelope.version
        before, end = spans.get(stream, (version - 1, version - 1))
        if version != end + 1:
            return None
        spans[stream] = before, version
    return spans


def _parked(read: Read) -> tuple[Any, ...]:
    """Stream, version, key, value and headers, as they are kept."""
    record, envelope = read.record, read.envelope
    headers = [
        [name.replace("\0", "�"), None if value is None else b64encode(value).decode()]
        for name, value in record.headers
    ]
    return (
        envelope and envelope.stream,
        envelope and envelope.version,
        record.key,
        record.value,
        json.dumps(headers, ensure_ascii=False),
    )


def _record(row: Any) -> Record:
    headers = tuple(
        (name, None if value is None else b64decode(value)) for name, value in row["headers"]
    )
    return Record(row["topic"], row["partition"], row["offset"], row["key"], row["value"], headers)
