"""Follows the agency's topic and keeps its copy in sync: apply in one transaction, then commit."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agency.broker import consumer, record_of, slips
from agency.copy import Copy
from agency.credentials import Credentials
from agency.receipts import Receipts
from agency.sealed import Change, Record
from agency.taking import take

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
POLL_MS, TELL_SECONDS = 500, 1.0

log = logging.getLogger("agency")


class Subscriber:
    """One process follows one topic into one copy; `name` tells several copies of an agency apart.

    The place to go on from is the copy's own: the group's committed offset is for displays of lag.
    There is one partition, so it is assigned by hand and no other member is waited for.
    `on_change` is called after each commit to the copy with what was taken over, in order.
    """

    def __init__(
        self,
        credentials: Credentials,
        copy: Copy,
        *,
        name: str = "copy",
        receipts: Receipts | None = None,
        on_change: Callable[[Sequence[Change]], None] | None = None,
    ) -> None:
        self.copy = copy
        self.trouble: str | None = None  # why nothing is read just now
        self._credentials, self._receipts, self._on_change = credentials, receipts, on_change
        self._group = f"{credentials.group_prefix}{name}"
        self._place = TopicPartition(credentials.topic, 0)
        self._keys = credentials.keys()
        self._reader: AIOKafkaConsumer | None = None
        self._last_id: str | None = (
            None  # of the record before our place, until seen to be the same
        )
        self._next = 0
        self._told, self._told_at = 0, -TELL_SECONDS
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Trouble with the broker is waited out with a growing pause."""
        self._retry_refused()
        async with asyncio.TaskGroup() as group:
            if self._receipts:
                group.create_task(self._receipts.run(self.copy))
            group.create_task(self._follow())

    async def caught_up(self) -> None:
        """Returns when everything that the topic holds at this moment is in the copy."""
        while (reader := self._reader) is None:
            await self._wait()
        while True:
            with suppress(KafkaError):
                end = (await reader.end_offsets([self._place]))[self._place]
                break
            await self._wait()
            reader = self._reader or reader
        while self._next < end or self._last_id:
            await self._wait()

    async def _wait(self) -> None:
        self._moved.clear()
        with suppress(TimeoutError):  # wait_for may lose a cancellation that comes with the event
            async with asyncio.timeout(0.2):
                await self._moved.wait()

    async def _follow(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with slips():
                pause = await self._read(consumer(self._credentials, self._group), pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _read(self, reader: AIOKafkaConsumer, pause: float) -> float:
        """Until there is trouble; the pause after it, short again if something was read."""
        try:
            reader.assign([self._place])
            await reader.start()
            await self._seek(reader)
            self._reader = reader
            while True:
                found = await reader.getmany(self._place, timeout_ms=POLL_MS, max_records=500)
                self.trouble, pause = None, FIRST_PAUSE
                if records := [record_of(message) for message in found.get(self._place, ())]:
                    await self._take(reader, records)
                else:
                    await self._idle(reader)
                    await self._tell(reader)
                self._moved.set()
        except KafkaError as error:
            self.trouble = f"{type(error).__name__}: {error}"
            log.warning("waiting for the broker: %s", self.trouble)
            return pause
        finally:
            self._reader = None
            await reader.stop()

    async def _seek(self, reader: AIOKafkaConsumer) -> None:
        """One record back: if that is no longer the one we took last, the topic was made anew or
        compacted in between, and we read it from its start. It is state, so that costs time only.
        """
        kept = self.copy.position(self._place.topic)
        ends = await reader.end_offsets([self._place])
        if kept and kept.last_id and 0 < kept.next <= ends[self._place]:
            self._last_id, self._next = kept.last_id, kept.next - 1
            reader.seek(self._place, self._next)
        else:
            await self._restart(reader)

    async def _restart(self, reader: AIOKafkaConsumer) -> None:
        self.copy.restart(self._place.topic)
        self._last_id, self._next = None, 0
        await reader.seek_to_beginning(self._place)

    async def _idle(self, reader: AIOKafkaConsumer) -> None:
        position = await reader.position(self._place)
        if self._last_id and position > self._next:  # the record that we look for is compacted away
            await self._restart(reader)
        else:
            self._next = position

    async def _take(self, reader: AIOKafkaConsumer, records: list[Record]) -> None:
        first = records[0]
        if self._last_id:
            if (first.offset, first.header("ce_id")) != (self._next, self._last_id):
                return await self._restart(reader)
            self._last_id = None
        elif first.offset < self._next:  # the topic was made anew while we were reading it
            self.copy.restart(self._place.topic)
        self._apply(records)
        self._next = records[-1].offset + 1
        await self._tell(reader)
        return None

    async def _tell(self, reader: AIOKafkaConsumer) -> None:
        """The broker how far this copy is, at most once a second: it costs as much as a record."""
        now = time.monotonic()
        if self._told == self._next or now - self._told_at < TELL_SECONDS:
            return
        self._told, self._told_at = self._next, now
        try:
            await reader.commit({self._place: self._next})
        except KafkaError as error:
            log.info("the place was not committed to the broker: %s", error)

    def _apply(self, records: list[Record], *, move: bool = True) -> None:
        taken = take(
            self.copy, records, self._keys, self._place.topic,
            move=move, owe=self._receipts is not None,
        )  # fmt: skip
        if taken and self._receipts:
            self._receipts.wake()
        if taken and self._on_change:
            try:
                self._on_change(taken)
            except Exception:
                log.exception("the agency's own on_change failed; the copy goes on")

    def _retry_refused(self) -> None:
        """What was kept aside may open now, with the right key or a newer kit."""
        refused = [refusal.record for refusal in self.copy.refused(self._place.topic)]
        if refused:
            self._apply(refused, move=False)
