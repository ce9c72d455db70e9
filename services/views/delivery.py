"""Delivery: each agency's newest documents, sealed to its key, as state on its own topic."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from shared.basis import World
from shared.broker import KafkaError, Message, MessageSizeTooLargeError, TopicPartition
from shared.contracts.views import DocumentChanged
from shared.db import DISK, LINES, UNWAITED, Connection, lines
from shared.ids import uuid7
from shared.journal import Context
from shared.kill import point
from shared.problems import Problem
from shared.relay import Ack
from shared.runtime import Runtime

from .domain import disclosure
from .domain.disclose import Shown, disclose
from .domain.document import (
    Handles,
    as_recorded,
    canonical,
    content,
    digest,
    mark,
    numbered,
    numbered_text,
    outward,
)
from .judge import Judge, Told
from .seal import Seal, sealed_to
from .view import newest_documents

BATCH, OPENED_TOGETHER = 100, 25
HEARTBEAT_SECONDS, LOOK_SECONDS, IDLE_SECONDS = 120.0, 0.5, 0.1
RETRY, AGAIN_SOON, AGAIN_LATER, AGAIN_MUCH_LATER = "30 seconds", "1 second", "10 minutes", "1 hour"
TOO_LARGE = "too-large"

WITHDREW = """exists (
        select from journal where stream = 'disclosure/' || d.agency || '/' || d.case_id
           and (data ->> 'cause' = 'content_ended' or jsonb_array_length(data -> 'withdrawn') > 0)
           and (data ->> 'document')::int > sent_document)"""
"""Of `delivery` d: something of what was sent has been withdrawn since."""
SEALABLE = """s.public_key is not null and not s.quarantined
   and not exists (select from journal
                    where stream = 'subscription/' || s.agency and version > s.version)"""
"""Of `subscription` s. A word that is in the journal and not folded yet is waited for: what was revoked a
moment ago is not sealed to.
"""
DUE = f"""(document, edition, d.ended) is distinct from (sent_document, sent_edition, sent_ended)
   and {SEALABLE}
   and (s.paused = '{{}}' or d.ended or document = sent_document
        or (sent_document > 0 and edition > sent_edition) or {WITHDREW})"""
"""Of `delivery` d and `subscription` s: this document is to be sent. To a paused agency only what
takes content away, or seals anew what it was sent.
"""
STILL = f"""
select agency, public_key from subscription s where agency = any($1::text[]) and {SEALABLE}"""
PENDING = f"""
select d.*, s.public_key, n.data as recorded, n.at as recorded_at,
       not c.dirty and (c.judge_at is null or c.judge_at > $3) as judged,
       case when d.refused = '{TOO_LARGE}' then {WITHDREW} else false end as emptied
  from delivery d join subscription s using (agency) left join live.cases c on c.id = d.case_id
       left join lateral (
       select data, at from journal
        where stream = 'disclosure/' || d.agency || '/' || d.case_id and type = $2
          and (s.paused = '{{}}' or (data ->> 'document')::int <= d.sent_document or {WITHDREW})
        order by version desc limit 1) n on true
 where {DUE} and (retry_at is null or retry_at < now())
 order by shrinks desc, changed_at, case_id, agency limit $1"""
"""`recorded`: what is sent; to a paused agency that may be what it was sent, though there is a newer one.
`emptied`: what takes something away is larger than a record may be, and goes without content.
"""
MARK = f"""
update delivery d
   set sent_document = m.document, sent_edition = m.edition, sent_ended = m.ended,
       topic_id = m.topic_id, "offset" = m.at, refused = case when m.emptied then '{TOO_LARGE}' end,
       edition = d.edition + (m.early or m.emptied)::int,
       retry_at = case when m.early then now() + interval '{AGAIN_SOON}'
                       when m.emptied then now() + interval '{AGAIN_MUCH_LATER}' end,
       sent_mark = m.mark, sent_at = $1,
       resend_at = case when m.ended or d.receipt_document >= m.document then null
                        else now() + interval '1 day' end
  from unnest({LINES.format(2)}::text[], {LINES.format(3)}::uuid[], {LINES.format(4)}::int[],
              {LINES.format(5)}::int[], {LINES.format(6)}::bool[], {LINES.format(7)}::text[],
              {LINES.format(8)}::bigint[], {LINES.format(9)}::text[], {LINES.format(10)}::bool[],
              {LINES.format(11)}::bool[])
       m (agency, case_id, document, edition, ended, topic_id, at, mark, early, emptied), {DISK}
 where d.agency = m.agency and d.case_id = m.case_id and {UNWAITED}"""
"""What it marked is sent again, as the same edition, if it is lost. `early`: less or other than is on record
was sent, for a change that nobody had judged; if that is undone before anybody does, the record stays
and nothing else would send it: so it goes again, as the next edition. What was `emptied` is tried whole
after a while, as the next edition too.
"""
REFUSE = f"""
update delivery set refused = $2, retry_at = now() + interval '{RETRY}' where agency = $1"""
HOLD = f"""
update delivery d set refused = '{TOO_LARGE}',
       retry_at = case when d.refused is distinct from '{TOO_LARGE}' and {WITHDREW} then null
                       else now() + interval '{AGAIN_MUCH_LATER}' end
 where (agency, case_id) = ($1, $2)
returning retry_at is null"""
NOT_OPENED = f"""
update delivery set refused = 'not-opened', retry_at = now() + interval '{AGAIN_LATER}'
 where (agency, case_id) in (select * from unnest($1::text[], $2::uuid[]))"""
LATER = f"""
update delivery set retry_at = now() + interval '{AGAIN_SOON}'
 where (agency, case_id) in (select * from unnest($1::text[], $2::uuid[]))"""
TOPICS = """
select 'view.' || agency as topic, paused <> '{}' as paused from subscription
 where public_key is not null and not quarantined order by 1"""
OTHER_TOPIC = """
update delivery set sent_document = 0 where agency = $1 and topic_id is distinct from $2"""
AGAIN = "update delivery set sent_document = 0 where 'view.' || agency = any($1::text[])"
LAST = """
select distinct on (agency) agency, handle, "offset" from delivery
 where topic_id = any($1::text[]) and sent_document > 0 order by agency, "offset" desc"""
ABOVE_END = """update delivery set sent_document = 0 where agency = $1 and "offset" >= $2"""

log = structlog.get_logger()

Place = tuple[str, UUID]
"""Agency and case."""


class Opened(NamedTuple):
    """`early`: of these that are found, those not as on record, of cases that are still to be judged;
    `broken`: what does not open, and waits for a repair.
    """

    found: Mapping[Place, dict[str, Any]]
    early: Set[Place]
    broken: Set[Place]


NONE = Opened({}, set(), set())


class Delivery:
    """An outbox of state: only the newest document of a case is ever sent, so neither a replay
    nor a rebuilt broker can bring back what was withdrawn. Content is read and opened now, by
    the references that were recorded.
    """

    lenient = True
    batch = BATCH

    def __init__(self, rt: Runtime, seal: Seal | None = None) -> None:
        self._rt, self._seal = rt, seal or sealed_to
        self._beaten: dict[str, float] = {}
        self._looked = 0.0

    async def topics(self, db: Connection) -> Sequence[str]:
        return [row["topic"] for row in await db.fetch(TOPICS)]

    async def reconcile(
        self, db: Connection, ids: Mapping[str, str], ends: Mapping[TopicPartition, int]
    ) -> None:
        for topic, id in ids.items():
            await db.execute(OTHER_TOPIC, topic.removeprefix("view."), id)
        for place, end in ends.items():
            await db.execute(ABOVE_END, place.topic.removeprefix("view."), end)

    async def last(
        self, db: Connection, ids: Mapping[str, str], places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, bytes]]:
        rows = await db.fetch(LAST, list(ids.values()))
        return {
            TopicPartition(f"view.{row['agency']}", 0): (row["offset"], str(row["handle"]).encode())
            for row in rows
        }

    def telling(self, record: Any) -> bytes | None:
        return bytes(record.key or b"")

    async def pending(
        self, db: Connection, sending: Sequence[Any] = ()
    ) -> Sequence[tuple[Any, Message]]:
        if sending:  # a document on its way may be recorded anew: one after another
            return []
        now = self._rt.clock.now()
        rows = await db.fetch(PENDING, self.batch, DocumentChanged.TYPE, now)
        made: list[tuple[Any, Message]] = []
        began = asked = time.monotonic()
        for n in range(0, len(rows), OPENED_TOGETHER):
            made += await self._messages(db, rows[n : n + OPENED_TOGETHER])
            await asyncio.sleep(0)  # requests do not wait for the whole batch
            if n + OPENED_TOGETHER < len(rows) and time.monotonic() - asked > IDLE_SECONDS:
                await db.execute("select 1")  # or the idle session, and its lock, end meanwhile
                asked = time.monotonic()
        if made and time.monotonic() - began > IDLE_SECONDS:
            return await self._still(db, made)
        return made if rows else await self._heartbeats(db)

    async def _still(
        self, db: Connection, made: Sequence[tuple[Any, Message]]
    ) -> Sequence[tuple[Any, Message]]:
        """Less what was sealed to a key that was given up meanwhile, or to who is in quarantine by now."""
        agencies = {token["agency"] for token, _ in made}
        rows = await db.fetch(STILL, sorted(agencies))
        keys = {row["agency"]: row["public_key"] for row in rows}
        return [one for one in made if keys.get(one[0]["agency"]) == one[0]["public_key"]]

    async def mark(self, db: Connection, acks: Sequence[Ack]) -> None:
        sent = [
            (token, ack.topic_id, offset)
            for ack in acks
            for token, offset in ack.each()
            if token is not None
        ]
        named = ("agency", "case_id", "document", "edition", "ended")
        await db.execute(
            MARK,
            self._rt.clock.now(),
            *[lines(token[name] for token, _, _ in sent) for name in named],
            lines(topic_id for _, topic_id, _ in sent),
            lines(offset for _, _, offset in sent),
            lines(token["mark"] for token, _, _ in sent),
            lines(token["early"] for token, _, _ in sent),
            lines(token["emptied"] for token, _, _ in sent),
        )

    async def refuse(self, db: Connection, token: Any, error: KafkaError) -> bool:
        """A topic that refuses is held back and shown; the other agencies' documents flow. So is one
        document that is larger than a record may be: it can still be read over HTTP, and goes without
        content if it takes something away.
        """
        if token is not None and isinstance(error, MessageSizeTooLargeError):
            log.error("document.too_large", agency=token["agency"], handle=str(token["handle"]))
            emptied = await db.fetchval(HOLD, token["agency"], token["case_id"])
            await self._not_taken(token, emptied)
        elif token is not None:
            await db.execute(REFUSE, token["agency"], type(error).__name__)
        return True

    async def _not_taken(self, token: Any, emptied: bool) -> None:
        """On record (L21), once for each document."""
        agency, case, now = token["agency"], token["case_id"], self._rt.clock.now()
        context = Context(actor="views", agency=agency, at=now, occurred_at=now)
        what = disclosure.MarkNotTaken(token["document"], emptied)
        stream = f"disclosure/{agency}/{case}"
        await self._rt.journal.handle(disclosure.DECIDER, stream, str(case), what, context)

    async def overwritten(self, db: Connection, topics: Sequence[str]) -> None:
        """Theirs may be older than what we sent, and the newest record is what compaction keeps."""
        await db.execute(AGAIN, topics)

    async def _messages(self, db: Connection, rows: Sequence[Any]) -> list[tuple[Any, Message]]:
        """A case that was judged and has not changed since, allows what was recorded: if that was made a
        moment ago, it is sent as it is.
        """
        made: list[tuple[Any, Message]] = []
        again: dict[Place, tuple[DocumentChanged, datetime]] = {}
        plain: dict[Place, tuple[int, bytes]] = {}
        for row in rows:
            if row["recorded"] and not row["ended"]:
                place, at = (row["agency"], row["case_id"]), row["recorded_at"]
                if row["emptied"]:
                    plain[place] = row["recorded"]["document"], _emptied(row)
                elif text := self._made(row):
                    plain[place] = row["recorded"]["document"], text
                else:
                    again[place] = DocumentChanged.model_validate(row["recorded"]), at
        documents, early, broken = await opened(self._rt, again) if again else NONE
        plain |= {place: (one["document"], canonical(one)) for place, one in documents.items()}
        later: list[Place] = []
        for row in rows:
            place = row["agency"], row["case_id"]
            if row["ended"]:
                token = {**row, "mark": None, "early": False, "emptied": False}
                made.append((token, _tombstone(row)))
            elif place in plain:
                document, text = plain[place]
                as_sent = mark(self._rt.keys.index_key, outward(text))
                number = min(document, row["document"])
                token = {**row, "document": number, "mark": as_sent, "early": place in early}
                made.append((token, self._sealed(row, document, text)))
            elif place not in broken:
                later.append(place)
        for statement, places in ((LATER, later), (NOT_OPENED, broken)):
            if places:
                await db.execute(statement, *map(list, zip(*places, strict=True)))
        return made

    def _made(self, row: Any) -> bytes | None:
        judge: Judge = self._rt.state["judge"]
        recorded = row["recorded"]
        name = row["agency"], row["case_id"], recorded["digest"]
        content = judge.made.of(name) if row["judged"] and self._rt.applier.live else None
        if content is None:
            return None
        number, cause = recorded["document"], recorded["cause"]
        return numbered_text(content, str(row["handle"]), number, cause, row["recorded_at"])

    def _sealed(self, row: Any, document: int, plain: bytes) -> Message:
        # A newer one may have been recorded since the row was read: the record names what it holds.
        headers = _headers("view.changed", str(document), str(row["edition"]))
        sealed = self._seal(row["public_key"], plain)
        point("views.sealed")
        key = str(row["handle"]).encode()
        return Message(f"view.{row['agency']}", key, sealed.encode(), headers)

    async def _heartbeats(self, db: Connection) -> list[tuple[Any, Message]]:
        """Tells a subscriber that it is up to date (or paused), and lets old segments be compacted."""
        now = time.monotonic()
        found: list[tuple[Any, Message]] = []
        if now - self._looked < LOOK_SECONDS:
            return found
        self._looked = now
        for topic, paused in await db.fetch(TOPICS):
            if now - self._beaten.get(topic, -HEARTBEAT_SECONDS) >= HEARTBEAT_SECONDS:
                self._beaten[topic] = now
                beat = {"at": datetime.now(UTC).isoformat(), **({"paused": True} if paused else {})}
                value = json.dumps(beat).encode()
                headers = _headers("view.heartbeat", "0", "0", "application/json")
                found.append((None, Message(topic, b"_heartbeat", value, headers)))
        return found


async def document_of(
    rt: Runtime, agency: str, case: UUID
) -> tuple[dict[str, Any], DocumentChanged]:
    """The newest recorded document, opened; less what by now no basis allows or was erased. And
    its record. Raises Problem (503) where this view may only be behind.
    """
    recorded, at = (await newest_documents(rt.pool, [(agency, case)]))[agency, case]
    return await opened_again(rt, agency, case, recorded, at), recorded


async def opened_again(
    rt: Runtime, agency: str, case: UUID, recorded: DocumentChanged, at: datetime
) -> dict[str, Any]:
    """A document as it was recorded at some time, less what by now no basis allows or was erased.
    Raises Problem (503) where this view may only be behind.
    """
    found, _, broken = await opened(rt, {(agency, case): (recorded, at)})
    if not found:
        raise Problem("parked" if broken else "recovering")
    return found[agency, case]


async def opened(rt: Runtime, newest: Mapping[Place, tuple[DocumentChanged, datetime]]) -> Opened:
    """Documents as they were recorded, less what no basis allows now; those that must wait are left out.
    So is one that does not open: it holds up no other.

    The records were read first: what they name is among what is read now, unless this view was
    set back and catches up. Then a part must not take the place of the whole, under its number.
    """
    judge: Judge = rt.state["judge"]
    cases, now = list({case for _, case in newest}), rt.clock.now()
    async with rt.reads.acquire() as db, db.transaction(isolation="repeatable_read"):
        seen = await judge.look(db)
        whole = rt.applier.live and judge.heard.all(seen.positions)
        events, merges = await judge.events(db, cases)
        known = await judge.world(db, seen)
        left = await judge.left(db, cases, now)
    told: dict[UUID, Told] = {}
    found: dict[Place, dict[str, Any]] = {}
    early: set[Place] = set()
    broken: set[Place] = set()
    for (agency, case), (recorded, at) in newest.items():
        handles = Handles(rt.keys.index_key, agency)
        try:
            if case not in told:
                told[case] = Told(case, events, merges)
            made = content(handles, _shown(recorded, told[case], known, now))
        except Exception:
            log.exception("document.not_opened", agency=agency, handle=handles.of("case", case))
            broken.add((agency, case))
            continue
        settled = whole and case not in left
        same = settled or digest(rt.keys.index_key, made) == recorded.digest
        if whole or same:
            handle = handles.of("case", case)
            found[agency, case] = numbered(made, handle, recorded.document, recorded.cause, at)
        if not same and case in left:
            early.add((agency, case))
        await asyncio.sleep(0)  # requests do not wait for the whole batch
    return Opened(found, early, broken)


def _shown(recorded: DocumentChanged, told: Told, known: World, now: datetime) -> Shown:
    """What was recorded, less what no basis allows now."""
    places = {(ref.event, ref.field) for ref in recorded.items}
    facts = [f for f in (*told.facts, *told.mistaken) if (f.event, f.field) in places]
    return as_recorded(disclose(facts, told.bases, known, recorded.agency, now), recorded.items)


def _emptied(row: Any) -> bytes:
    recorded, handle = row["recorded"], str(row["handle"])
    content = {"persons": [], "items": [], "withheld": TOO_LARGE}
    number, cause = recorded["document"], recorded["cause"]
    return canonical(numbered(content, handle, number, cause, row["recorded_at"]))


def _tombstone(row: Any) -> Message:
    headers = _headers("view.changed", str(row["document"]), str(row["edition"]))
    return Message(f"view.{row['agency']}", str(row["handle"]).encode(), None, headers)


def _headers(
    kind: str, version: str, edition: str, content_type: str = "application/jose"
) -> list[tuple[str, bytes]]:
    fields = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid7()),
        "ce_source": "/views",
        "ce_type": f"jp.tsunagu.{kind}.v1",
        "ce_time": datetime.now(UTC).isoformat(),
        "ce_version": version,
        "ce_edition": edition,
        "content-type": content_type,
    }
    return [(name, value.encode()) for name, value in fields.items()]
