"""Nothing lost, nothing doubled, nothing parked: journals, topics and the ledger against each other."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import asyncpg

from operate.demo.ledger import Done, Ledger
from operate.demo.records import headers, read
from operate.places import SERVICES
from operate.stack import Stack

WRITTEN = "select stream, version, id::text, type, actor from journal"
PARKED = "select count(*) from parked"
HELD = "select (select count(*) from held) + (select count(*) from unsent)"
BY_ITSELF = frozenset(
    f"jp.tsunagu.{name}.v1"
    for name in (
        "consent.expired", "sitting.item_removed", "matter.review_overdue", "task.overdue",
        "programme.contract_begun", "programme.contract_expired",
    )
)  # fmt: skip
"""Events that no intent asked for: timers and reactions write them."""

Place = tuple[str, int]


@dataclass
class Journal:
    """One service's journal, read to its end: id by stream and version; how many events intents
    account for.
    """

    ids: dict[Place, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    parked: int = 0
    held: int = 0

    @cached_property
    def newest(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for stream, version in self.ids:
            found[stream] = max(version, found.get(stream, 0))
        return found


@dataclass(frozen=True)
class Findings:
    """`lost` acknowledged or published nowhere; `duplicated` more than once; in sentences."""

    lost: int
    duplicated: int
    parked: int
    redelivered: int
    events: dict[str, int]
    sentences: tuple[str, ...]


async def journals(stack: Stack) -> dict[str, Journal]:
    """Read with the administrator's login."""
    read_all = (_journal(stack.admin_database_url(name)) for name in SERVICES)
    return dict(zip(SERVICES, await asyncio.gather(*read_all), strict=True))


async def _journal(url: str) -> Journal:
    db = await asyncpg.connect(url)
    try:
        journal = Journal(parked=await db.fetchval(PARKED), held=await db.fetchval(HELD))
        for stream, version, id_, type_, _ in await db.fetch(WRITTEN):
            journal.ids[stream, version] = id_
            if type_ not in BY_ITSELF:
                journal.asked[stream] += 1
        return journal
    finally:
        await db.close()


def topics(stack: Stack) -> dict[str, dict[Place, Counter[str]]]:
    """By topic: the ids of the records of each stream and version, counted."""
    found: dict[str, dict[Place, Counter[str]]] = {name: defaultdict(Counter) for name in SERVICES}
    for message in read(stack, SERVICES):
        marks = headers(message)
        place = marks["ce_stream"], int(marks["ce_version"])
        found[str(message.topic())][place][marks["ce_id"]] += 1
    return found


async def examine(stack: Stack, ledger: Ledger) -> Findings:
    """Journals, topics and ledger; the agencies' copies are the oracle's matter."""
    written, sent = await asyncio.gather(journals(stack), asyncio.to_thread(topics, stack))
    sentences: list[str] = []
    lost = doubled = again = 0
    for name in SERVICES:
        journal, records = written[name], sent[name]
        unsent = [place for place in journal.ids if place not in records]
        other = [
            place for place, ids in records.items() if set(ids) != {journal.ids.get(place, "")}
        ]
        again += sum(ids.total() - 1 for ids in records.values())
        lost += len(unsent)
        doubled += len(other)
        sentences += _said(f"{name}: written, but not on the topic", unsent)
        sentences += _said(f"{name}: on the topic with another id than in the journal", other)
    for service, done in by_service(ledger.done.values()).items():
        missing, more = accounted(written[service], done)
        lost += sum(missing.values())
        doubled += sum(more.values())
        sentences += _said(f"{service}: acknowledged, but not in the journal", missing)
        sentences += _said(f"{service}: more effects than intents", more)
    parked = sum(journal.parked + journal.held for journal in written.values())
    events = {name: len(journal.ids) for name, journal in written.items()}
    return Findings(lost, doubled, parked, again, events, tuple(sentences))


def by_service(done: Iterable[Done]) -> dict[str, list[Done]]:
    found: dict[str, list[Done]] = defaultdict(list)
    for one in done:
        found[one.intent.service].append(one)
    return found


def accounted(journal: Journal, done: Iterable[Done]) -> tuple[Counter[str], Counter[str]]:
    """Per stream: acknowledged events that are missing, and events that no intent accounts for."""
    wanted: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    newest = journal.newest
    for one in done:
        wanted[one.stream] += one.intent.effects
        if one.version > newest.get(one.stream, 0):
            missing[one.stream] += 1
    missing |= wanted - journal.asked
    kinds = {stream.split("/")[0] for stream in wanted}
    asked = Counter({s: n for s, n in journal.asked.items() if s.split("/")[0] in kinds})
    return missing, asked - wanted


def _said(what: str, where: Iterable[object]) -> list[str]:
    """One sentence with a few examples; ids only."""
    places = [str(place) for place in where]
    return [f"{what}: {len(places)}, such as {', '.join(places[:3])}"] if places else []
