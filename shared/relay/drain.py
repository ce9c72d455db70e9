"""An outbox emptied: while the broker has one batch, the last is marked and the next is read."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.errors import UnknownTopicOrPartitionError

from shared.broker import KafkaError, Message
from shared.db import Connection
from shared.kill import point
from shared.relay.batches import Batch, Batches
from shared.relay.outbox import Ack, Outbox
from shared.relay.topics import Topics
from shared.relay.turn import Turn
from shared.telemetry import published


class _Sending(NamedTuple):
    """A batch that the producer has. `whole`: nothing in it was refused or held back."""

    batches: Batches
    everything: asyncio.Future[Sequence[Batch]]
    whole: bool


class Drain:
    """Of one relay in one turn. Marks go over the session that has the lock, reading ahead over `reads`.
    `alone`: the broker refused several together, and each is sent by itself to see which of them.
    `sent`: events since the turn began.
    """

    def __init__(
        self,
        outbox: Outbox,
        turn: Turn,
        topics: Topics,
        reads: Connection,
        sender: Any,
        alone: bool,
    ) -> None:
        self._outbox, self._turn, self._topics = outbox, turn, topics
        self._reads, self._sender = reads, sender
        self.alone = alone
        self.sent = 0

    async def some(self) -> bool:
        """Send for as long as the batches are full. False if it was all there was when the last was read."""
        self._turn.answered()
        batch, done = await self._outbox.pending(self._turn.db), list[Ack]()
        whole, full = True, False
        while batch and whole:  # or what was read may come after what was not sent
            full = len(batch) >= self._outbox.batch
            sending = await self._hand_over(batch)
            batch = await self._next(sending if full else None, done)
            done, whole = await self._acknowledged(sending)
        await self._mark(done)
        return full or not whole

    async def _next(
        self, sending: _Sending | None, done: Sequence[Ack]
    ) -> Sequence[tuple[Any, Message]]:
        """While the broker has this one, the one before is marked; and the next read, if there is one."""
        if sending is None or not sending.batches.tokens:
            await self._mark(done)
            return []
        tokens = [*sending.batches.tokens, *[token for ack in done for token in ack.tokens]]
        reading = asyncio.ensure_future(self._outbox.pending(self._reads, tokens))
        try:
            await self._mark(done)
            await self._turn.ping_until(reading)
            return reading.result()
        finally:
            reading.cancel()

    async def _hand_over(self, batch: Sequence[tuple[Any, Message]]) -> _Sending:
        held: set[tuple[str, bytes]] = set()
        await self._topics.learn({message.topic for _, message in batch})
        batches = Batches(self._sender, alone=self.alone)
        for token, message in batch:
            if held and (message.topic, message.key) in held:
                continue  # what comes after a held one waits for the next batch, or with it
            try:
                if message.topic not in self._topics.ids:
                    raise UnknownTopicOrPartitionError
                if message.topic not in batches.places:
                    await batches.reach(message.topic)
                batches.add(token, message)
            except KafkaError as error:
                if not await self._outbox.refuse(self._turn.db, token, error):
                    raise
                held.add((message.topic, message.key))
        await batches.send(self._turn.still_ours)
        point("relay.sending")
        return _Sending(batches, asyncio.ensure_future(batches.done()), not held)

    async def _acknowledged(self, sending: _Sending) -> tuple[list[Ack], bool]:
        """What the broker has; and was it everything, at new offsets?"""
        await self._turn.ping_until(sending.everything)
        self.alone = sending.batches.refused_together
        acks: list[Ack] = []
        trouble: KafkaError | None = None
        for batch in sending.everything.result():
            if batch.error is None:
                topic, partition = batch.place
                id = self._topics.ids[topic]
                acks.append(Ack(batch.tokens, topic, id, partition, batch.offset))
            elif not isinstance(batch.error, KafkaError):
                raise batch.error
            else:
                for token in batch.tokens:
                    if self.alone or not await self._outbox.refuse(
                        self._turn.db, token, batch.error
                    ):
                        trouble = batch.error
        point("relay.sent")
        lost = await self._topics.grown(acks)
        if trouble:
            await self._mark(acks)
            raise trouble
        sent = sum([len(ack.tokens) for ack in acks])
        return acks, sending.whole and not lost and sent == len(sending.batches.tokens)

    async def _mark(self, acks: Sequence[Ack]) -> None:
        if acks:
            await self._outbox.mark(self._turn.db, acks)
            sent = sum([len(ack.tokens) for ack in acks])
            self.sent += sent
            published.labels(self._topics.name).inc(sent)
            point("relay.marked")
