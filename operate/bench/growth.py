"""What a large archive costs: a command and a list among many cases, relay and append after many rows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median

import httpx

from operate.bench import append, endpoint, relay
from operate.bench.measured import Figure
from operate.places import http_port
from operate.repair.place import runtime
from operate.stack import Stack
from shared import views
from shared.broker import describe
from shared.contracts.intake import CaseOpened
from shared.db import pool
from shared.runtime import Runtime

CHUNK = 100_000
RATE, READS, DRAINED = 50, 200, 10_000
PUBLISHED = """
with written as (
    insert into journal (id, stream, version, key, type, data, at, occurred_at, actor, agency,
                         correlation)
    select c, 'case/' || c, 1, c::text, $2, $3::jsonb || jsonb_build_object('case', c), now(), now(),
           'bench', 'city-fukushi', c
      from (select uuidv7() as c from generate_series(1, $1::int)) made
    returning id, seq),
     published as (
    insert into sent (topic_id, partition, "offset", seqs)
    select $4, -1, min(seq), array_agg(seq) from written group by seq / 40)
select id from written"""
"""Ids as services make them, one after the other. Of no partition, so that no comparison with the broker
counts them as lost.
"""
SHOWN = """
with opened as (
    insert into cases (id, lead, led_at, status, opened_at, household)
    select u, 'city-fukushi', now(), 'open', now(), gen_random_uuid() from unnest($1::uuid[]) u returning id)
insert into party (agency, case_id) select 'city-fukushi', id from opened"""


@dataclass(frozen=True)
class Sizes:
    few: int
    many: int
    published: int


FULL = Sizes(10_000, 1_000_000, 5_000_000)


async def figures(stack: Stack, sizes: Sizes, seconds: float, repeats: int) -> list[Figure]:
    """Intake alone is started, and stopped again before the last of them are measured."""
    await asyncio.to_thread(stack.start, "intake")
    async with runtime(stack, "intake") as rt:
        few = await _among(stack, rt, sizes.few, seconds, repeats)
        many = await _among(stack, rt, sizes.many - sizes.few, seconds, repeats)
    await asyncio.to_thread(stack.stop, "intake")
    async with runtime(stack, "intake") as rt:
        await settle(stack)
        before = await _rates(rt, seconds, repeats)
        await fill(rt, sizes.published, shown=False)
        await settle(stack)
        after = await _rates(rt, seconds, repeats)
    cases = f"with {sizes.many:,} cases ÷ with {sizes.few:,}"
    rows = f"after {sizes.published:,} more published rows ÷ before"
    return [
        Figure("command_1m", f"one command {cases}, p50", "ms", many[0], few[0], at_most=1.1),
        Figure("read_1m", f"one list of cases {cases}, p50", "ms", many[1], few[1], at_most=1.1),
        Figure("case_1m", f"one case opened {cases}, p50", "ms", many[2], few[2], at_most=1.1),
        Figure("append_5m", f"append {rows}", "events/s", after[0], before[0], at_least=0.9),
        Figure("relay_5m", f"drain {rows}", "events/s", after[1], before[1], at_least=0.9),
    ]


async def fill(rt: Runtime, rows: int, *, shown: bool) -> None:
    """So many cases in the journal, as if sent; `shown`: and in the promoted view."""
    topic = (await describe(rt.kafka, ["intake"]))["intake"].id
    data = {"household": "0" * 32, "lead": "city-fukushi", "route": "A" * 100, "reporter": None}
    for start in range(0, rows, CHUNK):
        async with rt.pool.acquire() as db, db.transaction():
            count = min(CHUNK, rows - start)
            made = await db.fetch(PUBLISHED, count, CaseOpened.TYPE, data, topic, timeout=600)
            if shown:
                await views.enter(db)
                await db.execute(SHOWN, [row["id"] for row in made], timeout=600)


async def _among(
    stack: Stack, rt: Runtime, more: int, seconds: float, repeats: int
) -> tuple[list[float], ...]:
    """`_answers` with so many cases more."""
    await fill(rt, more, shown=True)
    await settle(stack)
    await _answers(stack, seconds, 1)  # plans are made, keys are known, pages are written once
    return await _answers(stack, seconds, repeats)


async def settle(stack: Stack) -> None:
    """What PostgreSQL does by itself after so many rows, done before anything is measured."""
    async with pool(stack.admin_database_url("intake"), size=1) as db:
        await db.execute("vacuum (analyze)", timeout=600)
        await db.execute("checkpoint", timeout=600)


async def _answers(stack: Stack, seconds: float, repeats: int) -> tuple[list[float], ...]:
    """Milliseconds, p50 of each repeat: of a command, the first page of a list, and one case."""
    headers = {"authorization": f"Bearer {stack.token(*endpoint.ACTOR)}"}
    cases = await endpoint.open_cases(stack.http("intake"), headers)
    port = http_port(stack.base_port, "intake")
    paths = [f"/v1/cases/{case}/records" for case in cases]
    commands, lists, opened = [], [], []
    for _ in range(repeats):
        sent = await endpoint.load(port, paths, headers, seconds, RATE)
        commands.append(median(took for _, _, took in sent["done"]))
        lists.append(await _reads(stack, headers, ["/v1/cases"]))
        opened.append(await _reads(stack, headers, [f"/v1/cases/{case}" for case in cases]))
    return commands, lists, opened


async def _reads(stack: Stack, headers: dict[str, str], paths: list[str]) -> float:
    took = []
    base = stack.http("intake")
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
        for n in range(READS):
            began = time.perf_counter()
            (await client.get(paths[n % len(paths)])).raise_for_status()
            took.append(1000 * (time.perf_counter() - began))
    return median(took)


async def _rates(rt: Runtime, seconds: float, repeats: int) -> tuple[list[float], list[float]]:
    """Events a second, appended and drained."""
    appended, drained = [], []
    for _ in range(repeats):
        appended.append(await append.appended(rt, seconds))
        drained.append(await relay.drain(rt, DRAINED))
    return appended, drained
