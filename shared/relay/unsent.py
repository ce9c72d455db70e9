"""What of a journal is not on its topic yet, and where the rest of it is: three narrow tables.

`unsent` is written with the event and deleted when the broker has it; `sent` says where, a row for records
that went together; `held` is what the broker refuses. Rows of the journal are never touched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError

from shared.broker import KafkaError, Message, TopicPartition, headers_from
from shared.db import DISK, UNWAITED, Connection
from shared.relay.outbox import Ack

BATCH = 500
TOLD = (
    "key",
    "id",
    "type",
    "at",
    "stream",
    "version",
    "occurred_at",
    "actor",
    "agency",
    "correlation",
)
MAYBE = ("basis", "causation", "traceparent")
PENDING = f"""
select u.seq, convert_to(concat_ws(chr(10), {", ".join(TOLD)},
                         {", ".join(f"coalesce({name}::text, '')" for name in MAYBE)}, data), 'UTF8') as line
  from unsent u, lateral (select * from journal where seq = u.seq limit 1) j
 where u.seq not in (select unnest($2::bigint[]))
   and not exists (select from held h where h.stream = j.stream and h.version < j.version)
 order by u.seq limit $1"""
"""A row is one line: a driver that makes an object of each column took longer than all else of reading. No
text of the journal has a line's end: `stored` refuses one, and so does `envelope_in`.
"""
MARK = f"""
with m as materialized (
         select topic_id, partition, at, seqs::bigint[] as seqs
           from unnest($1::text[], $2::int[], $3::bigint[], $4::text[])
                m (topic_id, partition, at, seqs)),
     done as (delete from unsent where seq = any(array(select unnest(seqs) from m)))
insert into sent (topic_id, partition, "offset", seqs) select m.* from m, {DISK} where {UNWAITED}"""
"""What it marked is sent again, if it is lost."""
TIDY, TIDIED = 5_000, "vacuum (skip_locked) unsent"
"""After so many were sent. What was deleted stays in the index, before all that is next, and each look
passes it: 0.4 ms after 60,000 events, until the server comes round, once a minute.
"""
HOLD = """
with gone as (delete from unsent where seq = $1)
insert into held select seq, stream, version, $2 from journal where seq = $1 on conflict do nothing"""
RELEASE = """
with freed as (delete from held where stream = $1 returning seq)
insert into unsent select seq from freed on conflict do nothing"""
OTHER_TOPIC = """
with gone as (delete from sent where topic_id < $1 or topic_id > $1 returning seqs)
insert into unsent select unnest(seqs) from gone on conflict do nothing"""
LAST = """
select p.partition, l."offset", l.id from unnest($2::int[]) p (partition), lateral (
       select s."offset" + cardinality(s.seqs) - 1 as "offset", j.id
         from (select "offset", seqs from sent
                where topic_id = $1 and partition = p.partition and "offset" >= 0
                order by "offset" desc limit 1) s
         join journal j on j.seq = s.seqs[cardinality(s.seqs)]) l"""
ABOVE_END = """
with gone as (
         delete from sent where topic_id = $1 and partition = $2
            and ("offset" < 0 or "offset" > $3 - 1000 and "offset" + cardinality(seqs) > $3)
         returning "offset", seqs, at),
     kept as (
         insert into sent select $1, $2, "offset", seqs[:$3 - "offset"], at from gone
          where "offset" between 0 and $3 - 1)
insert into unsent
select unnest(case when "offset" between 0 and $3 - 1 then seqs[$3 - "offset" + 1:] else seqs end)
  from gone on conflict do nothing"""
"""What is at the end or above it, or nobody knows where; a run that reaches over the end is cut there.
None is longer than 1,000.
"""


class JournalOutbox:
    """The journal's unsent rows, to the service's own topic."""

    lenient = False
    batch = BATCH

    def __init__(self, topic: str) -> None:
        self._topic, self._source = topic, topic.encode()
        self._gone = 0

    async def topics(self, db: Connection) -> Sequence[str]:
        return [self._topic]

    async def reconcile(
        self, db: Connection, ids: Mapping[str, str], ends: Mapping[TopicPartition, int]
    ) -> None:
        await db.execute(OTHER_TOPIC, ids[self._topic])
        for place, end in ends.items():
            await db.execute(ABOVE_END, ids[self._topic], place.partition, end)

    async def last(
        self, db: Connection, ids: Mapping[str, str], places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, bytes]]:
        partitions = [place.partition for place in places]
        rows = await db.fetch(LAST, ids[self._topic], partitions)
        return {
            TopicPartition(self._topic, row["partition"]): (row["offset"], str(row["id"]).encode())
            for row in rows
        }

    def telling(self, record: Any) -> bytes | None:
        return dict(record.headers).get("ce_id")

    async def pending(
        self, db: Connection, sending: Sequence[Any] = ()
    ) -> Sequence[tuple[Any, Message]]:
        rows = await db.fetch(PENDING, self.batch, sending)
        return [(seq, self._message(line)) for seq, line in rows]

    def _message(self, line: bytes) -> Message:
        key, id, type, at, stream, version, occurred_at, *rest, wire = line.split(b"\n")
        headers = headers_from(
            self._source, key, id, type, _iso(at), stream, version, _iso(occurred_at), *rest
        )
        return Message(self._topic, key, wire, headers)

    async def mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        await db.execute(
            MARK,
            [ack.topic_id for ack in acks],
            [ack.partition for ack in acks],
            [ack.offset for ack in acks],
            [f"{{{','.join(map(str, ack.tokens))}}}" for ack in acks],
        )
        self._gone += sum([len(ack.tokens) for ack in acks])
        if self._gone >= TIDY:
            self._gone = 0
            await db.execute(TIDIED)

    async def refuse(self, db: Connection, token: Any, error: KafkaError) -> bool:
        if not isinstance(error, MessageSizeTooLargeError):
            return False
        await db.execute(HOLD, token, type(error).__name__)
        return True

    async def overwritten(self, db: Connection, topics: Sequence[str]) -> None:
        """Harmless: followers drop a version that they have."""


def _iso(moment: bytes) -> bytes:
    """As PostgreSQL writes it in UTC, to ISO 8601: 2026-11-28 04:03:08.123+00."""
    return moment[:10] + b"T" + moment[11:] + b":00"
