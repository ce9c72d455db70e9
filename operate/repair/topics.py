"""Topics that were lost, filled again: events from the journals, documents from what views holds.

The relays do it: they see a topic with a new id and send everything again, with the same ids and
versions, in order. Here the topics, users and rights are made, and the outcome is proved.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from operate.install import Refused
from operate.places import SERVICES
from operate.repair.place import journals
from operate.repair.screen import progress
from operate.stack import Stack
from shared.broker import HEARTBEATS, Topic, TopicPartition, consumer, describe, stop
from shared.db import Pool
from shared.kill import point
from shared.settings import Kafka

POLL = 0.3  # seconds
PATIENCE = 120.0  # seconds without any progress
AGENCIES = """
select agency from subscription where public_key is not null and not quarantined order by 1"""
TRY_NOW = "update delivery set retry_at = null where refused is not null"
OTHER = """
select coalesce(sum(cardinality(seqs)), 0) from sent where topic_id < $1 or topic_id > $1"""
UNSENT = """
select count(*) from unsent join journal j using (seq)
 where not exists (select from held h where h.stream = j.stream and h.version < j.version)"""
EVENTS = "select count(*) from journal"
SENT = """
select partition, count(*) as events, count(distinct "offset") as places, max("offset") as last
  from place where topic_id = $1 group by partition"""
HELD_BACK = "select (select count(*) from unsent) + (select count(*) from held)"
DOCUMENTS = """
select d.agency, count(*) as documents, max("offset") as last,
       count(*) filter (where s.paused = '{}' and
                        ((document, edition, ended)
                         is distinct from (sent_document, sent_edition, sent_ended)
                         or topic_id is distinct from i.id)) as unsent
  from delivery d join unnest($1::text[], $2::text[]) i (agency, id) using (agency)
  join subscription s using (agency)
 group by d.agency order by d.agency"""


@dataclass(frozen=True)
class Filled:
    """One topic. `items`: events of the journal, or documents. `records`: what the topic holds;
    more than `items` where something was sent twice, which harms nobody. `missing`: not on it.
    """

    topic: str
    items: int
    records: int
    missing: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


async def rebuild(stack: Stack) -> dict[str, Any]:
    """Make what is not there, wait until the relays have sent everything, and compare."""
    if stopped := [name for name in SERVICES if stack.pid(name) is None]:
        raise Refused(
            f"{', '.join(stopped)} must run, its relay fills its topic; start it with ./tsunagu up"
        )
    began = time.monotonic()
    async with journals(stack) as every:
        codes = [row["agency"] for row in await every["views"].fetch(AGENCIES)]
        made = await asyncio.to_thread(provide, stack, codes)
        point("repair.provided")
        await every["views"].execute(TRY_NOW)
        kafka = as_administrator(stack)
        views = {f"view.{code}": code for code in codes}
        topics = await describe(kafka, [*SERVICES, *views])
        total = sum([await db.fetchval(EVENTS) for db in every.values()])
        await sent(every, topics, views, total)
        await heard(kafka)
        filled = await compared(every, topics, views, await ends(kafka, topics))
    seconds = time.monotonic() - began
    events = sum(one.items for one in filled if one.topic in SERVICES)
    return {
        "made": made,
        "topics": [one.document() for one in filled],
        "events": events,
        "missing": sum(one.missing for one in filled),
        "seconds": round(seconds, 1),
        "events_per_second": round(events / seconds),
    }


def provide(stack: Stack, codes: list[str]) -> list[str]:
    made = stack.provide_topics()
    stack.agencies(codes)
    return made


def as_administrator(stack: Stack) -> Kafka:
    client = {name: str(value) for name, value in stack.kafka_client().items()}
    return Kafka(
        bootstrap=client["bootstrap.servers"],
        username=client["sasl.username"],
        password=client["sasl.password"],
        mechanism=client["sasl.mechanism"],
        security_protocol=client["security.protocol"],
    )


async def sent(
    journals: Mapping[str, Pool], topics: Mapping[str, Topic], views: Mapping[str, str], total: int
) -> None:
    """Wait until nothing is left to send that can be sent."""
    with progress("events and documents", total) as shown:
        least, since = None, time.monotonic()
        while left := await unsent(journals, topics, views):
            if least is None or left < least:
                least, since = left, time.monotonic()
            if time.monotonic() - since > PATIENCE:
                raise Refused(
                    f"{left} events or documents are not sent and their number does not fall; look "
                    "into the services' logs, then run this again"
                )
            shown(max(0, total - left))
            await asyncio.sleep(POLL)


async def unsent(
    journals: Mapping[str, Pool], topics: Mapping[str, Topic], views: Mapping[str, str]
) -> int:
    left: int = sum(row["unsent"] for row in await documents(journals, topics, views))
    for name, db in journals.items():
        left += await db.fetchval(OTHER, topics[name].id) + await db.fetchval(UNSENT)
    return left


async def documents(
    journals: Mapping[str, Pool], topics: Mapping[str, Topic], views: Mapping[str, str]
) -> list[Any]:
    ids = [topics[topic].id for topic in views]
    return list(await journals["views"].fetch(DOCUMENTS, list(views.values()), ids))


async def heard(kafka: Kafka) -> None:
    """Wait until each service has said of itself that all is sent."""
    reader = consumer(kafka, None)
    await reader.start()
    missing = set(SERVICES)
    try:
        place = TopicPartition(HEARTBEATS, 0)
        reader.assign([place])
        await reader.seek_to_beginning(place)
        async with asyncio.timeout(PATIENCE):
            while missing:
                for records in (await reader.getmany(place, timeout_ms=500)).values():
                    missing -= {(record.key or b"").decode() for record in records}
    except TimeoutError:
        raise Refused(
            f"{', '.join(sorted(missing))} did not send a heartbeat; look into its log"
        ) from None
    finally:
        await stop(reader)


async def ends(kafka: Kafka, topics: Mapping[str, Topic]) -> dict[TopicPartition, int]:
    reader = consumer(kafka, None)
    await reader.start()
    try:
        places = [place for topic in topics.values() for place in topic.places]
        return dict(await reader.end_offsets(places))
    finally:
        await stop(reader)


async def compared(
    journals: Mapping[str, Pool],
    topics: Mapping[str, Topic],
    views: Mapping[str, str],
    ends: Mapping[TopicPartition, int],
) -> list[Filled]:
    """An event is on its topic when it has a place of its own below the end."""
    found = []
    for name, db in journals.items():
        rows = await db.fetch(SENT, topics[name].id)
        there = sum(
            row["places"]
            for row in rows
            if row["last"] < ends[TopicPartition(name, row["partition"])]
        )
        items = sum(row["events"] for row in rows) + await db.fetchval(HELD_BACK)
        records = sum(ends[place] for place in topics[name].places)
        found.append(Filled(name, items, records, items - there))
    for row in await documents(journals, topics, views):
        topic = f"view.{row['agency']}"
        end = ends[TopicPartition(topic, 0)]
        lost = row["unsent"] or (row["last"] is not None and row["last"] >= end)
        found.append(Filled(topic, row["documents"], end, int(lost)))
    return found
