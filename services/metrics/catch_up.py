"""From where PostgreSQL stands to the ends of the topics, without Faust: at each start, and for
whatever Faust passed over. The positions in PostgreSQL are the only truth; Faust's committed
offsets may run ahead of a database that was set back, or lag behind, and neither matters.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from shared import telemetry
from shared.broker import KafkaError, Patience, Topic, TopicPartition, consumer, describe, stop
from shared.db import PASSING
from shared.follow import BATCH, Overtaken, Read, Record, record_of
from shared.runtime import Runtime

LOOK_SECONDS = 1.0
PATIENCE = 120
"""So many looks in a row at which Faust had brought nothing that was there: the process ends."""

log = structlog.get_logger()
Done = TypeVar("Done")


class Reach:
    """How far the applier is, and the plain way to the ends. One reader, kept open, is enough."""

    def __init__(self, rt: Runtime) -> None:
        self._applier, self._kafka = rt.applier, rt.kafka
        self._topics: dict[str, Topic] = {}
        self._ids: dict[str, str] = {}
        self._reader: Any = None
        self._one_at_a_time = asyncio.Lock()
        self._idle = 0

    @asynccontextmanager
    async def caught_up(self) -> AsyncIterator[None]:
        """Opens the reader and brings the database to the ends as they are now; then it is live."""
        self._reader = consumer(self._kafka, None)
        try:
            await _patiently(self._reader.start)
            await _patiently(self._applier.start)
            await _patiently(self._catch_up)
            log.info("stream.caught_up", view=self._applier.name)
            self._applier.live = True
            self._applier.beat()
            yield
        finally:
            reader, self._reader = self._reader, None
            await stop(reader)

    async def settled(self) -> bool:
        """Two cheap questions, one to the broker and one to PostgreSQL."""
        return self._applier.live and not await self._behind()

    async def gather(self) -> None:
        await self._applier.gather()

    async def apply(self, records: Sequence[Record]) -> None:
        """What Faust brought, in its order, once it is in PostgreSQL. What it passed over before
        that is read first, so that a position never jumps over a record.
        """

        async def work() -> None:
            async with self._one_at_a_time:
                at = await self._applier.positions(self._ids)
                if _leaves_out(records, dict(at)):
                    log.warning("stream.passed_over", view=self._applier.name)
                    await self._read_on()
                new = await self._applier.apply(records, self._ids)
                if below := _below(new, at):  # the topic was written anew there
                    for place in below:
                        await self._applier.set_back(place)
                    await self._read_on()

        await _patiently(work)
        self._idle = 0

    async def watch(self) -> None:
        """Never returns. Brings in what Faust lets lie: while it joins its group, waits for a dead
        member's session, or has lost its place.
        """
        before: dict[TopicPartition, int] = {}
        while self._idle < PATIENCE:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                behind = await self._behind()
                if any(before.get(place) == at for place, at in behind.items()):
                    self._idle += 1
                    log.warning("stream.bridged", view=self._applier.name)
                    await self._catch_up()
                elif await self._applier.missed(await self._ends()):
                    await self._catch_up()
                before = behind
            except (KafkaError, Overtaken, *PASSING) as error:
                log.warning("stream.waits", error=type(error).__name__)
        raise RuntimeError("Faust brings nothing")

    async def _catch_up(self) -> None:
        async with self._one_at_a_time:
            await self._read_on()

    async def _read_on(self) -> None:
        self._topics = await describe(self._kafka, self._applier.view.topics)
        self._ids = {name: topic.id for name, topic in self._topics.items()}
        at = await self._applier.positions(self._ids)
        ends = await self._ends()
        for place, end in ends.items():
            if at.get(place, 0) > end:  # it has lost its tail
                await self._applier.set_back(place)
                at[place] = 0
        left = {place for place, end in ends.items() if at.get(place, 0) < end}
        self._reader.assign(list(ends))
        self._reader.pause(*ends)
        for place in left:
            self._reader.seek(place, at.get(place, 0))
        self._reader.resume(*left)
        patience = Patience()
        coming = asyncio.create_task(self._next(left, ends, patience)) if left else None
        try:
            while coming:
                records, reads = await coming
                coming = asyncio.create_task(self._next(left, ends, patience)) if left else None
                if records:
                    await self._applier.apply(records, self._ids, reads)
        finally:
            if coming:
                coming.cancel()

    async def _next(
        self, left: set[TopicPartition], ends: Mapping[TopicPartition, int], patience: Patience
    ) -> tuple[list[Record], list[Read]]:
        """Read while the batch before is written. What is at its end goes out of `left`."""
        batches = await self._reader.getmany(*left, timeout_ms=200, max_records=BATCH)
        records = [record_of(m) for messages in batches.values() for m in messages]
        patience.got(len(records))
        for place in list(left):
            if await self._reader.position(place) >= ends[place]:
                self._reader.pause(place)
                left.discard(place)
        return records, await self._applier.read(records)

    async def _behind(self) -> dict[TopicPartition, int]:
        """Partitions that hold more than PostgreSQL, or less, with its place in them."""
        at, ends = await self._applier.positions(self._ids), await self._ends()
        lag = dict.fromkeys(self._applier.view.topics, 0)
        for place, end in ends.items():
            lag[place.topic] += max(0, end - at.get(place, 0))
        for topic, records in lag.items():
            telemetry.lag.labels(self._applier.name, topic).set(records)
        return {place: at.get(place, 0) for place, end in ends.items() if at.get(place, 0) != end}

    async def _ends(self) -> dict[TopicPartition, int]:
        places = [place for topic in self._topics.values() for place in topic.places]
        return dict(await self._reader.end_offsets(places))


def reach(rt: Runtime) -> Reach:
    """The one of this process."""
    found: Reach = rt.state.setdefault("reach", Reach(rt))
    return found


async def settled(rt: Runtime) -> bool:
    try:
        return await reach(rt).settled()
    except KafkaError:
        return False


def _leaves_out(records: Sequence[Record], at: dict[TopicPartition, int]) -> bool:
    """Is there a record before or between these that PostgreSQL has not? Topics have no holes:
    nothing is compacted, and no transactions leave marks.
    """
    for record in records:
        place = TopicPartition(record.topic, record.partition)
        if record.offset > at.get(place, 0):
            return True
        at[place] = max(at.get(place, 0), record.offset + 1)
    return False


def _below(records: Sequence[Record], at: dict[TopicPartition, int]) -> set[TopicPartition]:
    """Partitions of records that stand below our place in them."""
    return {
        place
        for record in records
        if record.offset < at.get(place := TopicPartition(record.topic, record.partition), 0)
    }


async def _patiently(work: Callable[[], Awaitable[Done]]) -> Done:
    pause = 0.05
    while True:
        try:
            return await work()
        except Overtaken:
            await asyncio.sleep(0)
        except (KafkaError, *PASSING) as error:
            log.warning("stream.waits", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3)
