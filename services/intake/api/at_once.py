"""A command in one transaction with what it asks of other streams: so it is still true when it is written."""

from collections.abc import Awaitable, Callable

from shared.db import Connection
from shared.http import Body, Call, Receipt
from shared.journal import LOST

WAITS = "set local lock_timeout = '2s'"


async def at_once(
    call: Call,
    body: Body,
    lock: str,
    write: Callable[[Connection], Awaitable[Receipt]],
    location: str | None = None,
) -> Receipt:
    """`lock`: a statement that keeps those out who could change what `write` asks, until it has committed.
    A race that is lost is run again. What is asked of the pool is asked before: it holds a connection.
    """
    journal = call.rt.journal
    while True:
        try:
            async with journal.pool.acquire() as db, db.transaction():
                await db.execute(f"{WAITS}; {lock}")
                if repeated := await journal.repeat(call.context(body.occurred_at), db):
                    return call.receipt(repeated, location)
                receipt = await write(db)
        except LOST:
            continue
        journal.announce()
        return receipt
