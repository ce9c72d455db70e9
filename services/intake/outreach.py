"""Cases worked on before consent: screened so, when somebody last went there, when somebody will go.

What was screened and how somebody was met are codes: the view keeps keyed digests of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.auth import Principal
from shared.blocks import NOT_BLOCKED
from shared.contracts import Recorded, sealed_fields
from shared.contracts.intake import CaseScreened, ContactCorrected, ContactRecorded
from shared.db import Connection, by_column
from shared.runtime import Runtime
from shared.staff import HIS, today

from .index import digests

SCREENED = """
insert into screening (case_id, outcome, screened_at)
select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[])
on conflict (case_id) do update set outcome = excluded.outcome, screened_at = excluded.screened_at"""
MET = """
insert into contact (record, case_id, agency, way, at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[])
on conflict (record) do update set way = excluded.way, at = excluded.at"""
HERE: dict[str, str] = {"agency": "$1", "staff": "$2", "case": "c.id", "today": "$3::date"}
OUTREACH = f"""
select c.id as case, s.screened_at, v.visits, v.last_visit, v.absent, n.next_on
  from screening s join cases c on c.id = s.case_id
       cross join lateral (
           select count(*)::int as visits, max(k.at) as last_visit,
                  (array_agg(k.way = ($5::bigint[])[2] order by k.at desc, k.record desc))[1] as absent
             from contact k
            where k.case_id = c.id and k.agency = $1 and k.way = any($5::bigint[])) v
       cross join lateral (
           select min(a.due) as next_on from next_action a
            where a.case_id = c.id and a.agency = $1 and a.asked and not a.done) n
 where s.outcome = $4 and c.lead = $1 and c.status = 'open' and {NOT_BLOCKED.format(**HERE)}
   and ($3::date is null or {HIS.format(**HERE)})
 order by v.last_visit is not null, coalesce(v.last_visit, s.screened_at), c.id limit 500"""
BEFORE_CONSENT = "not_yet_consented"
VISIT, ABSENT, PLANNED = "visit", "absent", "visit_plan"
TELLS = {
    sealed_fields(model)[name].data_class
    for model, name in ((CaseScreened, "outcome"), (ContactRecorded, "method"))
}
"""Classes of what the list says of a case."""


async def project(key: bytes, db: Connection, events: Sequence[Recorded]) -> None:
    """Events of one stream come in their order; the last that speaks of it counts."""
    screened: dict[UUID, tuple[int, datetime]] = {}
    met: dict[UUID, tuple[UUID, str, int, datetime]] = {}
    for recorded in events:
        agency, at = recorded.envelope.agency, recorded.envelope.occurred_at
        match recorded.event:
            case CaseScreened(case=case, outcome=outcome):
                screened[case] = _digest(key, f"screened {outcome}"), at
            case ContactRecorded() | ContactCorrected() as line:
                planned = line.kind == PLANNED
                way = _digest(key, "planned" if planned else f"method {line.method}")
                met[line.record] = line.case, agency, way, at
    if screened:
        await db.execute(SCREENED, *by_column([(case, *row) for case, row in screened.items()], 3))
    if met:
        await db.execute(MET, *by_column([(record, *row) for record, row in met.items()], 5))


async def outreach(rt: Runtime, who: Principal, mine: bool) -> list[dict[str, Any]]:
    """Open cases that his agency leads and that are there for him, whose newest screening says so: first
    those where nobody went yet, then by the last visit, the oldest first.
    """
    key, day = rt.keys.index_key, today(rt) if mine else None
    went = [_digest(key, f"method {way}") for way in (VISIT, ABSENT)]
    asked = who.agency, who.subject, day, _digest(key, f"screened {BEFORE_CONSENT}"), went
    return [dict(row) for row in await rt.reads.fetch(OUTREACH, *asked)]


def _digest(key: bytes, code: str) -> int:
    return digests(key, [code])[0]
