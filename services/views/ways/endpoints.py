"""Endpoints of webhooks: taken from their events, and how each one fares."""

from typing import Any

from shared.contracts.views import (
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionResumed,
    WebhookRegistered,
    WebhookRemoved,
    WebhookRestarted,
)
from shared.db import Connection
from shared.runtime import Runtime

REGISTER = """
insert into webhook (agency, way, url) values ($1, $2, $3)
on conflict (agency) do update set way = excluded.way, url = excluded.url"""
FROM_START = """
with fresh as (
     update webhook set era = default, place = 0, failures = 0, trouble = null, troubled_since = null,
            retry_at = null, confirmed_at = null, leased_until = null
      where agency = $1 and way = $2 returning agency),
     untold as (delete from webhook_told t using fresh f where t.agency = f.agency)
delete from webhook_parked p using fresh f where p.agency = f.agency"""
REMOVE = "delete from webhook where agency = $1"
RESUME = """
update delivery d set place = null where agency = $1 and exists (select from webhook where agency = $1)
   and not exists (select from webhook_told t
                    where t.agency = $1 and t.case_id = d.case_id and t.document = d.document)"""
"""What was passed over during a pause takes another place."""
STATE = """
select w.*,
       case when trouble is null then 'closed' when retry_at > now() then 'open' else 'half_open' end
           as breaker,
       (select count(*) from delivery d where d.agency = w.agency
           and (d.place is null or d.place > case when f.era = w.era then w.place else 0 end)) as behind,
       (select coalesce(jsonb_agg(jsonb_build_object('handle', handle, 'document', document,
                                                     'reason', reason, 'at', at) order by at, handle),
                        '[]')
          from webhook_parked p where p.agency = w.agency) as parked
  from webhook w left join feed f using (agency)
 where $1::text is null or w.agency = $1 order by w.agency"""


async def fold(db: Connection, event: SubscriptionEvent) -> None:
    match event:
        case WebhookRegistered(agency=agency, way=way, url=url):
            await db.execute(REGISTER, agency, way, url)
            await db.execute(FROM_START, agency, way)
        case WebhookRestarted(agency=agency, way=way):
            await db.execute(FROM_START, agency, way)
        case WebhookRemoved(agency=agency) | SubscriptionEnded(agency=agency):
            await db.execute(REMOVE, agency)
        case SubscriptionResumed(agency=agency):
            await db.execute(RESUME, agency)
        case _:
            pass


async def states(rt: Runtime, agency: str | None = None) -> dict[str, dict[str, Any]]:
    """By agency; of all agencies if none is named."""
    return {row["agency"]: dict(row) for row in await rt.pool.fetch(STATE, agency)}
