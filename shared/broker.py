"""Kafka clients in one place: the settings that keep events safe are not the libraries' defaults."""

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from confluent_kafka import KafkaError as ConfluentError
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from pydantic_core import to_json

from shared.contracts import Envelope
from shared.fetching import Pause, at_once, fetching
from shared.ids import uuid_in
from shared.loops import slips
from shared.settings import Kafka

SERVICE_TOPICS = ("intake", "referral", "meetings", "views", "metrics")
HEARTBEATS = "heartbeats"
CONTENT_TYPE = b"application/json"
TOLD = (
    *("ce_id", "ce_stream", "ce_version", "ce_type", "ce_time", "ce_occurredat"),
    *("ce_actor", "ce_agency", "ce_correlationid"),
)
_told = itemgetter(*TOLD)
MAYBE = ("ce_basis", "ce_causationid", "ce_traceparent")
BETWEEN = b"\x1f"
UNTOLD = bytes((*range(0x1F), 127))
"""Control characters: no name, id or code of ours holds one, and BETWEEN is between them here."""
LARGEST_REQUEST, LARGEST_BATCH = 1_048_576, 262_144
"""Bytes: of a record, and of records that go together; one larger than a batch goes alone."""
ABSENT = (ConfluentError.UNKNOWN_TOPIC_OR_PART, ConfluentError.TOPIC_AUTHORIZATION_FAILED)

__all__ = [
    "ConsumerRebalanceListener",
    "KafkaError",
    "MessageSizeTooLargeError",
    "TopicPartition",
]


def _login(kafka: Kafka) -> dict[str, Any]:
    login: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap}
    if "SSL" in kafka.security_protocol:
        login["ssl_context"] = ssl.create_default_context()
    if kafka.username:
        login |= {
            "security_protocol": kafka.security_protocol,
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password,
        }
    return login


def producer(kafka: Kafka) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **_login(kafka),
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        request_timeout_ms=10_000,
        max_batch_size=LARGEST_BATCH,
        max_request_size=LARGEST_REQUEST,
    )


def consumer(kafka: Kafka, group: str | None, pause: Pause = at_once) -> AIOKafkaConsumer:
    """`group` None: partitions are assigned by hand and nothing is committed. `pause`: of a member, before it
    fetches again when a little has come.
    """
    membership: dict[str, Any] = {}
    if group:
        instance = f"{kafka.instance}.{group}" if kafka.instance else None
        membership = {
            "pause": pause,
            "group_id": group,
            "group_instance_id": instance,
            "partition_assignment_strategy": (RangePartitionAssignor,),
            "session_timeout_ms": kafka.session_timeout_ms,
            "heartbeat_interval_ms": kafka.session_timeout_ms // 4,
        }
    return (_Member if group else AIOKafkaConsumer)(
        **_login(kafka),
        **membership,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=500,
        metadata_max_age_ms=10_000,
    )


class _Member(AIOKafkaConsumer):  # type: ignore[misc]
    def __init__(self, *, pause: Pause, **settings: Any) -> None:
        super().__init__(**settings)
        self._pause = pause

    async def start(self) -> None:
        await super().start()
        fetching(self, self._pause)


class Patience:
    """Of somebody who reads up to an end that the broker named: it may not stay silent for ever."""

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds, self._since = seconds, time.monotonic()

    def got(self, records: int) -> None:
        """Call after each fetch. Raises KafkaError when nothing has come for so long."""
        now = time.monotonic()
        if records:
            self._since = now
        elif now - self._since > self._seconds:
            raise KafkaError("the broker does not give what it says it has")


async def stop(reader: AIOKafkaConsumer) -> None:
    """End a consumer. One that was started a moment ago raises the CancelledError of a task of its
    own that never ran; in a task group that would end a loop without a word.
    """
    with slips():
        await reader.stop()


@dataclass(frozen=True, slots=True)
class Topic:
    """`id` is the broker's own: a topic made anew under the same name has another one."""

    id: str
    places: tuple[TopicPartition, ...]


async def describe(
    kafka: Kafka, topics: Iterable[str], *, lenient: bool = False
) -> dict[str, Topic]:
    """Raises KafkaError for a topic that is not there (`lenient`: leaves it out) or a broker
    that does not answer.
    """
    return await asyncio.to_thread(_describe, kafka, tuple(topics), lenient)


def _describe(kafka: Kafka, topics: tuple[str, ...], lenient: bool) -> dict[str, Topic]:
    admin = _admin(kafka)  # held to the end: another thread may give it up meanwhile
    found = admin.describe_topics(TopicCollection(list(topics)), request_timeout=5)
    described: dict[str, Topic] = {}
    for name, future in found.items():
        try:
            topic = future.result()
        except KafkaException as error:
            if lenient and error.args[0].code() in ABSENT:
                continue
            _admin.cache_clear()  # it may wait for a controller that is gone; a new one finds another
            raise KafkaError(f"topic {name} is not described: {error}") from error
        places = sorted(partition.id for partition in topic.partitions)
        described[name] = Topic(str(topic.topic_id), tuple(TopicPartition(name, p) for p in places))
    return described


@cache
def _admin(kafka: Kafka) -> AdminClient:
    settings: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap}
    if kafka.username:
        settings |= {
            "security.protocol": kafka.security_protocol,
            "sasl.mechanism": kafka.mechanism,
            "sasl.username": kafka.username,
            "sasl.password": kafka.password,
        }
    return AdminClient(settings, logger=_Quiet())


class _Quiet:
    """librdkafka writes its connection troubles to stderr otherwise; callers see the error."""

    def log(self, *_: Any, **__: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return self.log


class Message(NamedTuple):
    """One record to send; `value` None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def headers_of(envelope: Envelope, schema: str) -> list[tuple[str, bytes]]:
    e = envelope
    return headers_from(
        schema.encode(),
        e.key.encode(),
        str(e.id).encode(),
        e.type.encode(),
        e.at.isoformat().encode(),
        e.stream.encode(),
        str(e.version).encode(),
        e.occurred_at.isoformat().encode(),
        e.actor.encode(),
        e.agency.encode(),
        str(e.correlation).encode(),
        (e.basis or "").encode(),
        str(e.causation or "").encode(),
        (e.traceparent or "").encode(),
    )


def headers_from(
    topic: bytes, key: bytes, id: bytes, type: bytes, at: bytes, stream: bytes, version: bytes,
    occurred_at: bytes, actor: bytes, agency: bytes, correlation: bytes,
    basis: bytes, causation: bytes, traceparent: bytes,
) -> list[tuple[str, bytes]]:  # fmt: skip
    """CloudEvents 1.0, Kafka binary mode. What is empty of the last three is left out."""
    made = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id),
        ("ce_source", b"/" + topic),
        ("ce_type", type),
        ("ce_time", at),
        ("ce_dataschema", b"urn:tsunagu:schema:" + type),
        ("ce_stream", stream),
        ("ce_version", version),
        ("ce_occurredat", occurred_at),
        ("ce_actor", actor),
        ("ce_agency", agency),
        ("ce_correlationid", correlation),
        ("content-type", CONTENT_TYPE),
    ]
    kind, _, rest = stream.partition(b"/")
    if kind == b"case" or key != rest:
        made.append(("ce_subject", key))
    if basis:
        made.append(("ce_basis", basis))
    if causation:
        made.append(("ce_causationid", causation))
    if traceparent:
        made.append(("ce_traceparent", traceparent))
    return made


def envelope_in(headers: Iterable[tuple[str, bytes | None]], key: bytes | None) -> Envelope:
    """Raises ValueError or KeyError for headers that are not one of our events."""
    return envelope_told(told_in(dict(headers), key))


def told_in(headers: Mapping[str, bytes | None], key: bytes | None) -> bytes:
    """What they say, in the order of an envelope, BETWEEN each; empty for what they leave out. Raises
    as `envelope_in`, but looks into none of it.
    """
    id, stream, version, *others = _told(headers)
    basis, causation, trace = MAYBE
    told = (
        id, stream, version, key, *others,
        headers.get(basis, b""), headers.get(causation, b""), headers.get(trace, b""),
    )  # fmt: skip
    try:
        text = BETWEEN.join(told)
    except TypeError:
        text = BETWEEN.join([value or b"" for value in told])
    _printable(text)
    return text


def place_in(headers: Mapping[str, bytes | None]) -> tuple[str, int]:
    """Stream and version alone. Raises as `told_in`."""
    text = headers["ce_stream"] or b""
    _printable(text)
    stream = text.decode()
    return stream, _numbered(stream, (headers["ce_version"] or b"").decode())


def _printable(text: bytes) -> None:
    if len(text.translate(None, UNTOLD)) != len(text):
        raise ValueError("a character that no text of ours holds")


def _numbered(stream: str, version: str) -> int:
    if stream and version.isascii() and version.isdigit() and 0 < (number := int(version)) < 2**31:
        return number
    raise ValueError("no stream, or no version")


def envelope_told(told: bytes) -> Envelope:
    """Of `told_in`. Raises ValueError."""
    (
        id, stream, version, named, type_, at, occurred_at, actor, agency, correlation,
        basis, causation, trace,
    ) = told.decode().split("\x1f")  # fmt: skip
    told_at = _moment(at)
    return tuple.__new__(  # as Envelope(…), which is a function in Python
        Envelope,
        (
            uuid_in(id),
            stream,
            _numbered(stream, version),
            named,
            type_,
            told_at,
            told_at if occurred_at == at else _moment(occurred_at),
            actor,
            agency,
            uuid_in(correlation),
            basis or None,
            uuid_in(causation) if causation else None,
            trace or None,
        ),
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without offset")
    return moment


def event_message(topic: str, envelope: Envelope, wire: dict[str, Any] | bytes) -> Message:
    """`wire` as JSON already, or still to be made."""
    value = wire if isinstance(wire, bytes) else to_json(wire)
    return Message(topic, envelope.key.encode(), value, headers_of(envelope, topic))
