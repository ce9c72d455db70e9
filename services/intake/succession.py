"""Cases whose lead worked under a programme that another body runs now: it is to take them over (L2, L9)."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.auth import Principal
from shared.blocks import NOT_BLOCKED
from shared.directory import Offices
from shared.offices import the_offices, what_is_mine
from shared.runtime import Runtime

NO_LEAD = f"""
select c.id, c.lead, c.led_by, c.led_at
  from jsonb_to_recordset($3::jsonb) as went (agency text, person text,
       since timestamptz, until timestamptz, keeper text)
  join cases c on c.lead = went.agency and c.led_by = went.person
              and went.since <= c.led_at and c.led_at < went.until
 where went.keeper = $1 and c.status = 'open'
   and {NOT_BLOCKED.format(agency="$1", staff="$2", case="c.id")}"""
MOST = 500


class Waiting(NamedTuple):
    """`since`: from when on nobody leads it."""

    case: UUID
    former: str
    programme: str
    since: datetime


async def waiting(rt: Runtime, who: Principal) -> list[Waiting]:
    """For his agency, the longest without a lead first."""
    known, now = await the_offices(rt), rt.clock.now()
    mine = await what_is_mine(rt, who.agency)
    rows = await rt.reads.fetch(NO_LEAD, who.agency, who.subject, mine.passed)
    found = [
        Waiting(row["id"], row["lead"], programme, _over(known, programme, row["lead"], now))
        for row in rows
        if (programme := known.programme_of(row["lead"], row["led_by"], row["led_at"]))
    ]
    return sorted(found, key=lambda one: (one.since, one.case))[:MOST]


def _over(known: Offices, programme: str, former: str, now: datetime) -> datetime:
    """When the last contract of the former body was over."""
    return max(c.ends for c in known.contracts[programme] if c.agency == former and c.ends <= now)
