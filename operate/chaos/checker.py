"""The checker: eleven properties over what was asked, what is written, and what everybody holds.

C1 to C11 as in docs/how-to/chaos.md. It rests on the history and the ledger, which the system
has never seen, and reads journals, topics, inboxes and copies with the administrator's login.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from agency.credentials import Credentials
from operate import databases
from operate.chaos.ground import Ground
from operate.chaos.history import History
from operate.chaos.leaks import Then, leaks
from operate.chaos.reader import Reader
from operate.demo import check
from operate.demo.agencies import Office
from operate.demo.content import Content, difference
from operate.demo.ledger import Ledger
from operate.demo.oracle import Oracle
from operate.demo.records import headers, read
from operate.places import SERVICES
from operate.repair import indicators, verify
from operate.stack import Stack
from services.metrics.timeline import FOLDED

HEAL = 60.0
"""Seconds (C9)."""
INBOX = """
select stream, version from inbox
 where view like '%-' || (select max(number) from view where state = 'live')::text"""
FOLLOWED = """
select distinct topic from position
 where view like '%-' || (select max(number) from view where state = 'live')::text"""
PARKED = "select topic, count(*) as records from parked group by topic"
DELIVERED = """
select handle::text, case_id::text, document, sent_document, ended, sent_ended, refused
  from delivery where agency = $1"""
READINGS = """
select count(*) from journal
 where type = 'jp.tsunagu.disclosure.reading_recorded.v1' and actor = $1"""


@dataclass
class Result:
    """Counts of what must be 0, and sentences that say where."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("lost", "phantom", "double", "inversions", "gaps", "torn", "leaked", "differing"), 0
        )
    )
    sentences: list[str] = field(default_factory=list)
    documents: int = 0
    events: int = 0
    seconds_to_heal: float = 0.0

    def found(self, what: str, count: int, sentence: str) -> None:
        if count:
            self.counts[what] += count
            self.sentences.append(f"{sentence}: {count}")

    def says(self, sentence: str) -> None:
        self.sentences.append(sentence)


async def examine(
    ground: Ground, ledger: Ledger, history: History, reader: Reader, healed: float
) -> Result:
    """After everything has been healed and has settled."""
    result = Result(seconds_to_heal=healed)
    assert ground.clock.at
    written = await check.journals(ground.stack)
    result.events = sum(len(journal.ids) for journal in written.values())
    await asyncio.to_thread(_topics, ground, written, result)
    _ledger(ledger, written, result)
    for name in SERVICES:
        await _inbox(ground, name, written, result)
    await _copies(ground, ledger, result)
    await _refolded(ground.stack, result)
    if history.open:
        result.says(f"C7: {len(history.open)} commands have no outcome but unknown")
    if healed > HEAL:
        result.says(f"C9: healing took {healed:.0f} s, more than {HEAL:.0f} s")
    await _readings(ground.stack, reader, result)
    for sentence in reader.back:
        result.says(f"C11: {sentence}")
    return result


def _topics(ground: Ground, written: dict[str, check.Journal], result: Result) -> None:
    """C1, C2, C4: a record for every event, none besides, and each stream in order. What a broker
    had lost is sent again, and may stand after newer ones: no order there.
    """
    for name in SERVICES:
        newest: defaultdict[str, int] = defaultdict(int)
        seen: set[check.Place] = set()
        inversions = gaps = phantom = 0
        for message in read(ground.stack, [name]):
            try:
                marks = headers(message)
                place = marks["ce_stream"], int(marks["ce_version"])
            except (KeyError, ValueError, UnicodeDecodeError):
                continue  # poison of the harness
            if place[0].startswith("case/poison-") or place in seen:
                continue
            if written[name].ids.get(place) != marks.get("ce_id"):
                phantom += 1
                continue
            seen.add(place)
            if not ground.forgetful:
                inversions += place[1] <= newest[place[0]]
                gaps += place[1] > newest[place[0]] + 1
            newest[place[0]] = max(newest[place[0]], place[1])
        result.found("phantom", phantom, f"C2: on the topic {name} and not in its journal")
        lost = len(written[name].ids.keys() - seen)
        result.found("lost", lost, f"C1: in the journal of {name} and not on its topic")
        result.found("inversions", inversions, f"C4: against the order of their streams on {name}")
        result.found("gaps", gaps, f"C4: after a missing version on {name}")
        result.found("lost", written[name].held, f"C1: held back or unpublished in {name}")


def _ledger(ledger: Ledger, written: dict[str, check.Journal], result: Result) -> None:
    """C1, C3, C7: what was acknowledged is there, once and whole."""
    for service, acknowledged in check.by_service(ledger.done.values()).items():
        newest = written[service].newest
        lost = sum(one.version > newest.get(one.stream, 0) for one in acknowledged)
        result.found("lost", lost, f"C1: acknowledged by {service} and not in its journal")
        missing, more = check.accounted(written[service], acknowledged)
        result.found("torn", sum(missing.values()) - lost, f"C7: events missing in {service}")
        result.found("double", sum(more.values()), f"C3: events of {service} that nobody asked for")


async def _inbox(
    ground: Ground, name: str, written: dict[str, check.Journal], result: Result
) -> None:
    """C1, C2: each follower has applied every stream of its topics to the end, and no further."""
    db = await asyncpg.connect(ground.stack.admin_database_url(name))
    try:
        inbox = {row["stream"]: row["version"] for row in await db.fetch(INBOX)}
        topics = {row["topic"] for row in await db.fetch(FOLLOWED)}
        parked = {row["topic"]: row["records"] for row in await db.fetch(PARKED)}
    finally:
        await db.close()
    wanted: dict[str, int] = {}
    for topic in topics:
        wanted |= written[topic].newest
    behind = sum(max(0, version - inbox.get(stream, 0)) for stream, version in wanted.items())
    beyond = sum(
        version > wanted.get(stream, 0)
        for stream, version in inbox.items()
        if version and not stream.startswith("case/poison-")
    )
    result.found("lost", behind, f"C1: events that {name} has not applied")
    result.found("phantom", beyond, f"C2: streams that {name} has applied beyond their end")
    for topic in topics:
        must = sum(
            count
            for (of, type_), count in ground.poison.items()
            if of == topic and (name != "metrics" or not type_ or type_ in FOLDED)
        )
        has = parked.get(topic, 0)
        result.found("lost", max(0, must - has), f"C1: poison of {topic} not parked in {name}")
        result.found("lost", max(0, has - must), f"C1: good records of {topic} parked in {name}")


async def _copies(ground: Ground, ledger: Ledger, result: Result) -> None:
    """C3, C5, C6: each agency's copy is what the bases give it, now and at every earlier time."""
    assert ground.clock.at
    oracle = Oracle(ledger.done.values(), ground.clock.at)
    then = Then(ledger.done.values(), ground.clock.at, ground.clock.jumped)
    made = await asyncio.to_thread(ground.stack.agencies, list(ground.offices.all))
    for code, office in ground.offices.all.items():
        wanted = oracle.held(code)
        found = difference(wanted.values(), office.contents())
        result.found("lost", found.missing, f"C1: items missing from the copy of {code}")
        result.found("leaked", found.surplus, f"C6: items in the copy of {code} without a basis")
        result.found("double", found.doubled, f"C3: items twice in the copy of {code}")
        result.found("differing", found.documents, f"C5: documents of {code} that differ")
        if not found.none:
            await _located(ground.stack, office, wanted, result)
        credentials = Credentials.model_validate(made[code].document())
        documents, leaked = await leaks(ground.stack, credentials, code, then)
        result.documents += documents
        for place, items in leaked.items():
            where = f"C6: items sent to {code} at a time without a basis, {place}"
            result.found("leaked", items, where)


async def _located(
    stack: Stack, office: Office, wanted: Mapping[str, Content], result: Result
) -> None:
    """Which documents differ, and how far each had come on its way."""
    rows = await databases.fetch(stack.admin_database_url("views"), DELIVERED, office.code)
    delivered = {row["case_id"]: row for row in rows}
    held = {one.handle: one for one in office.copy.documents()}
    for case in wanted.keys() | delivered.keys():
        row = delivered.get(case)
        copy = held.get(row["handle"]) if row else None
        has = Content.held(copy.body) if copy and copy.body and copy.body["items"] else None
        must = wanted.get(case)
        if (has and has.shape) != (must and must.shape):
            result.says(
                f"    case {case}: must hold {len(must.items) if must else 0} items, "
                f"holds {len(has.items) if has else 0} of document {copy and copy.document}; "
                f"delivery {row and dict(row)}"
            )


async def _refolded(stack: Stack, result: Result) -> None:
    """C3: every row of every service's tables, and every figure, is what a refold of the journals gives."""
    tables, figures = await indicators.verify(stack)
    for name in SERVICES:
        tables += await verify.verify(stack, name) if name != "metrics" else []
    for table in tables:
        rows = f"C3: rows of {table.view}.{table.table} that differ from a refold"
        result.found("differing", table.differing, rows)
    wrong = sum(not year.same for year in figures)
    result.found("differing", wrong, "C3: years whose figures differ from a refold")


async def _readings(stack: Stack, reader: Reader, result: Result) -> None:
    """C8: each reading is on record once; one whose answer was lost may be."""
    url = stack.admin_database_url("views")
    (row,) = await databases.fetch(url, READINGS, reader.actor.subject)
    recorded = row["count"]
    if not reader.answered <= recorded <= reader.answered + reader.unknown:
        result.says(
            f"C8: {recorded} readings are on record, but {reader.answered} were answered "
            f"and {reader.unknown} ended in doubt"
        )
