"""What views answers from its own journal, exact at every moment: which agencies, which streams."""

from collections.abc import Sequence
from uuid import UUID

from shared.contracts.intake import CaseOpened, LeadAccepted
from shared.contracts.views import DocumentChanged, RetractionConfirmed
from shared.runtime import Runtime

DISCLOSURES_OF = """
select stream from journal where key = any($1::text[]) and stream like 'disclosure/%' and version = 1
 order by stream"""
LEAD = "select data ->> 'lead' from kept where key = j.key and type = any($2) order by version desc limit 1"
UNCONFIRMED = f"""
select distinct j.stream from journal j
 where j.type = '{DocumentChanged.TYPE}'
   and (j.data ->> 'cause' = 'content_ended' or jsonb_array_length(j.data -> 'withdrawn') > 0)
   and not exists (select from journal c
                    where c.stream = j.stream and c.type = '{RetractionConfirmed.TYPE}'
                      and (c.data ->> 'document')::int >= (j.data ->> 'document')::int)
   and ({LEAD}) = $1 and j.stream > $3
 order by j.stream limit $4"""
ON_BROKER = """
select agency, case_id, sent_document from delivery where case_id = any($1::uuid[])"""
LEADS = [CaseOpened.TYPE, LeadAccepted.TYPE]


async def disclosures_of(rt: Runtime, cases: Sequence[UUID]) -> list[str]:
    """Streams of all agencies that ever held something of the cases."""
    rows = await rt.pool.fetch(DISCLOSURES_OF, [str(case) for case in cases])
    return [row["stream"] for row in rows]


async def unconfirmed(rt: Runtime, lead: str, after: str, limit: int) -> list[str]:
    """Streams with something not yet given back, of cases that this agency leads now."""
    rows = await rt.reads.fetch(UNCONFIRMED, lead, LEADS, after, limit)
    return [row["stream"] for row in rows]


async def on_broker(rt: Runtime, cases: Sequence[UUID]) -> dict[tuple[str, UUID], int]:
    """By agency and case the newest document that its topic has acknowledged."""
    rows = await rt.pool.fetch(ON_BROKER, cases)
    return {(row["agency"], row["case_id"]): row["sent_document"] for row in rows}
