"""Timers as rows, set and cancelled in the transaction of the event that means it."""

from collections.abc import Iterable

from shared.db import Connection
from shared.deadline import Timer

SET = """
insert into timer (id, due, stream, command) values ($1, $2, $3, $4)
on conflict (id) do update set due = excluded.due, command = excluded.command"""
CANCEL = "delete from timer where id = $1"


async def plan(db: Connection, timers: Iterable[Timer]) -> None:
    for timer in timers:
        if timer.due is None:
            await db.execute(CANCEL, timer.id)
        else:
            await db.execute(SET, timer.id, timer.due, timer.stream, timer.command)
