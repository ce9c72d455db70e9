"""What ended without a case: closed notices, removed watches, years of readings; whose, since when."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared.calendar import TOKYO
from shared.contracts.intake import (
    CaselessDisposed,
    NoticeClosed,
    NoticeReceived,
    WatchRegistered,
    WatchRemoved,
)
from shared.contracts.retention import CASELESS, Caseless
from shared.journal import Past
from shared.runtime import Runtime

from . import readings

ENDED = """
select o.id, '{kind}' as kind, ended.at from {kind} o
 cross join lateral (select at from journal j where j.stream = '{kind}/' || o.id
                        and j.type = '{ending}' order by version desc limit 1) ended
 where o.agency = $1 and {over} and o.id > $2 and ended.at < $3
   and not exists (select from journal d where d.stream = 'caseless/' || o.id and d.type = '{gone}')
 order by o.id limit $4"""
OF = {
    "notice": ENDED.format(
        kind="notice",
        ending=NoticeClosed.TYPE,
        over="o.done and o.case_id is null",
        gone=CaselessDisposed.TYPE,
    ),
    "watch": ENDED.format(
        kind="watch",
        ending=WatchRemoved.TYPE,
        over="o.status = 'removed'",
        gone=CaselessDisposed.TYPE,
    ),
}


def kind_of(name: str) -> Caseless | None:
    return next((kind for kind in CASELESS if kind == name), None)


def keeper(past: Past) -> str | None:
    """The agency that was asked to look, or keeps the registry; None: there is no such thing."""
    match past.events[0].event if past.events else None:
        case NoticeReceived(to=agency) | WatchRegistered(agency=agency):
            return agency
        case _:
            return None


def ended_on(past: Past) -> date | None:
    """When its end was recorded, whatever day that speaks of; nothing follows it."""
    last = past.events[-1]
    if isinstance(last.event, NoticeClosed | WatchRemoved):
        return last.envelope.at.astimezone(TOKYO).date()
    return None


async def ended(
    rt: Runtime, kind: Caseless, agency: str, after: UUID, before: datetime, limit: int
) -> list[dict[str, Any]]:
    """Those of an agency that ended before then and are not disposed of, by id."""
    if kind == "reading":
        return await readings.ended(rt, agency, after, before, limit)
    return [dict(row) for row in await rt.reads.fetch(OF[kind], agency, after, before, limit)]
