"""Cases worked on before consent: screened so, when somebody last went there, when somebody will go."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from shared.auth import Principal
from shared.blocks import NOT_BLOCKED
from shared.contracts import Recorded
from shared.contracts.intake import CaseScreened, Contact, ContactCorrected, ContactRecorded
from shared.runtime import Runtime

from . import worklist
from .staffing import HIS, today

HERE: dict[str, str] = {"agency": "$1", "staff": "$2", "case": "c.id", "today": "$3::date"}
LED = f"""
select c.id from party p join cases c on c.id = p.case_id
 where p.agency = $1 and c.lead = $1 and c.status = 'open' and {NOT_BLOCKED.format(**HERE)}
   and ($3::date is null or {HIS.format(**HERE)})"""
SCREENED = """
select distinct on (stream) * from journal
 where stream = any($1::text[]) and type = $2 order by stream, version desc"""
LINES = """
select * from journal where key = any($1::text[]) and stream like 'record/%' and type = any($2::text[])
 order by stream, version"""
BEFORE_CONSENT = "not_yet_consented"
GOING = ("visit", "absent")
"""Methods of a line that says that somebody went there."""


@dataclass
class Outreach:
    """`absent`: whether nobody was there at the last visit; `told`: the events that say all this."""

    case: UUID
    screened_at: datetime
    told: list[Recorded] = field(default_factory=list)
    visits: int = 0
    last_visit: datetime | None = None
    absent: bool | None = None
    next_on: date | None = None


async def outreach(rt: Runtime, who: Principal, mine: bool) -> list[Outreach]:
    """Open cases that his agency leads and that are there for him, whose newest screening says so: first
    those where nobody went yet, then by the last visit, the oldest first.
    """
    day = today(rt) if mine else None
    led = [row["id"] for row in await rt.reads.fetch(LED, who.agency, who.subject, day)]
    streams = [f"case/{case}" for case in led]
    screened = await rt.read(await rt.pool.fetch(SCREENED, streams, CaseScreened.TYPE))
    found: dict[UUID, Outreach] = {}
    for recorded in screened:
        match recorded.event:
            case CaseScreened(case=case, outcome=outcome) if outcome == BEFORE_CONSENT:
                found[case] = Outreach(case, recorded.envelope.occurred_at, [recorded])
    types = [ContactRecorded.TYPE, ContactCorrected.TYPE]
    keys = [str(case) for case in found]
    _visits(found, who.agency, await rt.read(await rt.pool.fetch(LINES, keys, types)))
    for action in await worklist.actions_of(rt, who.agency, list(found)):
        one = found[action["case_id"]]
        one.next_on = one.next_on or action["due"]  # by day, undated last
    return sorted(
        found.values(),
        key=lambda one: (one.last_visit is not None, one.last_visit or one.screened_at, one.case),
    )


def _visits(found: dict[UUID, Outreach], agency: str, lines: Sequence[Recorded]) -> None:
    """Of each line what was said of it last, as far as the agency wrote it itself."""
    newest = {e.envelope.stream: e for e in lines if e.envelope.agency == agency}
    for recorded in newest.values():
        line, at = recorded.event, recorded.envelope.occurred_at
        if not isinstance(line, Contact) or line.method not in GOING or line.kind == "visit_plan":
            continue
        one = found[line.case]
        one.visits += 1
        one.told.append(recorded)
        if one.last_visit is None or at >= one.last_visit:
            one.last_visit, one.absent = at, line.method == "absent"
