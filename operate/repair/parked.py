"""What waits for a repair: records that views have parked, events and documents that relays hold back, and
cases that could not be judged.

Agencies keep what they cannot read in their own copies; `python -m agency show` is theirs.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from operate.install import Refused
from operate.places import SERVICES
from operate.repair.place import database, known, runtime
from operate.repair.screen import plain, progress
from operate.stack import Stack
from shared.db import Connection, Pool
from shared.follow import GAP, Overtaken
from shared.kill import point
from shared.relay.unsent import RELEASE
from shared.runtime import Runtime

TRIES = 20
RELEASED = 15.0
"""Seconds in which a relay sends what was released, or is refused again."""
RELAY, DOCUMENTS, WEBHOOKS, JUDGE = "relay", "documents", "webhooks", "judge"
STRUCTURAL = ("ce_id", "ce_type", "ce_source", "ce_stream", "ce_version", "ce_subject", "ce_time")
CAUSE = f"case when cause like '{GAP}:%' then '{GAP}' else cause end"
PARKED = f"""
select view as place, stream, {CAUSE} as cause, count(*) as records, min(version) as first,
       min(parked_at) as since
  from parked group by 1, 2, 3 order by 1, 2, 3"""
HELD = """
select h.stream, cause, count(*) as records, min(h.version) as first, min(at) as since
  from held h join journal j using (seq) group by 1, 2 order by 1, 2"""
REFUSED = """
select 'view.' || agency as stream, refused as cause, count(*) as records, null::int as first,
       min(changed_at) as since
  from delivery where refused is not null group by 1, 2 order by 1, 2"""
HOOKS = """
select 'webhook/' || agency as stream, reason as cause, count(*) as records, min(document) as first,
       min(at) as since
  from webhook_parked group by 1, 2
union all
select 'webhook/' || agency, 'endpoint: ' || trouble, 0, null, troubled_since
  from webhook where trouble is not null order by 1, 2"""
JUDGES = "select to_regclass('live.cases') is not null"
STUCK = """
select 'case/' || c.id as stream, c.stuck as cause, 1 as records, null::int as first,
       coalesce((select max(k.at) from live.kept k where k.key = c.id::text), now()) as since
  from live.cases c where c.stuck is not null order by 1"""
"""Since its newest event at the longest."""
RECORDS = """
select view, topic, partition, "offset", stream, version, cause, parked_at, headers,
       length(value) as bytes
  from parked where stream is not distinct from $1 order by view, version, topic, partition, "offset" """
VERSION = "select coalesce(max(version), 0) from inbox where view = $1 and stream = $2"
LEFT = """
select count(*), min(version) as first from parked where view = $1 and stream is not distinct from $2"""
WAITING = """
select (select count(*) from held where stream = $1) as held,
       (select count(*) from journal join unsent using (seq) where stream = $1) as waiting"""
RETRY = (
    "update delivery set retry_at = null, refused = null where agency = $1 and refused is not null"
)
JUDGE_AGAIN = "update live.cases set stuck = null, dirty = true where id = $1::uuid"
UNJUDGED = """
select count(*) filter (where stuck is not null) as held,
       count(*) filter (where stuck is null) as waiting
  from live.cases where id = $1::uuid and (dirty or stuck is not null)"""
TELL_AGAIN = """
with freed as (delete from webhook_parked where agency = $1 returning case_id),
     due as (update webhook set retry_at = null where agency = $1)
update delivery set place = null where agency = $1 and case_id in (select case_id from freed)"""
"""They come after all that is told now, in a place of their own."""
UNSENT = """
select count(*) filter (where refused is not null) as held,
       count(*) filter (where refused is null) as waiting
  from delivery where agency = $1
   and (document, edition, ended) is distinct from (sent_document, sent_edition, sent_ended)"""


RELEASES = {
    RELAY: ("", RELEASE, WAITING),
    DOCUMENTS: ("view.", RETRY, UNSENT),
    JUDGE: ("case/", JUDGE_AGAIN, UNJUDGED),
}
"""What the stream's name begins with, how it is tried again, and what became of it."""


@dataclass(frozen=True)
class Group:
    """Records of one stream that wait in one place for one cause. `stream` None: they tell none."""

    service: str
    place: str
    stream: str | None
    cause: str
    records: int
    first: int | None
    since: datetime

    def document(self) -> dict[str, Any]:
        """Fit to be shown: what strangers may have written into stream and cause is made plain."""
        since = self.since.isoformat(timespec="seconds")
        stream = self.stream and plain(self.stream)
        return {"service": self.service, "place": self.place, "stream": stream,
                "cause": plain(self.cause), "records": self.records,
                "first_version": self.first, "since": since}  # fmt: skip


@dataclass(frozen=True)
class Replayed:
    """What became of one stream: its version before and after, and why what stayed has stayed."""

    service: str
    place: str
    stream: str | None
    before: int
    after: int
    applied: int
    stayed: dict[str, int]
    in_order: bool

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "stream": self.stream and plain(self.stream)}


async def waiting(stack: Stack, service: str | None = None) -> list[Group]:
    found: list[Group] = []
    for name in [known(service)] if service else SERVICES:
        async with database(stack, name) as db:
            found += [Group(name, **row) for row in await db.fetch(PARKED)]
            found += [Group(name, RELAY, **row) for row in await db.fetch(HELD)]
            if name == "views":
                found += [Group(name, DOCUMENTS, **row) for row in await db.fetch(REFUSED)]
                found += [Group(name, WEBHOOKS, **row) for row in await db.fetch(HOOKS)]
                stuck = await db.fetch(STUCK) if await db.fetchval(JUDGES) else []
                found += [Group(name, JUDGE, **row) for row in stuck]
    return found


def causes(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The same by service, place and cause, the most frequent first."""
    by: dict[tuple[str, str, str], list[Group]] = {}
    for group in groups:
        by.setdefault((group.service, group.place, group.cause), []).append(group)
    found = [
        {
            "service": service, "place": place, "cause": plain(cause),
            "records": sum(group.records for group in some),
            "streams": len({group.stream for group in some}),
            "oldest": min(group.since for group in some).isoformat(timespec="seconds"),
        }
        for (service, place, cause), some in by.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one["records"])


async def records(stack: Stack, stream: str | None) -> list[dict[str, Any]]:
    """Every parked record of a stream: where it is and why; of its headers the structural ones."""
    found = []
    for service in SERVICES:
        async with database(stack, service) as db:
            for row in await db.fetch(RECORDS, stream):
                headers = {
                    name: plain(b64decode(value or "").decode(errors="replace"))
                    for name, value in row["headers"]
                    if name in STRUCTURAL
                }
                shown = {**row, "stream": row["stream"] and plain(row["stream"])}
                shown |= {"cause": plain(row["cause"]), "headers": headers}
                found.append({"service": service, **shown})
    if not found:
        raise Refused(f"nothing of '{plain(stream or '-')}' is parked; see ./tsunagu parked list")
    return found


async def replay(stack: Stack, groups: Sequence[Group], *, dry: bool) -> list[Replayed]:
    """Try all of these streams again, each in a transaction of its own."""
    found: list[Replayed] = []
    chosen = list(dict.fromkeys((one.service, one.place, one.stream) for one in groups))
    with progress("replaying", len(chosen)) as shown:
        for service in dict.fromkeys(one for one, *_ in chosen):
            async with runtime(stack, service) as rt:
                for _, place, stream in (one for one in chosen if one[0] == service):
                    if place == rt.applier.name:
                        found.append(await _replayed(rt, stream, dry))
                    elif place in RELEASES and stream:
                        runs = stack.pid(service) is not None
                        found.append(await _released(rt.pool, service, place, stream, dry, runs))
                    elif place == WEBHOOKS and stream:
                        found.append(await _told_again(rt.pool, service, stream, dry))
                    shown(len(found))
    return found


async def _replayed(rt: Runtime, stream: str | None, dry: bool) -> Replayed:
    for _ in range(TRIES):
        async with rt.pool.acquire() as db:
            transaction = db.transaction()
            await transaction.start()
            try:
                done = await _in_transaction(rt, db, stream)
                point("repair.replaying")
            except BaseException as error:
                await transaction.rollback()
                if isinstance(error, Overtaken):
                    continue
                raise
            await (transaction.rollback() if dry else transaction.commit())
            point("repair.replayed")
            return done
    raise Refused("the service itself works on these streams all the time; try again later")


async def _in_transaction(rt: Runtime, db: Connection, stream: str | None) -> Replayed:
    """The order is proved by what the inbox says before and after, and by what is left."""
    applier = rt.applier
    before = await db.fetchval(VERSION, applier.name, stream)
    outcome = await applier.replay_in(db, [stream])
    after = await db.fetchval(VERSION, applier.name, stream)
    left = await db.fetchrow(LEFT, applier.name, stream)
    assert left is not None
    versions = [read.version for read in outcome.fresh]
    in_order = stream is None or (
        versions == list(range(before + 1, after + 1))
        and (left["first"] is None or left["first"] > after)
    )
    stayed = Counter(plain(cause) for _, cause in outcome.parked)
    return Replayed(
        rt.service.name, applier.name, stream, before, after, len(versions), dict(stayed), in_order
    )


async def _told_again(db: Pool, service: str, stream: str, dry: bool) -> Replayed:
    if not dry:
        await db.execute(TELL_AGAIN, stream.removeprefix("webhook/"))
        point("repair.released")
    return Replayed(service, WEBHOOKS, stream, 0, 0, 0, {}, True)


async def _released(
    db: Pool, service: str, place: str, stream: str, dry: bool, runs: bool
) -> Replayed:
    """Let a relay or the judge try again what it holds back, and wait for what becomes of it."""
    prefix, release, ask = RELEASES[place]
    name = stream.removeprefix(prefix)
    if not dry:
        await db.execute(release, name)
        point("repair.released")
    before = row = (await db.fetch(ask, name))[0]
    until = time.monotonic() + RELEASED
    while runs and not dry and row["waiting"] and time.monotonic() < until:
        await asyncio.sleep(0.1)
        row = (await db.fetch(ask, name))[0]
    stayed = {"held": row["held"], "waits until the service runs": row["waiting"]}
    sent = before["waiting"] + before["held"] - row["waiting"] - row["held"]
    return Replayed(
        service, place, stream, 0, 0, sent, {k: n for k, n in stayed.items() if n}, True
    )
