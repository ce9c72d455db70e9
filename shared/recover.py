"""A database that was set back takes its missing events from its own topic before it writes again."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from pydantic_core import from_json

from shared.broker import Patience, TopicPartition, consumer, describe, envelope_in, stop
from shared.contracts import Envelope
from shared.journal import Journal
from shared.kill import point
from shared.settings import Kafka

START = """
select "offset" + cardinality(seqs) from sent
 where topic_id = $1 and partition = $2 and "offset" >= 0 order by "offset" desc limit 1"""
TAKE = """
with taken as (
    insert into journal (id, stream, version, key, type, data, at, occurred_at, actor, agency, basis,
                         correlation, causation, traceparent)
    values ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9, $10, $11, $12, $13, $14)
    on conflict do nothing returning seq)
insert into sent (topic_id, partition, "offset", seqs)
select $15::text, $16::int, $17::bigint, array[seq] from taken"""

log = structlog.get_logger()


async def take_back(journal: Journal, kafka: Kafka, topic: str) -> int:
    """Insert every event that the topic has and the journal has not, set its timers and
    remember its command; how many.
    """
    described = (await describe(kafka, [topic]))[topic]
    reader = consumer(kafka, None)
    await reader.start()
    taken = 0
    try:
        ends = await reader.end_offsets(described.places)
        behind: dict[TopicPartition, int] = {}
        for place in described.places:
            start = await journal.pool.fetchval(START, described.id, place.partition) or 0
            if start < ends[place]:
                behind[place] = start
        reader.assign(list(behind))
        for place, start in behind.items():
            reader.seek(place, start)
        patience = Patience()
        while behind:
            found = await reader.getmany(*behind, timeout_ms=500)
            patience.got(len(found))
            for records in found.values():
                taken += await _take(journal, described.id, records)
            for place in list(behind):
                if await reader.position(place) >= ends[place]:
                    reader.pause(place)
                    del behind[place]
    finally:
        await stop(reader)
    if taken:
        log.warning("journal.took_back", events=taken)
    return taken


async def _take(journal: Journal, topic_id: str, records: Sequence[Any]) -> int:
    """In one transaction; one by one where something among them can not be stored."""
    found = [event for record in records if (event := _event(record))]
    try:
        return await _insert(journal, topic_id, found)
    except asyncpg.DataError as error:  # what no row can hold came from no journal
        if len(found) == 1:
            return _refused(found[0][0], error)
        return sum([await _take(journal, topic_id, [record]) for record, _, _ in found])


def _event(r: Any) -> tuple[Any, Envelope, dict[str, Any]] | None:
    try:
        wire = from_json(r.value or b"")
        if not isinstance(wire, dict):
            raise ValueError
        return r, envelope_in(r.headers, r.key), wire
    except (ValueError, KeyError, RecursionError) as error:
        _refused(r, error)
        return None


def _refused(r: Any, error: Exception) -> int:
    log.error("journal.not_taken", topic=r.topic, offset=r.offset, error=type(error).__name__)
    return 0


async def _insert(
    journal: Journal, topic_id: str, found: Sequence[tuple[Any, Envelope, dict[str, Any]]]
) -> int:
    fresh = []
    async with journal.pool.acquire() as db, db.transaction():
        for r, e, wire in found:
            done = await db.execute(
                TAKE, UUID(str(e.id)), e.stream, e.version, e.key, e.type, r.value.decode(),
                e.at, e.occurred_at, e.actor, e.agency, e.basis, e.correlation, e.causation,
                e.traceparent, topic_id, r.partition, r.offset,
            )  # fmt: skip
            if done.endswith(" 1"):
                fresh.append((e, wire))
            point("recover.took")
        await journal.took(db, fresh)
    return len(fresh)
