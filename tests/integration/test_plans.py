"""No statement of journal, relay, follower and keyring reads a table whole, however large that has grown."""

import re

import pytest

from shared import journal, keyring, timers, watch
from shared.follow import inbox, parked
from shared.relay import unsent
from tests.integration._kit import Kit

STATEMENTS = {
    "load": journal.LOAD,
    "repeat": journal.REPEAT,
    "pending": unsent.PENDING,
    "mark": unsent.MARK,
    "last": unsent.LAST,
    "above the end": unsent.ABOVE_END,
    "another topic": unsent.OTHER_TOPIC,
    "unpublished": watch.OLDEST,
    "timers due": timers.DUE,
    "timers that failed": watch.TIMERS,
    "known": inbox.KNOWN,
    "parked": parked.PARKED_OF,
    "keys": keyring.KEYS.format(table="data_key", ids=1),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_a_table_whole(spine: Kit, name: str) -> None:
    """Whatever statistics there are: of tables that have just grown there are none."""
    sql = STATEMENTS[name]
    nulls = ", ".join(["null"] * len(set(re.findall(r"\$[0-9]+", sql))))
    source = spine.keys if name == "keys" else spine.pool
    async with source.acquire() as db, db.transaction():
        await db.execute("set local plan_cache_mode to force_generic_plan")
        await db.execute(f"prepare asked as {sql}")
        rows = await db.fetch("explain execute asked" + (f" ({nulls})" if nulls else ""))
        await db.execute("deallocate asked")
    plan = "\n".join(row[0] for row in rows)
    assert "Index" in plan, plan
    assert "Seq Scan" not in plan, plan
