"""`python -m operate.bench.search [PERSONS [BASE_PORT]]`: search, what it tells, and worklists at size.

500 spellings of names, the right one to be found by each; the time of an answer beside a bare page;
whether a worker's answers tell that a person is known elsewhere, by size or by time (L24); the worklists,
and which tables PostgreSQL has read whole for them. One line of JSON; not 0 where a promise is not kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from operate.bench import endpoint
from operate.bench.alike import alike
from operate.bench.asking import Answer, Request, ask
from operate.bench.filling import DESKS, LARGE, Town, fill, folded
from operate.bench.measured import percentile
from operate.bench.own import own
from operate.bench.people import Invented, invented
from operate.databases import execute
from operate.install import ROOT
from operate.places import http_port
from operate.repair.place import runtime
from operate.stack import Stack
from shared.db import connect

PERSONS, PAIRS, REPEATS, RATE, LINES = 100_000, 300, 3, 20.0, 4
P95_MS = 50.0
SPELLINGS = ROOT / "tests" / "integration" / "spellings.tsv"
WORKLISTS = (
    "/v1/cases", "/v1/cases?mine=true", "/v1/outreach", "/v1/outreach?mine=true", "/v1/next-actions",
    "/v1/next-actions?mine=true", "/v1/circulations", "/v1/messages", "/v1/notices", "/v1/reviews",
    "/v1/enquiries", "/v1/transfers", "/v1/calls-due", "/v1/deputyships",
)  # fmt: skip
SCANNED = """
select relname, sum(seq_tup_read)::bigint as rows from pg_stat_user_tables where n_live_tup > 1000
 group by relname"""
FLUSHED = 12
"""Seconds after which PostgreSQL has written what its idle sessions counted."""


class Searched:
    """The service as a worker of one desk asks it, and the bare endpoint beside it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.port, self.bare = (http_port(stack.base_port, n) for n in ("intake", "intake-4"))

    def headers(self, agency: str = LARGE, *roles: str) -> dict[str, str]:
        token = self.stack.token(agency, roles or ("intake_worker",), "staff-00")
        return {"authorization": f"Bearer {token}"}

    async def spellings(self, cases: dict[tuple[str, str], UUID]) -> dict[str, Any]:
        lines = [line.split("\t") for line in SPELLINGS.read_text("utf-8").splitlines()[1:]]
        asked = [
            Request("GET", f"/v1/cases?q={quote(typed)}", holds=str(cases[name, kana]))
            for _, name, kana, typed in lines
        ]
        bare = [Request("GET", one.path.replace("cases", "bare")) for one in asked]
        ours, limit = [], []
        await ask(self.port, self.headers(), asked, RATE, LINES)  # keys and plans are made
        async with endpoint.bare(self.stack, self.bare):
            kept = [Request("POST", "/v1/bare", {"text": "x"}) for _ in range(50)]
            await ask(self.bare, {}, [*kept, *bare])
            for _ in range(REPEATS):
                limit += await ask(self.bare, {}, bare, RATE, LINES)
                ours += await ask(self.port, self.headers(), asked, RATE, LINES)
        first = [one.holds for one, answer in zip(asked, ours, strict=False) if answer[3]]
        rest = [one for one in asked if one.holds not in first]
        missed = [one.path for one in rest if not await self._on_a_later_page(one)]
        return {
            "spellings": len(asked), "missed": missed, "on_the_first_page": len(asked) - len(rest),
            "ms": figures(ours), "bare_ms": figures(limit),
        }  # fmt: skip

    async def _on_a_later_page(self, asked: Request) -> bool:
        base = self.stack.http("intake")
        async with httpx.AsyncClient(
            base_url=base, headers=self.headers(), trust_env=False
        ) as client:
            after: str | None = None
            while True:
                more = {"after": after} if after else {}
                answer = await client.get(f"{asked.path}&limit=500", params=httpx.QueryParams(more))
                if asked.holds in answer.raise_for_status().text:
                    return True
                if not (after := answer.json()["next"]):
                    return False

    async def told(self, known: Sequence[Invented], unknown: Sequence[Invented]) -> dict[str, Any]:
        """Of a worker elsewhere who looks for each, and opens a case with him."""
        people = [(one, True) for one in known] + [(one, False) for one in unknown]
        Random(2).shuffle(people)
        found = {}
        searches = [
            Request("GET", f"/v1/cases?q={quote(f'{one.kana} {one.birth}')}") for one, _ in people
        ]
        writes = [
            Request(
                "POST", "/v1/cases",
                {"route": "agency", "people": [
                    {"name": one.name, "kana": one.kana, "birth": str(one.birth), "phone": one.phone}
                ]},
            )
            for one, _ in people
        ]  # fmt: skip
        for what, asked in (("search", searches), ("write", writes)):
            await ask(self.port, self.headers(DESKS[0]), searches[:20])
            answers = await ask(self.port, self.headers(DESKS[0]), asked)
            sides: dict[bool, list[Answer]] = {True: [], False: []}
            for (_, is_known), answer in zip(people, answers, strict=True):
                sides[is_known].append(answer)
            later, chance = alike(*([took for _, took, _, _ in sides[k]] for k in (True, False)))
            found[what] = {
                "pairs": len(known),
                "sizes": sorted({size for side in sides.values() for _, _, size, _ in side}),
                "known_ms": figures(sides[True]), "unknown_ms": figures(sides[False]),
                "known_is_later": later, "by_chance": chance,
            }  # fmt: skip
        return found

    async def worklists(self) -> dict[str, Any]:
        found = {}
        for path in WORKLISTS:
            asked = [Request("GET", path)] * 12
            answers = await ask(self.port, self.headers(LARGE, "supervisor"), asked)
            took = [answer[1] for answer in answers[2:]]
            found[path] = {"ms": round(percentile(took, 50), 1), "bytes": answers[-1][2]}
        return found

    async def matches(self) -> dict[str, Any]:
        """What the matching role is shown; the first time, those who were not compared yet are."""
        asked = [Request("GET", "/v1/matches")] * 3
        answers = await ask(self.port, self.headers(LARGE, "matcher"), asked)
        return {"ms": [round(took) for _, took, _, _ in answers], "bytes": answers[-1][2]}


def figures(answers: Sequence[Answer]) -> dict[str, float]:
    took = [one[1] for one in answers]
    return {f"p{n}": round(percentile(took, n), 2) for n in (50, 95, 99)}


async def scanned(stack: Stack) -> dict[str, int]:
    """Rows that were read by going through a whole table, by table."""
    await asyncio.sleep(FLUSHED)
    db = await connect(stack.admin_database_url("intake"))
    try:
        return {row["relname"]: row["rows"] for row in await db.fetch(SCANNED)}
    finally:
        await db.close()


async def measure(stack: Stack, persons: int) -> dict[str, Any]:
    lines = [line.split("\t") for line in SPELLINGS.read_text("utf-8").splitlines()[1:]]
    cases = {(name, kana): uuid4() for _, name, kana, _ in lines}
    special = [(LARGE, case, as_invented(name, kana)) for (name, kana), case in cases.items()]
    random = Random(3)
    rare = {one.kana: one for one in (invented(random) for _ in range(20 * PAIRS))}
    strangers = list(rare.values())[: 2 * PAIRS]
    known, unknown = strangers[:PAIRS], strangers[PAIRS:]
    special += [(LARGE, uuid4(), one) for one in known]
    began = time.monotonic()
    async with runtime(stack, "intake") as rt:
        town: Town = await fill(rt, persons, special)
        filled = time.monotonic()
        await asyncio.to_thread(stack.start, "intake")
        await folded(rt)
    done = time.monotonic()
    await execute(stack.admin_database_url("intake"), "vacuum analyze")
    searched = Searched(stack)
    found: dict[str, Any] = {
        "persons": town.persons, "cases": town.cases, "events": town.events,
        "fill_s": round(filled - began, 1), "fold_s": round(done - filled, 1),
    }  # fmt: skip
    before = await scanned(stack)
    for what, measured in (
        ("search", searched.spellings(cases)),
        ("known_elsewhere", searched.told(known, unknown)),
        ("worklists", searched.worklists()),
    ):
        found[what] = await measured
        print(json.dumps({what: found[what]}, ensure_ascii=False), file=sys.stderr, flush=True)
    after = await scanned(stack)
    read = {name: n - before.get(name, 0) for name, n in after.items()}
    found["read_whole"] = {name: n for name, n in read.items() if n}
    found["matches"] = await searched.matches()
    return found


def as_invented(name: str, kana: str) -> Invented:
    (family, _, given), (read, _, given_read) = name.partition(" "), kana.partition(" ")
    return Invented((family, read), (given, given_read), None, None, None)


def main() -> None:
    logging.disable(logging.CRITICAL)
    persons = int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS
    with own(sys.argv[2:]) as stack:
        found = asyncio.run(measure(stack, persons))
    print(json.dumps(found, ensure_ascii=False))
    if found["search"]["missed"] or found["search"]["ms"]["p95"] > P95_MS or found["read_whole"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
