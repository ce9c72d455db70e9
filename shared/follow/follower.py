"""From topics to a view: reading ahead, seeking by what PostgreSQL says, waiting out what passes."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self

import structlog

from shared import telemetry
from shared.broker import (
    ConsumerRebalanceListener,
    KafkaError,
    Patience,
    TopicPartition,
    consumer,
    describe,
    stop,
)
from shared.db import PASSING, Pool
from shared.loops import pace
from shared.settings import Kafka

from .applier import Applier
from .inbox import Overtaken
from .record import BATCH, MOST, Read, Record, record_of

AHEAD_SECONDS = 5.0
"""So long may a batch wait after it was opened: with the keyring's own it stays below the promised
60 s in which a destroyed key is forgotten.
"""
QUIET_MS, QUIET_LOOKS = 20, 5
IDLE_SECONDS, DISPLAY_SECONDS = 0.01, 1.0
SILENT_SECONDS = 30.0
"""So long may a view that is behind read nothing, whatever replica reads for it."""

log = structlog.get_logger()


class _Batch(NamedTuple):
    """`reads`: None if they could not be opened yet. `below`: does one stand below our position?
    `placed`: where the reader had been placed when it was read; what was read before it is placed anew
    is not ours to apply.
    """

    records: list[Record]
    reads: list[Read] | None
    below: bool
    ends: dict[TopicPartition, int]
    placed: dict[TopicPartition, int]
    at: float

    @property
    def quiet(self) -> bool:
        """It only moves places."""
        return bool(self.reads) and all(read.event is None for read in self.reads or ())

    def joined(self, more: Self) -> Self:
        if more.placed is not self.placed:  # what came before is read again
            return more
        return self._replace(
            records=self.records + more.records,
            reads=None if self.reads is None or more.reads is None else self.reads + more.reads,
            below=self.below or more.below,
            ends=self.ends | more.ends,
        )


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
        self._writing = False

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
        reader = consumer(self._kafka, self.applier.name, self.applier.gather)
        await reader.start()
        together, coming = pace(), None
        try:
            self._reader = reader
            reader.subscribe(topics, listener=_Seek(self, reader))
            done: dict[TopicPartition, int] = {}
            look_at = 0.0
            coming = asyncio.create_task(self._next(reader, together))
            while True:
                batch = await self._when_here(coming)
                coming = asyncio.create_task(self._next(reader, together))
                if self._trouble:
                    raise self._trouble
                if batch.records and batch.placed is self._from:
                    new = await self._apply(batch)
                    if batch.below:
                        await self._watch(new)
                    done |= batch.ends
                now = asyncio.get_running_loop().time()
                behind = len(batch.records) >= BATCH  # there is more where it came from
                if (self.applier.live or behind) and now < look_at:
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
            with suppress(*PASSING):
                await self.applier.begun.end()
            await stop(reader)

    async def _when_here(self, coming: asyncio.Task[_Batch]) -> _Batch:
        """While nothing comes, what is needed then is made ready."""
        await asyncio.wait([coming], timeout=IDLE_SECONDS)
        if not coming.done():
            await self.applier.begun.ahead()
        return await coming

    async def _next(self, reader: Any, together: Callable[[], Awaitable[None]]) -> _Batch:
        """Opened while the one before it is written; who catches up opens on for as long as that takes. What
        only moves places goes with what tells more, if that comes soon.
        """
        await together()
        batch = await self._some(reader, 200)
        looks = 0
        while batch.quiet and looks < QUIET_LOOKS and len(batch.records) < BATCH:
            if not self.applier.live or self.applier.hurried():
                break
            batch, looks = batch.joined(await self._some(reader, QUIET_MS)), looks + 1
        while self._writing and not self.applier.live and len(batch.records) <= MOST - BATCH:
            more = await self._some(reader, 0)
            if not more.records:
                break
            batch = batch.joined(more)
        return batch

    async def _some(self, reader: Any, timeout_ms: int) -> _Batch:
        batches = await reader.getmany(timeout_ms=timeout_ms, max_records=BATCH)
        placed = self._from
        batches = {place: m for place, m in batches.items() if m and place in self._from}
        records = [record_of(m) for messages in batches.values() for m in messages]
        reads = None
        with suppress(*PASSING):
            reads = await self.applier.read(records)
        ends = {place: m[-1].offset + 1 for place, m in batches.items()}
        below = any(m[0].offset < placed[place] for place, m in batches.items())
        return _Batch(records, reads, below, ends, placed, asyncio.get_running_loop().time())

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
        self._writing = True
        try:
            while True:
                try:
                    return await self.applier.apply(batch.records, self._ids, ahead)
                except Overtaken:
                    await asyncio.sleep(0)
                except PASSING as error:
                    ahead = None
                    name, reason = self.applier.name, type(error).__name__
                    log.warning("follower.waits", view=name, error=reason)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 3)
        finally:
            self._writing = False

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
