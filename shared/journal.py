"""The journal: load, decide, append. The only writer of events."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import structlog
from pydantic_core import to_json

from shared.contracts import Envelope, Event, Recorded
from shared.db import PASSING, Connection, Pool, by_column, lines, unfolded
from shared.deadline import Plan, Timer, no_plan
from shared.decider import Anything, Refused
from shared.ids import uuid7
from shared.kill import point
from shared.plan import SET_ALL, columns, plan
from shared.sealing import COLUMNS, ROWS, Codec, ErasedKey, Poison, envelope_of, stored
from shared.telemetry import damaged
from shared.together import Together

LARGEST_EVENT = 900_000
"""Bytes of a wire form; the broker takes 1 MiB. Larger is refused here, or it would block the relay."""

LOAD = "select * from journal where stream = any($1::text[]) order by stream, version"
WRITTEN = f"written as (insert into journal {COLUMNS}{ROWS} returning seq)"
UNSENT = "insert into unsent select seq from written"
"""Each event is on its way to the topic from the moment that it is there."""
APPEND = f"with {WRITTEN} {UNSENT}"
WRITE = f"""
with {{}} remembered as (
         insert into command (id, digest, stream, version, created)
         {unfolded(("bytea", "bytea", "text", "int", "bool"), 15)}),
     cancelled as (delete from timer where id = any($20::text[])),
     set_ as ({SET_ALL.format("$21", "$22", "$23", "$24")}),
     {WRITTEN}
{UNSENT}"""
"""One statement: one round trip, all or nothing without a transaction around it."""
REPEAT = "select digest, stream, version, created from command where id = $1"
RECALL = """
insert into command (id, digest, stream, version, created) values ($1, $2, $3, $4, $5)
on conflict (id) do update set version = greatest(command.version, excluded.version)"""
NO_DIGEST = b""
"""Of a command that is known from its events alone: no body is refused under its key."""
COMMAND = 8
"""Version of the UUIDs that name commands; those of events have another."""
LOST = (asyncpg.UniqueViolationError, asyncpg.TransactionRollbackError)
"""Somebody else was first."""
log = structlog.get_logger()


class Stale(Exception):
    """The stream is at another version than the caller expected (412)."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the stream is at version {version}")
        self.version = version


class KeyReused(Exception):
    """An Idempotency-Key came again with another body (422)."""


class TooLarge(Exception):
    """The event would not fit the broker (422)."""


class Behind(Exception):
    """The topic may hold events that this journal has lost: it takes them back first (503)."""


class Damaged(Exception):
    """A stored event of this stream cannot be read: an operator has to look (503)."""


FINAL = (Stale, Refused, Damaged, ErasedKey, TooLarge)
"""Answers to a new command; to one that had been carried out, what it did then is the answer."""


@dataclass(frozen=True)
class Context:
    """Who acts, when it happened, and what makes a repeat recognisable: `command` is a UUIDv8."""

    actor: str
    agency: str
    at: datetime
    occurred_at: datetime
    correlation: UUID = field(default_factory=uuid7)
    basis: str | None = None
    causation: UUID | None = None
    traceparent: str | None = None
    command: UUID | None = None
    digest: bytes = b""


@dataclass(frozen=True)
class Past:
    version: int
    events: list[Recorded]

    def fold(self, decider: Anything) -> Any:
        return decider.fold(recorded.event for recorded in self.events)


Born = tuple[str, str, Sequence[Event]]
"""A new stream: its name, its key, what it begins with."""
NEW = Past(0, [])
"""Of a stream that was just given its name."""


@dataclass(frozen=True)
class Written:
    """Where a command ended. `repeated`: it had been carried out before, nothing was written."""

    stream: str
    version: int
    created: bool
    repeated: bool = False


@dataclass(frozen=True)
class Addition:
    """Events that follow `version` on one stream."""

    stream: str
    key: str
    version: int
    events: Sequence[Event]
    context: Context

    def drafts(self) -> list[tuple[Event, Envelope]]:
        context = self.context
        return [
            (
                event,
                Envelope(
                    id=uuid7(),
                    stream=self.stream,
                    version=self.version + n,
                    key=self.key,
                    type=event.TYPE,
                    at=context.at,
                    occurred_at=context.occurred_at,
                    actor=context.actor,
                    agency=context.agency,
                    basis=context.basis,
                    correlation=context.correlation,
                    causation=context.causation or context.command,
                    traceparent=context.traceparent,
                ),
            )
            for n, event in enumerate(self.events, 1)
        ]


class Beside(NamedTuple):
    """What changes with an append, in the same round trip: a `name as (statement),` whose parameters,
    `values`, begin at $25.
    """

    statement: str = ""
    values: Sequence[Any] = ()


ALONE = Beside()
WRITE_ALONE = WRITE.format("")


class _Write(NamedTuple):
    """`wires` as JSON; `remembered`: a row of `command`, or none."""

    envelopes: Sequence[Envelope]
    wires: Sequence[bytes]
    timers: Sequence[Timer]
    remembered: Sequence[tuple[Any, ...]]


class Journal:
    """One service's journal. `written` is called after each commit (it wakes the relay); `plan`
    says which timers an event sets or cancels, in the same transaction. While it is `behind`, it
    writes nothing: a version that it has lost must not be given again.
    """

    behind = False

    def __init__(
        self, pool: Pool, codec: Codec, written: Callable[[], None], plan: Plan = no_plan
    ) -> None:
        self.pool, self.codec, self._written, self._plan = pool, codec, written, plan
        self._loads = Together(self._pasts)
        self._writes = Together(self._write_some)

    async def load(self, stream: str, db: Connection | None = None) -> Past:
        """All events of a stream, opened, in order; version 0 if there are none. Raises Damaged."""
        if db is None:
            return await self._loads(stream)
        (past,) = await self.load_all([stream], db)
        return past

    async def load_all(self, streams: Sequence[str], db: Connection | Pool) -> list[Past]:
        """The same for several, in their order; in the caller's transaction, if that is a connection."""
        found: list[Past] = []
        for past in await self._pasts(streams, db) if streams else ():
            if isinstance(past, Damaged):
                raise past
            found.append(past)
        return found

    async def loads(self, streams: Sequence[str]) -> list[Past]:
        """The same of several streams."""
        return await asyncio.gather(*[self._loads.ask(stream) for stream in streams])

    async def _pasts(
        self, streams: Sequence[str], db: Connection | Pool | None = None
    ) -> list[Past | Damaged]:
        return await self.opened(streams, await (db or self.pool).fetch(LOAD, list(set(streams))))

    async def opened(self, streams: Sequence[str], rows: Sequence[Any]) -> list[Past | Damaged]:
        """Rows of the journal, in order, as the streams that they are."""
        opened = await self.codec.open((envelope_of(row), row["data"]) for row in rows)
        of: dict[str, list[tuple[int, Recorded | Poison]]] = {stream: [] for stream in streams}
        for row, one in zip(rows, opened, strict=True):
            of[row["stream"]].append((row["version"], one))
        return [_past(stream, of[stream]) for stream in streams]

    async def repeat(self, context: Context, db: Connection | None = None) -> Written | None:
        """What an earlier command with the same key did. Raises KeyReused for another body."""
        row = context.command and await (db or self.pool).fetchrow(REPEAT, context.command.bytes)
        if not row:
            return None
        if row["digest"] not in (context.digest, NO_DIGEST):
            raise KeyReused
        return Written(row["stream"], row["version"], row["created"], repeated=True)

    async def handle(
        self,
        decider: Anything,
        stream: str,
        key: str,
        command: Any,
        context: Context,
        expected: int | None = None,
        past: Past | None = None,
        guarded: Callable[[Past], int] = lambda past: past.version,
        born: Sequence[Born] = (),
        beside: Beside = ALONE,
        db: Connection | None = None,
    ) -> Written:
        """Decide on the stream as it is and append. Losing a race is tried again silently,
        unless the caller named the version that it had seen. A command key that is taken already
        answers as `repeat` does. `past`: the stream, if it was loaded for this command already.
        `guarded`: the version that `expected` speaks of, where it is not the stream's last. `born`:
        streams that begin with this command, or not at all. `beside`: what changes with it, or not at all.
        `db`: the caller's own transaction; a race that is lost in it is raised, and `announce` is his.

        Raises Refused, Stale, KeyReused, TooLarge, ErasedKey, Behind.
        """
        while True:
            try:
                past = past or await self.load(stream, db)
                if expected not in (None, seen := guarded(past)):
                    raise Stale(seen)
                events = decider.decide(past.fold(decider), command)
                written = Written(stream, past.version + len(events), past.version == 0)
                addition = Addition(stream, key, past.version, events, context)
                others = [
                    Addition(name, of, 0, first, replace(context, command=None))
                    for name, of, first in born
                ]
                point("journal.decided")
                await self.append_all(db or self.pool, [addition, *others], written, beside)
            except (*LOST, *FINAL) as error:
                if db and isinstance(error, LOST):
                    raise
                if repeated := await self.repeat(context, db):
                    return repeated
                if isinstance(error, LOST):
                    past = None
                    continue
                raise
            if db is None:
                point("journal.committed")
                self._written()
            return written

    async def append(
        self,
        db: Connection,
        stream: str,
        key: str,
        version: int,
        events: Sequence[Event],
        context: Context,
    ) -> list[Envelope]:
        """Write events after `version` in the caller's transaction.

        Raises UniqueViolationError when somebody else was first, and Behind.
        """
        return await self.append_all(db, [Addition(stream, key, version, events, context)])

    async def append_all(
        self,
        db: Connection | Pool,
        additions: Sequence[Addition],
        command: Written | None = None,
        beside: Beside = ALONE,
    ) -> list[Envelope]:
        """The same for several streams at once, with their timers: all of them, or none. `command`:
        where the command of the first addition ends, to be remembered.
        """
        drafts = [draft for addition in additions for draft in addition.drafts()]
        context = additions[0].context if command else None
        if not drafts and not (context and context.command):
            return []
        if self.behind:
            raise Behind
        wires = [to_json(wire) for wire in await self.codec.seal(drafts)]
        if any(len(wire) > LARGEST_EVENT for wire in wires):
            raise TooLarge
        envelopes = [envelope for _, envelope in drafts]
        timers = [timer for draft in drafts for timer in self._plan(*draft)]
        remembered = []
        if command and context and context.command:
            name, digest = (rf"\x{told.hex()}" for told in (context.command.bytes, context.digest))
            remembered.append((name, digest, command.stream, command.version, command.created))
        write = _Write(envelopes, wires, timers, remembered)
        if db is self.pool and beside is ALONE:
            await self._writes(write)
        else:
            await self._write(db, [write], beside)
        return envelopes

    async def _write_some(self, writes: Sequence[_Write]) -> Sequence[Exception | None]:
        """All or none of them; if one is refused, each for itself: what is written then stays written,
        whatever becomes of the others.
        """
        try:
            await self._write(self.pool, writes)
            return [None] * len(writes)
        except Exception as error:
            if len(writes) == 1 or isinstance(error, PASSING):
                raise
        return [await self._refusal(write) for write in writes]

    async def _refusal(self, write: _Write) -> Exception | None:
        """None: it is written."""
        try:
            await self._write(self.pool, [write])
        except Exception as error:
            return error
        return None

    @staticmethod
    async def _write(
        db: Connection | Pool, writes: Sequence[_Write], beside: Beside = ALONE
    ) -> None:
        await db.execute(
            WRITE_ALONE if beside is ALONE else WRITE.format(beside.statement),
            *stored(
                [envelope for write in writes for envelope in write.envelopes],
                [wire for write in writes for wire in write.wires],
            ),
            *map(lines, by_column([row for write in writes for row in write.remembered], 5)),
            *columns([timer for write in writes for timer in write.timers]),
            *beside.values,
        )

    @staticmethod
    async def insert(
        db: Connection, envelopes: Sequence[Envelope], wires: Sequence[dict[str, Any]]
    ) -> None:
        await db.execute(APPEND, *stored(envelopes, [to_json(wire) for wire in wires]))

    async def took(self, db: Connection, taken: Sequence[tuple[Envelope, dict[str, Any]]]) -> None:
        """Set the timers of events that were taken back from the topic, in their order, and remember
        the commands that they came from.
        """
        commands = [
            (e.causation.bytes, NO_DIGEST, e.stream, e.version, e.version == 1)
            for e, _ in taken
            if e.causation and e.causation.version == COMMAND
        ]
        await db.executemany(RECALL, commands)
        for opened in await self.codec.open(taken):
            if isinstance(opened, Recorded):
                await plan(db, self._plan(opened.event, opened.envelope))

    def announce(self) -> None:
        """Call after committing a transaction that used `append`."""
        self._written()


def _past(stream: str, events: Sequence[tuple[int, Recorded | Poison]]) -> Past | Damaged:
    if events and events[-1][0] != len(events):
        return _damaged(stream, "a version is missing")
    for _, one in events:
        if isinstance(one, Poison):
            return _damaged(stream, str(one))
    return Past(len(events), [one for _, one in events if isinstance(one, Recorded)])


def _damaged(stream: str, cause: str) -> Damaged:
    damaged.inc()
    log.error("stream.damaged", stream=stream, cause=cause)
    return Damaged(f"{stream}: {cause}")
