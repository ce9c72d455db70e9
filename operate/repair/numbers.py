"""Numbered views: a new number is filled beside the promoted one, takes its place, and the old one goes.

Each step can be killed and run again: what is folded is kept, and a promotion is one transaction.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog

from operate.install import Refused
from operate.repair import carry, refold, screen
from operate.repair.carry import Load
from operate.repair.place import alone, journals, runtime
from operate.stack import Stack
from shared import views
from shared.db import PASSING, Connection, Pool
from shared.follow import Applier
from shared.kill import point
from shared.loops import ahead

log = structlog.get_logger()

CLOSE = 5_000
"""Events that a promotion may still fold itself."""

NUMBERS = """
select v.number, v.state, v.made_at,
       (select count(*) from inbox i where i.view = $1 || '-' || v.number and i.version > 0) as streams,
       (select coalesce(sum(version), 0) from inbox i where i.view = $1 || '-' || v.number) as events,
       (select count(*) from parked p where p.view = $1 || '-' || v.number) as parked
  from view v order by v.number"""
STATES = "select number, state from view order by number"
UNPARK = "delete from parked where view = $1"
DIFFERENT = """
select count(*)
  from (select stream, version from inbox where view = $1) l
  full join (select stream, version from inbox where view = $2) n using (stream)
 where coalesce(l.version, 0) <> coalesce(n.version, 0)"""
NO_PLACES = "delete from position where view = $1"
PLACES = """
insert into position (view, topic, partition, topic_id, "offset")
select $2, topic, partition, topic_id, "offset" from position where view = $1"""
PARKED = "update parked set view = $2 where view = $1"


async def status(stack: Stack) -> list[dict[str, Any]]:
    """All numbers of all services; `behind`: events that the promoted number has and this has not."""
    found = []
    async with journals(stack) as every:
        for service, db in every.items():
            rows = await db.fetch(NUMBERS, service)
            live = next((row["number"] for row in rows if row["state"] == "live"), None)
            for row in rows:
                lack = await refold.lacking(db, service, live, row["number"]) if live else []
                behind = refold.events_in(lack)
                made = {**row, "made_at": row["made_at"].isoformat(timespec="seconds")}
                found.append({"view": service, **made, "behind": behind})
    return found


async def rebuild(stack: Stack, service: str) -> dict[str, Any]:
    """Fill a new number, or the one that an earlier run has begun, as far as the promoted one is."""
    began = time.monotonic()
    async with runtime(stack, service) as rt, journals(stack) as sources, alone(rt) as db:
        view, live = rt.applier.view, rt.applier.number
        started = [n for n, state in (await states(db)).items() if state == "building"]
        if started:
            number = started[-1]
            await db.execute(UNPARK, views.name_of(view.name, number))
        else:
            async with db.transaction():
                number = await views.build(db, view)
        point("repair.built")
        builder = Applier(view, number, rt.pool, rt.codec, promoted=False)
        folded = 0
        while lack := await refold.lacking(db, view.name, live, number):
            before = folded
            folded += await fill(db, builder, lack, sources)
            if folded == before:
                stuck = len(lack)
                raise Refused(
                    f"view {number} of {service} cannot take the next event of {stuck} stream(s); "
                    "see ./tsunagu parked list, deploy what can read them and run this again"
                )
    seconds = time.monotonic() - began
    rate = round(folded / seconds)
    return {"view": service, "number": number, "events": folded,
            "seconds": round(seconds, 1), "events_per_second": rate}  # fmt: skip


async def fill(
    db: Connection, builder: Applier, lack: list[Any], sources: Mapping[str, Pool]
) -> int:
    """Fold what is lacking, a transaction a part; how many events were applied."""
    total, folded = refold.events_in(lack), 0
    with screen.progress(f"{builder.view.name} → view {builder.number}", total) as shown:
        async for part, load in ahead(_loads(builder, lack, sources)):
            folded += await _folded(db, builder, part, load, sources)
            point("repair.folded")
            shown(folded)
    return folded


async def _loads(
    builder: Applier, lack: list[Any], sources: Mapping[str, Pool]
) -> AsyncIterator[tuple[list[Any], Load | None]]:
    for part in refold.parts(lack):
        yield part, await carry.load(builder, part, sources)


async def _folded(
    db: Connection,
    builder: Applier,
    part: list[Any],
    load: Load | None,
    sources: Mapping[str, Pool],
) -> int:
    if load:
        try:
            async with db.transaction():
                await views.work_on(db, builder.number)
                return await carry.fold(db, builder, load)
        except PASSING:
            raise
        except Exception:
            log.exception("repair.the_long_way", view=builder.name)
    taken = await refold.of_part(part, sources, builder.view.topics)
    reads = await builder.opened(taken, again=True)
    async with db.transaction():
        await views.work_on(db, builder.number)
        return len((await builder.fold(db, reads)).fresh)


async def promote(stack: Stack, service: str, number: int) -> dict[str, Any]:
    """Let a number take the promoted one's place, at exactly the events that that one has applied.

    The follower goes on with it by itself, readers in the middle of a question finish it in the
    old one. What is new comes from the journals while the promoted view stands still.
    """
    async with runtime(stack, service) as rt, journals(stack) as sources, alone(rt) as db:
        view, live = rt.applier.view, rt.applier.number
        there = await states(db)
        refuse_unknown(service, number, there)
        done = {"view": service, "number": number, "promoted": number, "before": live}
        if number == live:
            return done
        builder = Applier(view, number, rt.pool, rt.codec, promoted=False)
        lack = await refold.lacking(db, view.name, live, number)
        if refold.events_in(lack) > CLOSE:
            raise Refused(
                f"view {number} of {service} is {refold.events_in(lack)} events behind; run "
                f"./tsunagu views rebuild {service} first"
            )
        await fill(db, builder, lack, sources)
        began = time.monotonic()
        async with db.transaction():
            await db.execute(views.CHANGE)
            await take_over(db, builder, live, sources)
            point("repair.promoting")
        point("repair.promoted")
    return {**done, "stood_still_seconds": round(time.monotonic() - began, 3)}


async def take_over(
    db: Connection, builder: Applier, live: int, sources: Mapping[str, Pool]
) -> None:
    """While the promoted view stands still: the rest of its events, its places, what it has parked."""
    view, number = builder.view, builder.number
    await views.work_on(db, number)
    lack = await refold.lacking(db, view.name, live, number)
    async for taken in refold.chunks(lack, sources, view.topics):
        await builder.fold(db, await builder.opened(taken, again=True))
    old, new = views.name_of(view.name, live), builder.name
    if different := await db.fetchval(DIFFERENT, old, new):
        raise Refused(
            f"view {number} of {view.name} differs from the promoted one in {different} stream(s); "
            f"run ./tsunagu views rebuild {view.name}, and see ./tsunagu parked list"
        )
    await db.execute(UNPARK, new)
    await db.execute(PARKED, old, new)
    await db.execute(NO_PLACES, new)
    await db.execute(PLACES, old, new)
    await views.promote(db, number)


async def drop(stack: Stack, service: str, number: int) -> dict[str, Any]:
    async with runtime(stack, service) as rt, alone(rt) as db:
        there = await states(db)
        refuse_unknown(service, number, there)
        if there[number] == "live":
            raise Refused(
                f"view {number} of {service} is the promoted one; promote another before you drop it"
            )
        async with db.transaction():
            await views.drop(db, rt.applier.view, number)
            point("repair.dropping")
    return {"view": service, "number": number, "dropped": True}


async def states(db: Connection) -> dict[int, str]:
    return {row["number"]: row["state"] for row in await db.fetch(STATES)}


def refuse_unknown(service: str, number: int, there: Mapping[int, str]) -> None:
    if number not in there:
        known = ", ".join(f"{n} ({state})" for n, state in there.items())
        raise Refused(f"there is no view {number} of {service}; there are {known}")
