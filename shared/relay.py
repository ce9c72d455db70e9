"""The relay: what is committed but not yet on the broker, sent in order by one active process."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import structlog
from aiokafka.errors import MessageSizeTooLargeError, UnknownTopicOrPartitionError

from shared.batches import At, Batches
from shared.broker import (
    HEARTBEATS,
    KafkaError,
    Message,
    Patience,
    TopicPartition,
    consumer,
    describe,
    event_message,
    producer,
    stop,
)
from shared.db import PASSING, Connection, connect
from shared.kill import point
from shared.loops import pace
from shared.sealing import ENVELOPE, envelope_of
from shared.settings import Kafka
from shared.telemetry import published

BATCH = 500
POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 1.5
COMPARE_SECONDS = 5.0
LOCK_LOST_AFTER = "2s"
"""A process that is stopped, not dead, stops pinging; PostgreSQL then ends its session and lock."""
IN_ORDER = {"enable_sort": "off"}
"""Or a fresh backlog, of which there are no statistics, is sorted anew for each batch."""
SURE_SECONDS = 1.0
"""So long after the last answer of its session a relay trusts that the lock is its own."""

LOCK = "select pg_try_advisory_lock(hashtext($1))"
TELL = "select pg_notify($1, '')"
PENDING = f"""
select seq, {ENVELOPE}, data::text as value from journal j
 where published_at is null and held is null and seq <> all($2::bigint[])
   and not exists (select from journal h
                    where h.stream = j.stream and h.version < j.version and h.held is not null)
 order by seq limit $1"""
MARK = """
update journal j set published_at = now(), topic_id = m.topic_id, partition = m.partition,
                     "offset" = m.at
  from unnest($1::bigint[], $2::text[], $3::int[], $4::bigint[]) m (seq, topic_id, partition, at)
 where j.seq = m.seq"""
HOLD = "update journal set held = $2 where seq = $1"
OTHER_TOPIC = """
update journal set published_at = null
 where published_at is not null and (topic_id < $1 or topic_id > $1)"""
LAST = """
select p.partition, l."offset", l.id from unnest($2::int[]) p (partition), lateral (
       select "offset", id from journal
        where topic_id = $1 and partition = p.partition and published_at is not null
        order by "offset" desc limit 1) l"""
ABOVE_END = """
update journal set published_at = null
 where published_at is not null and topic_id = $1 and partition = $2 and "offset" >= $3"""

log = structlog.get_logger()


class Ack(NamedTuple):
    """`token` names what was sent, in the words of its outbox."""

    token: Any
    topic: str
    topic_id: str
    partition: int
    offset: int

    @property
    def place(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


class _Sending(NamedTuple):
    """A batch that the producer has. `whole`: nothing in it was refused or held back."""

    waiting: list[tuple[Any, Message]]
    batches: Batches
    everything: asyncio.Future[list[At | BaseException]]
    whole: bool


class Outbox(Protocol):
    """What a relay empties. All methods run on the relay's one connection.

    `lenient`: a destination that is not there is refused, and the others flow.
    """

    lenient: bool
    batch: int
    """A batch of fewer was all there is."""

    async def topics(self, db: Connection) -> Sequence[str]:
        """Destinations to compare with the broker at each connection."""

    async def reconcile(
        self, db: Connection, ids: Mapping[str, str], ends: Mapping[TopicPartition, int]
    ) -> None:
        """Count as unsent what the broker no longer has."""

    async def last(
        self, db: Connection, ids: Mapping[str, str], places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, bytes]]:
        """The highest offset that is marked in each partition, and what tells the record there."""

    def telling(self, record: Any) -> bytes | None:
        """What tells a record from others at its place."""

    async def pending(
        self, db: Connection, sending: Sequence[Any] = ()
    ) -> Sequence[tuple[Any, Message]]:
        """The next batch with its tokens, in order, without those that are on their way; empty when
        drained, or when it is better to ask again after them. With `sending`, on a second connection.
        """

    async def mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        """Remember what the broker acknowledged."""

    async def refuse(self, db: Connection, token: Any, error: KafkaError) -> bool:
        """Hold one message back for good; False if the trouble may pass and all shall wait."""

    async def overwritten(self, db: Connection, topics: Sequence[str]) -> None:
        """Somebody else wrote to these topics: a relay that stood still while it sent."""


class JournalOutbox:
    """The journal's unpublished rows, to the service's own topic."""

    lenient = False
    batch = BATCH

    def __init__(self, topic: str) -> None:
        self._topic = topic

    async def topics(self, db: Connection) -> Sequence[str]:
        return [self._topic]

    async def reconcile(
        self, db: Connection, ids: Mapping[str, str], ends: Mapping[TopicPartition, int]
    ) -> None:
        await db.execute(OTHER_TOPIC, ids[self._topic])
        for place, end in ends.items():
            await db.execute(ABOVE_END, ids[self._topic], place.partition, end)

    async def last(
        self, db: Connection, ids: Mapping[str, str], places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, bytes]]:
        partitions = [place.partition for place in places]
        rows = await db.fetch(LAST, ids[self._topic], partitions)
        return {
            TopicPartition(self._topic, row["partition"]): (row["offset"], str(row["id"]).encode())
            for row in rows
        }

    def telling(self, record: Any) -> bytes | None:
        return dict(record.headers).get("ce_id")

    async def pending(
        self, db: Connection, sending: Sequence[Any] = ()
    ) -> Sequence[tuple[Any, Message]]:
        rows = await db.fetch(PENDING, self.batch, sending)
        return [
            (row["seq"], event_message(self._topic, envelope_of(row), row["value"].encode()))
            for row in rows
        ]

    async def mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        await db.execute(
            MARK,
            [ack.token for ack in acks],
            [ack.topic_id for ack in acks],
            [ack.partition for ack in acks],
            [ack.offset for ack in acks],
        )

    async def refuse(self, db: Connection, token: Any, error: KafkaError) -> bool:
        if not isinstance(error, MessageSizeTooLargeError):
            return False
        await db.execute(HOLD, token, type(error).__name__)
        return True

    async def overwritten(self, db: Connection, topics: Sequence[str]) -> None:
        """Harmless: followers drop a version that they have."""


class Relay:
    """One active relay a name; the others wait for its lock and take over within 5 s.

    `heartbeat` names the service whose drained state is announced on the topic `heartbeats`.
    """

    def __init__(
        self, name: str, database_url: str, kafka: Kafka, outbox: Outbox, heartbeat: bool = False
    ) -> None:
        self.name, self._url, self._kafka, self._outbox = name, database_url, kafka, outbox
        self._heartbeat = heartbeat
        self._woken = asyncio.Event()
        self._ids: dict[str, str] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._channel = f"relay {name}"
        self._beaten = self._compared = self._sure = 0.0
        self._alone = False  # the broker refused several together: which of them?

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Never returns; passing trouble is waited out with a growing pause."""
        pause = 0.1
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._session()
            except (KafkaError, *PASSING) as error:
                if asyncio.get_running_loop().time() - started > 10:
                    pause = 0.1
                log.warning("relay.waits", relay=self.name, error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3)

    async def _session(self) -> None:
        async with AsyncExitStack() as stack:
            sender = producer(self._kafka)
            stack.push_async_callback(sender.stop)
            await sender.start()
            reader = consumer(self._kafka, None)
            stack.push_async_callback(stop, reader)
            await reader.start()
            db = await connect(self._url, idle_session_timeout=LOCK_LOST_AFTER, **IN_ORDER)
            stack.callback(db.terminate)
            reads = await connect(self._url, **IN_ORDER)
            stack.callback(reads.terminate)
            await self._take_turn(db)
            self._ids, self._ends = {}, {}
            await self._compare(db, reader)
            await self._probe(db, reader)
            log.info("relay.active", relay=self.name)
            together = pace()
            while True:
                await together()
                self._woken.clear()
                drained_at = datetime.now(UTC)
                while await self._some(db, reads, sender):
                    drained_at = datetime.now(UTC)
                if asyncio.get_running_loop().time() - self._compared > COMPARE_SECONDS:
                    await self._compare(db, reader)
                await self._beat(sender, drained_at)
                await self._ping_until(db, asyncio.ensure_future(self._woken.wait()), once=True)

    async def _take_turn(self, db: Connection) -> None:
        """Wait for the lock, and meanwhile tell who has it of what is committed here: many commits
        at once, outside their transactions, where a NOTIFY would hold up all writers.
        """
        while not await db.fetchval(LOCK, self._channel):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
                self._woken.clear()
                await db.execute(TELL, self._channel)
        await db.add_listener(self._channel, lambda *_: self.wake())

    async def _still_ours(self, db: Connection) -> None:
        """Raises one of PASSING if this process stood still until its session and lock were gone."""
        now = asyncio.get_running_loop().time()
        if now > self._sure:
            await db.execute("select 1")
            self._sure = now + SURE_SECONDS

    async def _compare(self, db: Connection, reader: Any) -> None:
        """When data went backwards on the broker: what it lost counts as unpublished again.

        Also now and then while all is well: a broker that comes back without its tail is met
        again by the client libraries, and the session goes on.
        """
        topics = await self._outbox.topics(db)
        ids: dict[str, str] = {}
        ends: dict[TopicPartition, int] = {}
        if topics:
            looking = asyncio.ensure_future(self._look(topics, reader))
            await self._ping_until(db, looking)
            ids, ends = looking.result()
        shorter = any(end < self._ends.get(place, 0) for place, end in ends.items())
        if shorter or not self._ids or ids != self._ids:
            await self._outbox.reconcile(db, ids, ends)
            self._woken.set()
        foreign = [place.topic for place, end in ends.items() if end > self._ends.get(place, end)]
        if foreign:
            await self._outbox.overwritten(db, foreign)
            self._woken.set()
        point("relay.compared")
        self._ids, self._ends = ids, ends
        self._compared = asyncio.get_running_loop().time()

    async def _probe(self, db: Connection, reader: Any) -> None:
        """A tail that was lost and has grown over again is not seen by its end: an earlier session
        may have sent below what it had marked, and ended before it knew. Is the last record that
        is marked still there? If not, all of its partition counts as unpublished.
        """
        marked = await self._outbox.last(db, self._ids, self._ends)
        if not marked:
            return
        reading = asyncio.ensure_future(self._told(reader, marked))
        await self._ping_until(db, reading)
        other = {
            place: 0
            for place, found in reading.result().items()
            if found is not None and found != marked[place][1]
        }
        if other:
            log.error("topic.written_anew", relay=self.name, partitions=len(other))
            await self._outbox.reconcile(db, self._ids, other)
            self._woken.set()

    async def _told(
        self, reader: Any, marked: Mapping[TopicPartition, tuple[int, bytes]]
    ) -> dict[TopicPartition, bytes | None]:
        """What tells the record at each of these offsets; None where compaction took it."""
        found: dict[TopicPartition, bytes | None] = {}
        reader.assign(list(marked))
        try:
            for place, (offset, _) in marked.items():
                reader.seek(place, offset)
            patience = Patience()
            while left := [place for place in marked if place not in found]:
                batches = await reader.getmany(*left, timeout_ms=500)
                patience.got(len(batches))
                for place, records in batches.items():
                    if records:
                        same = records[0].offset == marked[place][0]
                        found[place] = self._outbox.telling(records[0]) if same else None
        finally:
            reader.unsubscribe()
        return found

    async def _look(
        self, topics: Sequence[str], reader: Any
    ) -> tuple[dict[str, str], dict[TopicPartition, int]]:
        described = await describe(self._kafka, topics, lenient=self._outbox.lenient)
        places = [place for topic in described.values() for place in topic.places]
        ends = dict(await reader.end_offsets(places))
        return {name: topic.id for name, topic in described.items()}, ends

    async def _some(self, db: Connection, reads: Connection, sender: Any) -> bool:
        """Send for as long as the batches are full: while the broker has one, the last is marked
        and the next is read. False if it was all there was when the last was read.
        """
        self._sure = asyncio.get_running_loop().time() + SURE_SECONDS
        batch, done = await self._outbox.pending(db), list[Ack]()
        whole, full = True, False
        while batch and whole:  # or what was read may come after what was not sent
            full = len(batch) >= self._outbox.batch
            sending = await self._hand_over(db, sender, batch)
            tokens = [token for token, _ in sending.waiting] + [ack.token for ack in done]
            reading = asyncio.ensure_future(self._read_on(reads, tokens if full else None))
            try:
                await self._mark(db, done)
                await self._ping_until(db, reading)
                batch = reading.result()
            finally:
                reading.cancel()
            done, whole = await self._acknowledged(db, sending)
        await self._mark(db, done)
        return full or not whole

    async def _read_on(
        self, reads: Connection, sending: Sequence[Any] | None
    ) -> Sequence[tuple[Any, Message]]:
        return await self._outbox.pending(reads, sending) if sending else []

    async def _hand_over(
        self, db: Connection, sender: Any, batch: Sequence[tuple[Any, Message]]
    ) -> _Sending:
        waiting: list[tuple[Any, Message]] = []
        held: set[tuple[str, bytes]] = set()
        if unknown := {message.topic for _, message in batch} - self._ids.keys():
            made = await describe(self._kafka, unknown, lenient=self._outbox.lenient)
            self._ids |= {name: topic.id for name, topic in made.items()}
        batches = Batches(sender, alone=self._alone)
        for token, message in batch:
            if (message.topic, message.key) in held:
                continue  # what comes after a held one waits for the next batch, or with it
            try:
                if message.topic not in self._ids:
                    raise UnknownTopicOrPartitionError
                await self._still_ours(db)
                await batches.add(message)
                waiting.append((token, message))
            except KafkaError as error:
                if not await self._outbox.refuse(db, token, error):
                    raise
                held.add((message.topic, message.key))
        await self._still_ours(db)
        await batches.send()
        point("relay.sending")
        return _Sending(waiting, batches, asyncio.ensure_future(batches.done()), not held)

    async def _acknowledged(self, db: Connection, sending: _Sending) -> tuple[list[Ack], bool]:
        """What the broker has; and was it everything, at new offsets?"""
        await self._ping_until(db, sending.everything)
        self._alone = sending.batches.refused_together
        acks: list[Ack] = []
        lost: dict[TopicPartition, int] = {}
        trouble: KafkaError | None = None
        for (token, message), done in zip(
            sending.waiting, sending.everything.result(), strict=True
        ):
            if not isinstance(done, BaseException):
                place = TopicPartition(message.topic, done.partition)
                if 0 <= done.offset < self._ends.get(place, 0):
                    lost[place] = min(lost.get(place, done.offset), done.offset)
                self._ends[place] = max(self._ends.get(place, 0), done.offset + 1)
                acks.append(
                    Ack(token, message.topic, self._ids[message.topic], done.partition, done.offset)
                )
            elif not isinstance(done, KafkaError):
                raise done
            elif self._alone or not await self._outbox.refuse(db, token, done):
                trouble = done
        point("relay.sent")
        if lost:  # an offset was given anew: the broker came back without its tail
            await self._outbox.reconcile(db, self._ids, lost)
            self._ends |= {ack.place: ack.offset + 1 for ack in acks if ack.place in lost}
        if trouble:
            await self._mark(db, acks)
            raise trouble
        return acks, sending.whole and not lost and len(acks) == len(sending.waiting)

    async def _mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        if acks:
            await self._outbox.mark(db, acks)
            published.labels(self.name).inc(len(acks))
            point("relay.marked")

    async def _beat(self, sender: Any, drained_at: datetime) -> None:
        """Drained: say so, with the offsets published so far (freshness and fail-closed rest on it).

        All that was committed by `drained_at` is on the topic, below these offsets.
        """
        now = asyncio.get_running_loop().time()
        if not self._heartbeat or now - self._beaten < HEARTBEAT_SECONDS:
            return
        self._beaten = now
        beat = {
            "service": self.name,
            "time": drained_at.isoformat(),
            "offsets": {
                str(place.partition): [self._ids[place.topic], end]
                for place, end in self._ends.items()
            },
        }
        await sender.send_and_wait(HEARTBEATS, json.dumps(beat).encode(), self.name.encode())

    async def _ping_until(
        self, db: Connection, done: asyncio.Future[Any], *, once: bool = False
    ) -> None:
        """Wait, and keep the session that holds the lock alive. `once`: at most one poll interval."""
        try:
            while not done.done():
                await asyncio.wait([done], timeout=POLL_SECONDS)
                if not done.done():
                    await db.execute("select 1")
                    if once:
                        return
        finally:
            done.cancel()
