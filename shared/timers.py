"""Timers fire as ordinary commands through the journal, when domain time has come."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from shared.clock import Clock
from shared.contracts import Event
from shared.db import PASSING, RACED, Connection
from shared.deadline import Fire
from shared.decider import Anything, Refused
from shared.journal import Addition, Context, Journal
from shared.kill import point
from shared.plan import CANCEL

FIRST_PAUSE, LONGEST_PAUSE = 15.0, 600.0
DUE = """
select * from timer where due <= $1 and (retry_at is null or retry_at <= now())
 order by due, id limit 1 for update skip locked"""
WAITING = "select exists (select from timer where due <= $1 and last_error is null)"
FAILED = f"""
update timer set last_error = $2, failures = failures + 1,
       retry_at = now() + least({FIRST_PAUSE} * 2 ^ least(failures, 10), {LONGEST_PAUSE}) * interval '1 s'
 where id = $1"""
RETRY = "update timer set retry_at = null where retry_at is not null"

log = structlog.get_logger()


class Timers:
    """Safe with replicas: a row is locked while it fires, and goes with its events."""

    def __init__(self, journal: Journal, clock: Clock, fire: Fire) -> None:
        self._journal, self._clock, self._fire = journal, clock, fire

    async def run(self, every: float = 1.0) -> None:
        """Never returns. Timers that could not fire are tried again first, as at every start."""
        retried = False
        while True:
            try:
                if not retried:
                    await self._journal.pool.execute(RETRY)
                    retried = True
                while await self.fire_one():
                    pass
            except PASSING as error:
                log.warning("timers.wait", error=type(error).__name__)
            await asyncio.sleep(every)

    async def waiting(self) -> bool:
        """Is anything due now?"""
        return bool(await self._journal.pool.fetchval(WAITING, self._clock.now()))

    async def fire_one(self) -> bool:
        """Fire the earliest due timer in one transaction; False if none is due.

        A command that is refused by now (the matter has ended) only removes its timer. One that
        can not be carried out keeps its timer, with the error, holds up no other, and is tried again after
        a pause that grows.
        """
        try:
            async with self._journal.pool.acquire() as db, db.transaction():
                row = await db.fetchrow(DUE, self._clock.now())
                if not row:
                    return False
                point("timers.taken")
                try:
                    async with db.transaction():
                        await self._carry_out(db, row)
                except (RACED, *PASSING):
                    raise
                except Exception as error:
                    log.exception("timer.failed", timer=row["id"])
                    await db.execute(FAILED, row["id"], type(error).__name__)
        except RACED:
            return True
        point("timers.committed")
        self._journal.announce()
        return True

    async def _carry_out(self, db: Connection, row: Any) -> None:
        due = self._fire(row["stream"], row["command"], row["due"])
        past = await self._journal.load(row["stream"], db)
        state = past.fold(due.decider)
        events = _decided(due.decider, state, due.command)
        await db.execute(CANCEL, row["id"])
        last = past.events[-1].envelope
        context = Context(
            actor="timer",
            agency=last.agency,
            at=self._clock.now(),
            occurred_at=row["due"],
            correlation=last.correlation,
            causation=last.id,
        )
        additions = [Addition(row["stream"], due.key, past.version, events, context)]
        others = due.also(state) if events else ()
        pasts = await self._journal.load_all([other.stream for other in others], db)
        for other, its in zip(others, pasts, strict=True):
            then = _decided(other.decider, its.fold(other.decider), other.command)
            additions.append(Addition(other.stream, other.key, its.version, then, context))
        await self._journal.append_all(db, additions)
        point("timers.fired")


def _decided(decider: Anything, state: Any, command: Any) -> Sequence[Event]:
    try:
        return decider.decide(state, command)
    except Refused:
        return ()
