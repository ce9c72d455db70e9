"""Webhooks: each subscriber has its own place in its feed; one that is dead holds up nobody else.

A page of the feed has each case once, so its documents may go side by side, and the next page only
after it: nothing is ever reordered within a case.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog

from shared.db import PASSING
from shared.journal import Context
from shared.loops import pace
from shared.runtime import Runtime

from ..domain.document import canonical
from ..refusals import refused
from ..seal import sealed_to
from . import breaker, feed
from .breaker import Verdict
from .cursor import Cursor
from .feed import Entry
from .post import Outcome, Post, secret

TOGETHER, ENDPOINTS = 8, 16
LOOK_SECONDS, PACE_SECONDS = 0.5, 0.02
"""At most one look in the second time, however many commits there are."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 600.0
FURTHEST = 16
"""Doublings of how far behind the document at which an endpoint stalled another is looked for."""
NOT_OPENED = "not-opened"
"""The trouble is ours: a document of this agency that cannot be made."""
LEADS_ASTRAY = ("redirect", "private-network")
"""Goes on record: somebody may want us to call where he cannot."""

ANY = "select exists (select from webhook)"
TAKE = """
update webhook w set leased_until = now() + make_interval(secs => case when failures < $2 then 20 else 40 end)
  from (select h.agency from webhook h join subscription s using (agency)
         where s.public_key is not null and not s.quarantined
           and not exists (select from journal
                            where stream = 'subscription/' || h.agency and version > s.version)
           and (leased_until is null or leased_until < now())
           and (retry_at is null or retry_at < now())
           and (exists (select from feed f where f.agency = h.agency
                           and (f.place > h.place or f.era <> h.era))
                or exists (select from delivery d where d.agency = h.agency and d.place is null
                              and (d.placed_after is null or d.placed_after < now())))
         order by h.agency limit $1 for update of h skip locked) due, subscription s
 where w.agency = due.agency and s.agency = w.agency
returning w.*, s.public_key, s.paused <> '{}' as paused"""
"""Replicas share by the lease, which outlives a page, or in doubt two documents. What was revoked a
moment ago is not sealed to.
"""
TAKES_AWAY = """
select d.case_id from delivery d join webhook_told t using (agency, case_id)
 where d.agency = $1 and d.case_id = any($2::uuid[])
   and (d.ended or d.document = t.document or exists (
        select from journal where stream = 'disclosure/' || d.agency || '/' || d.case_id
           and (data ->> 'cause' = 'content_ended' or jsonb_array_length(data -> 'withdrawn') > 0)
           and (data ->> 'document')::int > t.document))"""
"""To a paused agency only what takes content away, or seals anew what it was sent."""
DONE = """
with moved as (
     update webhook set era = $3, place = $4, failures = $5, trouble = $6, leased_until = null,
            troubled_since = case when $6::text is null then null
                                  else coalesce(troubled_since, now()) end,
            retry_at = now() + make_interval(secs => $7),
            confirmed_at = case when $8 then now() else confirmed_at end
      where agency = $1 and way = $2 and leased_until = $9 returning agency),
     told as (
     insert into webhook_told (agency, case_id, document)
     select m.agency, n.* from moved m, unnest($10::uuid[], $15::int[]) n (case_id, document)
         on conflict (agency, case_id) do update set document = excluded.document),
     healed as (
     delete from webhook_parked p using moved m
      where p.agency = m.agency and p.case_id = any($10::uuid[]))
insert into webhook_parked (agency, case_id, handle, document, reason)
select m.agency, n.* from moved m,
       unnest($11::uuid[], $12::uuid[], $13::int[], $14::text[]) n (case_id, handle, document, reason)
on conflict (agency, case_id) do update
   set document = excluded.document, reason = excluded.reason, at = now()"""
"""Nothing, if the webhook was registered anew or another has the lease: then it goes out once more."""
STUCK = """
update webhook set trouble = $4, troubled_since = coalesce(troubled_since, now()), leased_until = null,
       retry_at = now() + interval '1 minute'
 where agency = $1 and way = $2 and leased_until = $3"""

log = structlog.get_logger()


class Webhooks:
    """One a process; it leases endpoints that have news and are due."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._post = Post(rt.http.development)
        self._woken, self._any = asyncio.Event(), True
        rt.on_commit.append(self._committed)

    def _committed(self) -> None:
        """Where nobody has a webhook, the next look in its time is soon enough."""
        if self._any:
            self._woken.set()

    async def run(self) -> None:
        together, busy = pace(), set[asyncio.Task[None]]()
        async with asyncio.TaskGroup() as group:
            while True:
                await together()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._woken.wait()
                timely = not self._woken.is_set()
                self._woken.clear()
                for hook in await self._due(ENDPOINTS - len(busy), timely):
                    task = group.create_task(self._some(hook))
                    busy.add(task)
                    task.add_done_callback(busy.discard)
                    task.add_done_callback(lambda _: self._woken.set())
                await asyncio.sleep(PACE_SECONDS)

    async def _due(self, limit: int, timely: bool) -> Sequence[Any]:
        if limit <= 0 or not self._rt.applier.live or self._rt.recovering:
            return []
        try:
            if timely:
                self._any = await self._rt.pool.fetchval(ANY)
            found: Sequence[Any] = (
                await self._rt.pool.fetch(TAKE, limit, breaker.DOUBTS) if self._any else []
            )
        except PASSING as error:
            log.warning("webhooks.wait", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)
            return []
        return found

    async def _some(self, hook: Any) -> None:
        try:
            await self._page(hook)
        except PASSING as error:  # the lease runs out
            log.warning("webhooks.wait", error=type(error).__name__)
        except Exception:  # the webhooks of others go on
            log.exception("webhook.not_opened")
            held = hook["agency"], hook["way"], hook["leased_until"]
            with suppress(*PASSING):
                await self._rt.pool.execute(STUCK, *held, NOT_OPENED)

    async def _page(self, hook: Any) -> None:
        """Or where the endpoint was in trouble, what it takes to know whether it still is."""
        agency, failures = hook["agency"], hook["failures"]
        reached, limit = Cursor(hook["era"], hook["place"]), 1 if failures else TOGETHER
        page = await feed.page(self._rt, agency, reached, limit)
        entries = await self._admitted(hook, page.entries)
        if entries and failures >= breaker.DOUBTS:
            found = await self._doubted(hook, entries[0])
        else:
            sent = await asyncio.gather(*(self._one(hook, entry) for entry in entries))
            found = breaker.verdict(list(zip(entries, sent, strict=True)), hook["trouble"])
        await self._done(hook, page, entries, found)
        if found.trouble in LEADS_ASTRAY and found.trouble != hook["trouble"]:
            now = self._rt.clock.now()
            context = Context(actor="views", agency=agency, at=now, occurred_at=now)
            await refused(self._rt, agency, "webhook", context)

    async def _doubted(self, hook: Any, stalled: Entry) -> Verdict:
        """One at a time: two side by side would not tell which of them felled the endpoint."""
        other = await self._another(hook, stalled)
        order = [stalled, *other] if breaker.stalled_first(hook["failures"]) else [*other, stalled]
        sent: list[breaker.Sent] = []
        for entry in order:
            sent.append((entry, await self._one(hook, entry)))
            if breaker.enough(stalled, sent):
                break
        return breaker.doubted(stalled, sent, hook["trouble"])

    async def _another(self, hook: Any, stalled: Entry) -> Sequence[Entry]:
        """A document of another case, by lot: from further and further behind, as its neighbours may be as
        bad, or of those that went out before, as all behind may be. A repeat does no harm.
        """
        era, at = stalled.cursor.era, stalled.cursor.place
        further = TOGETHER << min(hook["failures"] - breaker.DOUBTS, FURTHEST)
        for start, distance in random.sample(((at, further), (0, at)), 2):
            away = random.randrange(distance)  # noqa: S311 - no secret
            while True:
                page = await feed.page(
                    self._rt, hook["agency"], Cursor(era, start + away), TOGETHER
                )
                found = [] if page.restarted else await self._admitted(hook, page.entries)
                if others := [entry for entry in found if entry.case != stalled.case]:
                    return [random.choice(others)]  # noqa: S311 - no secret
                if not away:
                    break
                away //= 2
        return []

    async def _admitted(self, hook: Any, entries: Sequence[Entry]) -> Sequence[Entry]:
        if not hook["paused"]:
            return entries
        cases = [entry.case for entry in entries]
        rows = await self._rt.pool.fetch(TAKES_AWAY, hook["agency"], cases)
        admitted = {row["case_id"] for row in rows}
        return [entry for entry in entries if entry.case in admitted]

    async def _one(self, hook: Any, entry: Entry) -> Outcome:
        key = secret(self._rt.keys.index_key, hook["way"])
        content = entry.content
        sealed = None if content is None else sealed_to(hook["public_key"], canonical(content))
        return await self._post.send(hook["url"], key, entry, sealed)

    async def _done(
        self, hook: Any, page: feed.Page, entries: Sequence[Entry], found: Verdict
    ) -> None:
        whole = found.reached == len(entries)
        before = 0 if page.restarted else hook["place"]
        place = page.cursor.place if whole else before
        if not whole and found.reached:
            place = entries[found.reached - 1].cursor.place
        failures = hook["failures"] + bool(entries) if found.trouble else 0
        await self._rt.pool.execute(
            DONE,
            hook["agency"],
            hook["way"],
            page.cursor.era,
            place,
            failures,
            found.trouble,
            max(_pause(failures), found.after),
            bool(found.taken),
            hook["leased_until"],
            [entry.case for entry in found.taken],
            *_columns(found.parked),
            [entry.document for entry in found.taken],
        )


def _pause(failures: int) -> float:
    """Twice as long each time, and never all at once: half of it is left to chance."""
    longest = min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1) if failures else 0  # noqa: S311 - no secret


def _columns(
    parked: Sequence[tuple[Entry, str]],
) -> tuple[list[UUID], list[UUID], list[int], list[str]]:
    return (
        [entry.case for entry, _ in parked],
        [entry.handle for entry, _ in parked],
        [entry.document for entry, _ in parked],
        [reason for _, reason in parked],
    )
