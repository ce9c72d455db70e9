"""A service that is asked to end does so, whatever it is waiting for."""

import asyncio
import signal
from uuid import uuid4

import asyncpg

from operate.control import ready
from tests.conftest import City
from tests.integration._kit import until

BLOCKED = """
select count(*) from pg_stat_activity where datname = 'metrics' and wait_event_type = 'Lock'"""


async def test_metrics_ends_though_the_database_does_not_answer_it(city: City) -> None:
    """In doubt is what it was applying; the next process gets it again."""
    stack = city.stack
    db = await asyncpg.connect(stack.admin_database_url("metrics"))
    looking = await asyncpg.connect(stack.admin_database_url("metrics"))
    holding = db.transaction()
    await holding.start()
    await db.execute("lock table inbox in access exclusive mode")
    window = city.client("intake", "ikoma-city", "intake_worker")
    sheet, key = {"route": "family_visit", "people": []}, {"Idempotency-Key": str(uuid4())}
    opened = await window.post("/v1/cases", json=sheet, headers=key)
    assert opened.status_code == 201, opened.text
    before = stack.pid("metrics")

    async def blocked() -> bool:
        return bool(await looking.fetchval(BLOCKED))

    async def replaced() -> bool:
        return stack.pid("metrics") not in (None, before)

    async def answers() -> bool:
        return await asyncio.to_thread(ready, stack, "metrics")

    await until(blocked)
    stack.kill("metrics", signal.SIGTERM)
    await until(replaced, "metrics to end")
    await holding.rollback()
    await until(answers)
    await asyncio.gather(db.close(), looking.close())
    await city.settle()
