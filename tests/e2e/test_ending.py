"""A service that is asked to end does so, whatever it is waiting for."""

import asyncio
import signal
from uuid import uuid4

import asyncpg

from operate.control import ready
from tests.conftest import City

BLOCKED = """
select count(*) from pg_stat_activity where datname = 'metrics' and wait_event_type = 'Lock'"""
PATIENCE = 60


async def test_metrics_ends_though_the_database_does_not_answer_it(city: City) -> None:
    """In doubt is what it was applying; the next process gets it again."""
    db = await asyncpg.connect(city.stack.admin_database_url("metrics"))
    looking = await asyncpg.connect(city.stack.admin_database_url("metrics"))
    holding = db.transaction()
    await holding.start()
    await db.execute("lock table inbox in access exclusive mode")
    window = city.client("intake", "ikoma-city", "intake_worker")
    sheet = {"route": "family_visit", "people": []}
    opened = await window.post("/v1/cases", json=sheet, headers={"Idempotency-Key": str(uuid4())})
    assert opened.status_code == 201, opened.text
    before = city.stack.pid("metrics")
    async with asyncio.timeout(PATIENCE):
        while not await looking.fetchval(BLOCKED):
            await asyncio.sleep(0.05)
        city.stack.kill("metrics", signal.SIGTERM)
        while city.stack.pid("metrics") in (None, before):
            await asyncio.sleep(0.05)
    await holding.rollback()
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(ready, city.stack, "metrics"):
            await asyncio.sleep(0.05)
    await asyncio.gather(db.close(), looking.close())
    await city.settle()
