"""Facts as rows, and the figures as queries over them: recomputed at each question, never counted."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from shared.broker import SERVICE_TOPICS
from shared.calendar import TOKYO
from shared.contracts import Recorded
from shared.contracts.codes import bodies, labels
from shared.db import Connection, Pool
from shared.ids import uuid_in
from shared.runtime import Runtime
from shared.views import View

from .timeline import CODED, FACTS, FOLDED, Fact, fold

FETCH = "select * from {kind}s where id = any($1::uuid[])"
WRITE = """
insert into {kind}s as kept
select * from jsonb_populate_recordset(null::{kind}s, $1)
on conflict (id) do update set ({columns}) = ({values}) where kept.version < excluded.version"""

FIGURES = """
with held as (
    select bodies, (select count(*) from unnest(bodies) body where body = any($5)) as counted
      from meetings where held_on >= $3 and held_on < $4 and not cancelled
), asked as (
    select case when completed_at < $2 then 'completed'
                when declined_at < $2 then 'declined'
                when started_at < $2 then 'in_progress'
                when accepted_at < $2 then 'accepted'
                when received_at < $2 then 'received'
                else 'requested' end as state,
           case when started_at < $2
                then (started_at at time zone 'Asia/Tokyo')::date
                     - (requested_at at time zone 'Asia/Tokyo')::date end as days
      from referrals where requested_at >= $1 and requested_at < $2
), lines as (
    select to_char(at at time zone 'Asia/Tokyo', 'YYYY-MM') as month, coalesce(kind, 'unknown') as kind,
           coalesce(method, 'unknown') as method, coalesce(counterpart, 'unknown') as counterpart
      from records where at >= $1 and at < $2
)
select (select count(*) from held where counted > 0) as sittings,
       (select count(*) from held where counted > 1) as combined,
       (select coalesce(jsonb_object_agg(body, n), '{}')
          from (select body, count(*) as n from held, unnest(bodies) body group by body) b
       ) as meetings,
       (select round(100.0 * positive / nullif(answered, 0), 1)::float8
          from surveys where surveyed_on >= $3 and surveyed_on < $4
         order by surveyed_on desc, id desc limit 1) as share,
       (select coalesce(sum(completed), 0) from courses where held_on < $4) as completed,
       (select count(*) from cases where opened_at >= $1 and opened_at < $2) as cases_opened,
       (select count(*) from lines) as records,
       (select coalesce(jsonb_object_agg(month, n), '{}')
          from (select month, count(*) as n from lines group by month) l) as by_month,
       (select coalesce(jsonb_object_agg(kind, n), '{}')
          from (select kind, count(*) as n from lines group by kind) l) as by_kind,
       (select coalesce(jsonb_object_agg(method, n), '{}')
          from (select method, count(*) as n from lines group by method) l) as by_method,
       (select coalesce(jsonb_object_agg(counterpart, n), '{}')
          from (select counterpart, count(*) as n from lines group by counterpart) l) as by_counterpart,
       (select count(*) from cases
         where opened_at < $2
           and (select count(*) from unnest(closed_at) t where t < $2)
               <= (select count(*) from unnest(reopened_at) t where t < $2)) as cases_open,
       (select coalesce(jsonb_object_agg(state, n), '{}')
          from (select state, count(*) as n from asked group by state) s) as referrals,
       (select percentile_cont(0.5) within group (order by days) from asked) as days"""

LISTS = {"kind": "record_kind", "method": "contact_method", "counterpart": "counterpart"}
"""Of what records are told apart by → the closed list of its codes."""
STATES = ("requested", "received", "accepted", "declined", "in_progress", "completed")


@dataclass(frozen=True)
class Year:
    """What the facts say of one fiscal year. Nothing occurs in the future, so "at the end of the
    year" is "now" while the year runs, and a closed year changes by late events only.

    `sittings`: those of a body that counts for indicator I, once each; `combined`: of these, the
    sittings of more than one such body. `meetings`: held, by body, counted or not.
    `share`: percent of the year's newest survey. `completed`: course graduates up to its end.
    `contacts`: 延べ相談, first contacts (cases opened) and lines of the 支援経過記録 together.
    `records`: 延べ件数, the lines alone, by month (YYYY-MM) and by kind, method and counterpart, each line
    once under each; `unknown` where it was not said.
    `referrals`: those requested in the year, by the state they had reached by its end.
    `days`: median of whole days from request to start of service, of those that started.
    """

    sittings: int
    combined: int
    meetings: dict[str, int]
    share: float | None
    completed: int
    contacts: int
    records: dict[str, dict[str, int]]
    cases_opened: int
    cases_open: int
    referrals: dict[str, int]
    days: float | None


async def project(db: Connection, events: Sequence[Recorded]) -> None:
    """Fold the events into the facts of their subjects, one read and one write a kind of fact. Of a stream
    that begins here there is nothing to read. Raises ValueError for a stream of no subject.
    """
    by_kind: dict[str, list[Recorded]] = {}
    for recorded in events:
        kind = recorded.envelope.stream.partition("/")[0]
        if kind in FACTS:
            by_kind.setdefault(kind, []).append(recorded)
    for kind, found in by_kind.items():
        envelopes = [recorded.envelope for recorded in found]
        begun = {e.stream for e in envelopes if e.version == 1}
        ids = {e.stream: uuid_in(e.stream.partition("/")[2]) for e in envelopes}
        old = [id for stream, id in ids.items() if stream not in begun]
        rows = await db.fetch(FETCH.format(kind=kind), old) if old else []
        known = {f"{kind}/{row['id']}": _fact(kind, row) for row in rows}
        facts = fold(known, found)
        await write(db, kind, [f for stream, f in facts.items() if f != known.get(stream)])


async def write(db: Connection, kind: str, facts: Sequence[Fact]) -> None:
    """Facts of one kind as rows, unless there are newer ones."""
    if facts:
        await db.execute(_write(kind), facts)


def _fact(kind: str, row: Any) -> Fact:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return FACTS[kind](**values)


def _write(kind: str) -> str:
    names = [field.name for field in fields(FACTS[kind]) if field.name != "id"]
    values = ", ".join(f"excluded.{name}" for name in names)
    return WRITE.format(kind=kind, columns=", ".join(names), values=values)


def view(rt: Runtime) -> View:
    ddl = Path(__file__).with_name("sql") / "view.sql"
    return View("metrics", SERVICE_TOPICS, ddl, project, projected=FOLDED, opens=CODED, gathers=0.1)


def _months(fiscal_year: int) -> list[str]:
    return [f"{fiscal_year + (n > 12)}-{(n - 1) % 12 + 1:02}" for n in range(4, 16)]


def _last(fiscal_year: int) -> date:
    return date(fiscal_year + 1, 3, 31)


def counted(fiscal_year: int) -> set[str]:
    """Bodies of indicator I, by the rows that hold at the end of that year: later ones change none."""
    return {c for c, body in bodies(_last(fiscal_year)).items() if body.counted_in_indicator_1}


async def year(db: Connection | Pool, fiscal_year: int) -> Year:
    """All figures of one fiscal year from one snapshot."""
    first, after = date(fiscal_year, 4, 1), date(fiscal_year + 1, 4, 1)
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=TOKYO) for d in (first, after))
    row = await db.fetchrow(FIGURES, begin, end, first, after, sorted(counted(fiscal_year)))
    assert row is not None
    return Year(
        sittings=row["sittings"],
        combined=row["combined"],
        meetings={**dict.fromkeys(bodies(_last(fiscal_year)), 0), **row["meetings"]},
        share=row["share"],
        completed=row["completed"],
        contacts=row["cases_opened"] + row["records"],
        records={
            "month": {**dict.fromkeys(_months(fiscal_year), 0), **row["by_month"]},
            **{
                by: {**dict.fromkeys(labels(name), 0), **row[f"by_{by}"]}
                for by, name in LISTS.items()
            },
        },
        cases_opened=row["cases_opened"],
        cases_open=row["cases_open"],
        referrals={**dict.fromkeys(STATES, 0), **row["referrals"]},
        days=row["days"],
    )
