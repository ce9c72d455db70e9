"""A batch, applied in one transaction: inbox, projection, reactions, parking, positions."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import structlog

from shared import telemetry, views
from shared.contracts import Recorded
from shared.db import PASSING, RACED, Connection, Pool
from shared.kept import FEW, keep, line, together
from shared.kill import point
from shared.sealing import Codec
from shared.settings import Limits
from shared.views import Asked, View

from . import inbox, parked, reading
from .begun import Begun
from .inbox import Overtaken, Spans
from .limits import Tolerance, TooMuchInvalid
from .place import Places, places
from .record import GAP, Outcome, Read, Record, Taken
from .standing import Standing

TOGETHER = 200
"""Parked streams that are tried again in one transaction."""

log = structlog.get_logger()


class _Refused(Exception):
    """The view refused something in a batch."""


class _First(NamedTuple):
    """What goes with the statement that takes a batch as a whole: lines to keep, a question. And the lines
    that are kept after it.
    """

    kept: str
    asked: Asked | None
    later: Sequence[bytes]


ALL_LATER = _First("", None, ())


class Applier(Standing):
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
        super().__init__(view, number, pool)
        self._codec, self.promoted, self._reacted = codec, promoted, reacted
        self._tolerance = Tolerance(limits or Limits())
        self._due: set[str] = set()
        self.begun = Begun(pool)

    async def start(self) -> None:
        """Replay what was parked: the usual cause heals itself at the next deployment."""
        streams = await parked.streams_of(self._pool, self.name)
        for n in range(0, len(streams), TOGETHER):
            await self.replay(streams[n : n + TOGETHER])

    async def read(self, records: Sequence[Record]) -> list[Read]:
        """Each as what it is, or the Poison that it is. Raises errors of the keyring."""
        return await reading.read(self._codec, self.view, records)

    async def opened(self, taken: Sequence[Taken], *, again: bool = False) -> list[Read]:
        """Events of a journal, for `fold`. `again`: they were applied before, and their seals checked."""
        shut = again and self.view.sealed == "checked"
        rows = [(envelope, wire) for _, envelope, wire in taken]
        events = await self._codec.open(rows, shut=shut, only=self.view.opens)
        return [
            Read(record, envelope.stream, envelope.version, event)
            for (record, envelope, _), event in zip(taken, events, strict=True)
        ]

    async def apply(
        self,
        records: Sequence[Record],
        topics: Mapping[str, str],
        ahead: Sequence[Read] | None = None,
    ) -> list[Record]:
        """One batch, one transaction.

        `topics`: id of each topic. `ahead`: the records as `read` gave them a moment ago. Raises
        PASSING errors and Overtaken; call again with the same. Returns what was new: applied or
        parked here for the first time. With too much invalid it keeps nothing of the batch and
        never returns: see `stopped`.
        """
        reads = ahead or await self.read(records)
        place = places(records, topics)
        try:
            try:
                outcome = await self._transact(reads, place, inbox.spans(reads))
            except _Refused:
                outcome = await self._transact(reads, place, None)
        except TooMuchInvalid as limit:
            await self._stand_still(str(limit))
        point("follow.committed")
        for stream in sorted(self._due):  # kept until it is done, whatever ends this call
            await self.replay([stream])
            self._due.discard(stream)
        told = any(isinstance(read.event, Recorded) for read in outcome.fresh)
        if told and self.promoted and self.view.react is not views.nothing:
            self._reacted()
        self.beat()
        return outcome.new

    async def fold(self, db: Connection, reads: Sequence[Read]) -> Outcome:
        """Apply to our number in the caller's transaction, whose search_path is that number's."""
        return await self._apply(db, reads, await inbox.known(db, self.name, reads))

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
        await db.fetch(inbox.KNOWN, self.name, told)  # as `apply` does: first inbox, then parked
        records = await parked.records_of(db, self.name, told, None in streams)
        reads = await self.read(records)
        reads.sort(key=lambda read: read.version)
        outcome = await self._apply(db, reads, await inbox.known(db, self.name, reads))
        stay = {read.record.place for read, _ in outcome.parked}
        gone = [record for record in records if record.place not in stay]
        await parked.unpark(db, self.name, gone)
        return outcome

    async def enter(self, db: Connection) -> None:
        """Work on the promoted number, whichever that is by now, until the transaction ends."""
        self.number = await views.enter(db)

    async def _transact(self, reads: Sequence[Read], place: Places, whole: Spans | None) -> Outcome:
        """`whole`: what the batch is if it is the next of all its streams, as nearly always; then it
        is applied as a whole. Else what comes too early or again is told from what is next.
        """
        streams = sorted(whole or {read.stream for read in reads if read.stream})
        first = self._first(reads) if whole else ALL_LATER
        name, folds = self.view.name, self.view.react is views.nothing
        async with self.begun.transaction() as db:
            try:
                rows = await inbox.take(db, name, place, streams, whole, *first[:2], folds)
            except (Overtaken, *PASSING):
                raise
            except Exception as error:
                raise (_Refused if whole else error) from error
            taken = rows[0]
            self.number = taken["live"]
            if taken["advanced"]:
                outcome = await self._whole(db, reads, first, rows)
                waiting = taken["parked"] or []
            else:
                outcome = await self._apply(db, reads, taken["known"])
                fresh = sorted({read.stream for read in outcome.fresh if read.stream})
                waiting = await parked.among(db, self.name, fresh)
            invalid = await self._tolerance.bears(db, self.name, outcome)
            self._due.update(waiting)
            point("follow.applied")
        self._tolerance.kept(invalid)
        return outcome

    def _first(self, reads: Sequence[Read]) -> _First:
        lines, events = self._lines(reads), _events(reads)
        few = len(lines) <= FEW
        asked = None
        if few and events and self.promoted:  # nothing is answered by what is kept later
            asked = self.view.asks(events, self.live)
        return _First(together(lines) if few else "", asked, [] if few else lines)

    async def _whole(
        self, db: Connection, reads: Sequence[Read], first: _First, rows: Sequence[Any]
    ) -> Outcome:
        try:
            await self._effects(db, _events(reads), first.later, rows if first.asked else None)
        except (Overtaken, *PASSING):
            raise
        except Exception as error:
            raise _Refused from error
        telemetry.applied.labels(self.name).inc(len(reads))
        return Outcome([read.record for read in reads], list(reads), [])

    async def _apply(
        self, db: Connection, reads: Sequence[Read], known: Mapping[str, int]
    ) -> Outcome:
        ready, wait = inbox.told_apart(reads, known, self._again)
        try:
            async with db.transaction():
                await self._take(db, ready, known)
        except (Overtaken, *PASSING):
            raise
        except Exception:
            ready = await self._one_by_one(db, ready, wait)
        telemetry.applied.labels(self.name).inc(len(ready))
        streams = known.keys() | {read.stream for read in ready if read.stream}
        first = await parked.park(db, self.name, wait, streams)
        return Outcome([*[read.record for read in ready], *first], ready, wait)

    def _again(self) -> None:
        telemetry.duplicates.labels(self.name).inc()

    async def _one_by_one(
        self, db: Connection, ready: Sequence[Read], wait: list[tuple[Read, str]]
    ) -> list[Read]:
        """The projection refused something in the batch: find it, park it, keep the rest."""
        done: list[Read] = []
        refused: dict[str, int] = {}
        for read in ready:
            stream, version = str(read.stream), read.version
            if stream in refused:
                wait.append((read, f"{GAP}: version {refused[stream]} is missing"))
                continue
            try:
                async with db.transaction():
                    await self._take(db, [read], {stream: version - 1})
                done.append(read)
            except (Overtaken, *PASSING):
                raise
            except Exception as error:
                refused[stream] = version
                log.exception("event.refused", view=self.name, type=_type(read))
                wait.append((read, f"the view refused it: {type(error).__name__}"))
        return done

    async def _take(self, db: Connection, reads: Sequence[Read], known: Mapping[str, int]) -> None:
        if not reads:
            return
        await inbox.advance(db, self.name, reads, known)
        await self._effects(db, _events(reads), self._lines(reads))

    def _lines(self, reads: Iterable[Read]) -> list[bytes]:
        return [
            told or line(event.envelope, event.wire)
            for _, _, _, event, told in reads
            if isinstance(event, Recorded) and event.envelope.type in self.view.kept
        ]

    async def _effects(
        self,
        db: Connection,
        events: Sequence[Recorded],
        lines: Sequence[bytes],
        answer: Sequence[Any] | None = None,
    ) -> None:
        """`answer`: to what the view asks, if it was asked with the statement that took these events."""
        if not events:
            return
        view = self.view
        await keep(db, lines)
        await view.fold(db, events, touched=answer is not None)
        if self.promoted:
            try:
                if answer is None:
                    await view.react(db, events, self.live)
                else:
                    await view.answered(db, events, answer)
            except RACED as race:
                raise Overtaken from race

    async def _stand_still(self, reason: str) -> NoReturn:
        """What was not applied stays on the topic, and is read again by the next process."""
        self.stopped, self.live = reason, False
        self.beat()
        log.critical("follower.stopped", view=self.name, reason=reason)
        while True:
            await asyncio.Event().wait()


def _events(reads: Iterable[Read]) -> list[Recorded]:
    return [read.event for read in reads if isinstance(read.event, Recorded)]


def _type(read: Read) -> str | None:
    return read.event.envelope.type if isinstance(read.event, Recorded) else None
