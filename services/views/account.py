"""What views answers from its own journal, exact at every moment: which agencies, which streams."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import Recorded
from shared.contracts.intake import CaseOpened, LeadAccepted, PersonJoined
from shared.contracts.views import (
    DocumentChanged,
    ProvisionRecorded,
    ReadingRecorded,
    ReceiptRecorded,
    ReceiptRefused,
    RetractionConfirmed,
    RetractionOverdue,
)
from shared.db import Connection, by_column
from shared.runtime import Runtime

DISCLOSURES_OF = """
select stream from journal where key = any($1::text[]) and stream like 'disclosure/%' and version = 1
 order by stream"""
PROVISIONS_OF = """
select stream from journal where key = $1 and stream like 'provision/%' and version = 1 order by seq"""
CASES_OF = f"""
select distinct key from kept where type = '{PersonJoined.TYPE}' and data ->> 'person' = any($1::text[])
 order by key"""
LEAD_OF = """
select data ->> 'lead' from kept where key = j.key and type = any({}) order by version desc limit 1"""
LEAD = LEAD_OF.format("$2")
CONFIRMED = f"""
exists (select from journal c where c.stream = j.stream and c.type = '{RetractionConfirmed.TYPE}'
           and (c.data ->> 'document')::int >= (j.data ->> 'document')::int)"""
RETRACTIONS = f"""
select stream, document from (
     select j.stream, (j.data ->> 'document')::int as document,
            case when {CONFIRMED} then 'confirmed'
                 when exists (select from journal c where c.stream = j.stream
                         and c.type = '{RetractionOverdue.TYPE}'
                         and c.data ->> 'document' = j.data ->> 'document')
                 then 'overdue'
                 when greatest(d.sent_document, t.document) >= (j.data ->> 'document')::int
                   or exists (select from journal c where c.stream = j.stream
                         and c.type in ('{ReceiptRecorded.TYPE}', '{ReadingRecorded.TYPE}')
                         and (c.data ->> 'document')::int >= (j.data ->> 'document')::int)
                 then 'delivered' else 'told' end as state
       from journal j
       left join delivery d on (d.agency, d.case_id) = (j.data ->> 'agency', (j.data ->> 'case')::uuid)
       left join webhook_told t on (t.agency, t.case_id) = (d.agency, d.case_id)
      where j.type = '{DocumentChanged.TYPE}'
        and (j.data ->> 'cause' = 'content_ended' or jsonb_array_length(j.data -> 'withdrawn') > 0)
        and j.stream >= $1 and (j.stream, (j.data ->> 'document')::int) > ($1, $2)
        and {{of}}) found
 where coalesce(state = $4, true) order by stream, document limit $3"""
OF_LED = RETRACTIONS.format(
    of=f"not {CONFIRMED} and ({LEAD_OF.format('$6')}) = $5 and j.key <> all($7::text[])"
)
OF_STREAMS = RETRACTIONS.format(of="j.stream = any($5::text[])")
PROVIDED = f"""
select j.stream, j.key from journal j
 where j.type = '{ProvisionRecorded.TYPE}' and j.stream > $1
   and ({LEAD_OF.format("$4")}) = $3 and j.key <> all($5::text[])
 order by j.stream limit $2"""
ACKNOWLEDGED = """
select agency, case_id, greatest(d.sent_document, t.document) as document
  from delivery d left join webhook_told t using (agency, case_id) where case_id = any($1::uuid[])"""
SENT = "select sent_document, sent_mark from delivery where agency = $1 and case_id = $2"
RECEIVED = """
update delivery d
   set receipt_document = greatest(d.receipt_document, r.document),
       placed_document = greatest(d.placed_document, r.placed),
       opened_document = greatest(d.opened_document, r.opened),
       receipt_at = greatest(d.receipt_at, r.at),
       resend_at = case when r.document >= d.sent_document then null else d.resend_at end
  from unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::timestamptz[])
       r (agency, case_id, document, placed, opened, at)
 where (d.agency, d.case_id) = (r.agency, r.case_id)"""
WRONG = """
update delivery set resend_at = now() + interval '1 minute'
 where (agency, case_id) in (select * from unnest($1::text[], $2::uuid[]))"""
FRESHNESS = """
with behind as (
     select *, (document, ended) is distinct from (sent_document, sent_ended) as late,
            (document, edition, ended) is distinct from (sent_document, sent_edition, sent_ended)
                as unsent
       from delivery where {of})
select coalesce(s.agency, d.agency) as agency, coalesce(s.public_key is not null, false) as subscribed,
       count(d.*) filter (where not d.ended) as documents,
       count(d.*) filter (where s.public_key is not null and unsent) as undelivered,
       count(d.*) filter (where s.public_key is not null and d.refused is not null) as refused,
       max(d.changed_at) as newest_at,
       min(behind_since) filter (where s.public_key is not null and late) as undelivered_since,
       max(sent_at) as last_delivered_at, max(receipt_at) as last_receipt_at,
       count(d.*) filter (where not d.ended and document > coalesce(receipt_document, 0)) as unreceived,
       count(d.*) filter (where not d.ended and document > coalesce(placed_document, 0)) as unplaced,
       count(d.*) filter (where not d.ended and document > coalesce(opened_document, 0)) as unopened
  from subscription s {join} join behind d using (agency)
 where {shown}
 group by 1, 2 order by 1"""
OF_ALL = FRESHNESS.format(of="true", join="full", shown="true")
OF_AGENCY = FRESHNESS.format(of="agency = $1", join="full", shown="$1 in (s.agency, d.agency)")
OF_CASE = FRESHNESS.format(of="case_id = $1", join="right", shown="true")
NOTHING = {"subscribed": False, "documents": 0, "undelivered": 0, "refused": 0}
LEADS = [CaseOpened.TYPE, LeadAccepted.TYPE]


async def disclosures_of(rt: Runtime, cases: Sequence[UUID]) -> list[str]:
    """Streams of all agencies that ever held something of the cases."""
    rows = await rt.pool.fetch(DISCLOSURES_OF, [str(case) for case in cases])
    return [row["stream"] for row in rows]


async def provisions_of(rt: Runtime, case: UUID) -> list[str]:
    """Streams of what left by hand, in their order."""
    return [row["stream"] for row in await rt.pool.fetch(PROVISIONS_OF, str(case))]


async def provided(
    rt: Runtime, lead: str, gone: Iterable[UUID], after: str, limit: int
) -> list[tuple[str, UUID]]:
    """Streams of what left by hand, each with its case, of those that this agency leads now less `gone`."""
    names = [str(case) for case in gone]
    rows = await rt.reads.fetch(PROVIDED, after, limit, lead, LEADS, names)
    return [(row["stream"], UUID(row["key"])) for row in rows]


async def cases_of(rt: Runtime, ids: Sequence[UUID]) -> list[UUID]:
    """Cases in which a person of one of these ids is a member of the household."""
    return [UUID(row["key"]) for row in await rt.reads.fetch(CASES_OF, [str(id) for id in ids])]


Withdrawal = tuple[str, int]
"""A stream, and its document that withdrew something."""


async def unconfirmed(
    rt: Runtime, lead: str, gone: Iterable[UUID], state: str | None, after: Withdrawal, limit: int
) -> list[Withdrawal]:
    """What was not yet given back, of cases that this agency leads now less those `gone`; in one state
    only if it is named: by the rule of `Retraction.state`.
    """
    names = [str(case) for case in gone]
    rows = await rt.reads.fetch(OF_LED, *after, limit, state, lead, LEADS, names)
    return [(row["stream"], row["document"]) for row in rows]


async def withdrawn(
    rt: Runtime, case: UUID, state: str | None, after: Withdrawal, limit: int
) -> list[Withdrawal]:
    """The same of one case, and also what is confirmed."""
    streams = await disclosures_of(rt, [case])
    rows = await rt.reads.fetch(OF_STREAMS, *after, limit, state, streams)
    return [(row["stream"], row["document"]) for row in rows]


async def acknowledged(rt: Runtime, cases: Sequence[UUID]) -> dict[tuple[str, UUID], int]:
    """By agency and case the newest document that its topic or its webhook has taken."""
    rows = await rt.pool.fetch(ACKNOWLEDGED, cases)
    return {(row["agency"], row["case_id"]): row["document"] for row in rows}


async def sent_mark(rt: Runtime, agency: str, case: UUID) -> tuple[int, str | None]:
    """The newest document that its topic has acknowledged, and its mark; 0 if there is none."""
    row = await rt.pool.fetchrow(SENT, agency, case)
    return (row["sent_document"], row["sent_mark"]) if row else (0, None)


async def receive(db: Connection, events: Sequence[Recorded]) -> None:
    """What receipts say of the state of delivery; the newest of a batch counts."""
    right: dict[tuple[str, UUID], tuple[int, int, int, datetime]] = {}
    wrong: set[tuple[str, UUID]] = set()
    for recorded in events:
        match recorded.event:
            case ReceiptRecorded(agency=agency, case=case, document=document, grade=grade):
                place, at = (agency, case), recorded.envelope.at
                placed = document if grade != "delivered" else 0
                opened = document if grade == "opened" else 0
                a, b, c, before = right.get(place, (0, 0, 0, at))
                right[place] = max(a, document), max(b, placed), max(c, opened), max(before, at)
                wrong.discard(place)
            case ReceiptRefused(agency=agency, case=case):
                wrong.add((agency, case))
    if right:
        rows = [(*place, *what) for place, what in right.items()]
        await db.execute(RECEIVED, *by_column(rows, 6))
    if wrong:
        await db.execute(WRONG, *by_column(sorted(wrong), 2))


async def freshness(rt: Runtime) -> list[dict[str, Any]]:
    """Of all agencies that ever subscribed or held a document."""
    return [dict(row) for row in await rt.pool.fetch(OF_ALL)]


async def freshness_of(rt: Runtime, agency: str) -> dict[str, Any]:
    row = await rt.pool.fetchrow(OF_AGENCY, agency)
    return dict(row) if row else {"agency": agency, **NOTHING}


async def freshness_in(rt: Runtime, case: UUID) -> list[dict[str, Any]]:
    """Of each agency that ever held a document of the case, and of no other case."""
    return [dict(row) for row in await rt.pool.fetch(OF_CASE, case)]
