"""What agencies have not given back yet, in counts; which it is, the journal tells."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.contracts import Recorded
from shared.contracts.views import DocumentChanged, RetractionConfirmed, RetractionOverdue
from shared.db import Connection
from shared.runtime import Runtime

from .domain.disclosure import retracts

TOLD = """
insert into retraction (agency, case_id, document, since) values ($1, $2, $3, $4)
on conflict do nothing"""
LATE = "update retraction set overdue = true where (agency, case_id, document) = ($1, $2, $3)"
BACK = "delete from retraction where (agency, case_id) = ($1, $2) and document <= $3"
COUNTS = """
select agency, count(*) as unconfirmed, count(*) filter (where overdue) as overdue, min(since) as since
  from retraction group by agency"""


class Owed(NamedTuple):
    """Documents of which the agency has not given back what they withdrew; the oldest `since`."""

    unconfirmed: int = 0
    overdue: int = 0
    since: datetime | None = None


async def fold(db: Connection, events: Sequence[Recorded]) -> None:
    for recorded in events:
        match event := recorded.event:
            case DocumentChanged(agency=agency, case=case, document=document) if retracts(event):
                await db.execute(TOLD, agency, case, document, recorded.envelope.at)
            case RetractionOverdue(agency=agency, case=case, document=document):
                await db.execute(LATE, agency, case, document)
            case RetractionConfirmed(agency=agency, case=case, document=document):
                await db.execute(BACK, agency, case, document)
            case _:
                pass


async def owed(rt: Runtime) -> dict[str, Owed]:
    """By agency, of those that owe anything."""
    rows = await rt.pool.fetch(COUNTS)
    return {row["agency"]: Owed(row["unconfirmed"], row["overdue"], row["since"]) for row in rows}
