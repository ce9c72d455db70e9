"""Timers as rows, set and cancelled with the event that means it."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.db import Connection
from shared.deadline import Timer

SET_ALL = """
insert into timer (id, due, stream, command)
select * from unnest({}::text[], {}::timestamptz[], {}::text[], {}::jsonb[])
on conflict (id) do update set due = excluded.due, command = excluded.command,
  last_error = null, failures = 0, retry_at = null"""
CANCEL_ALL = "delete from timer where id = any($1::text[])"
CANCEL = "delete from timer where id = $1"


def columns(timers: Iterable[Timer]) -> tuple[Sequence[Any], ...]:
    """Ids to cancel, then the columns of those to set; of several with one id the last counts."""
    last = {timer.id: timer for timer in timers}
    due = [timer for timer in last.values() if timer.due is not None]
    return (
        [timer.id for timer in last.values() if timer.due is None],
        [timer.id for timer in due],
        [timer.due for timer in due],
        [timer.stream for timer in due],
        [timer.command for timer in due],
    )


async def plan(db: Connection, timers: Iterable[Timer]) -> None:
    cancelled, *rows = columns(timers)
    await db.execute(CANCEL_ALL, cancelled)
    await db.execute(SET_ALL.format("$1", "$2", "$3", "$4"), *rows)
