"""Sending again where an agency's receipt is missing for a day, or was for something else."""

import asyncio
from typing import Any

import structlog

from shared.db import PASSING
from shared.runtime import Runtime

LOOK_SECONDS = 10.0
RESEND = """
with due as (
     select d.* from subscription s, lateral (
            select agency, case_id from delivery
             where agency = s.agency and resend_at < now() and not ended
             order by resend_at limit 1000) d
      where exists (select from delivery o where o.agency = s.agency and o.receipt_at is not null))
update delivery d set edition = edition + 1, resend_at = null, retry_at = null
  from due where (d.agency, d.case_id) = (due.agency, due.case_id)
returning d.agency"""
"""As the next edition; only to agencies that give receipts: of the others nothing is looked through. Each
sending sets the next look.
"""

log = structlog.get_logger()


async def resend(rt: Runtime) -> int:
    """How many documents will be sent again."""
    rows = await rt.pool.fetch(RESEND)
    if rows:
        log.warning("documents.sent_again", agencies=sorted({row["agency"] for row in rows}))
        rt.wake()
    return len(rows)


async def resending(rt: Runtime) -> Any:
    """Never returns."""
    while True:
        try:
            await resend(rt)
        except PASSING as error:
            log.warning("resending.waits", error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)
