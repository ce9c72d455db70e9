"""Every event as it stands on its topic is a CloudEvent 1.0 in Kafka's binary mode, as the SDK reads it."""

import re
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.broker import envelope_in, event_message
from tests.contracts.goldens import Golden, goldens

EXTENSIONS = {
    "stream", "version", "occurredat", "actor", "agency", "basis", "correlationid", "causationid",
    "traceparent",
}  # fmt: skip
OPTIONAL = {"basis", "causationid", "traceparent"}
ALL = pytest.mark.parametrize("golden", [pytest.param(one, id=one.name) for one in goldens()])


def sent(golden: Golden) -> KafkaMessage:
    message = event_message(golden.topic, golden.envelope, golden.value)
    assert len(dict(message.headers)) == len(message.headers), "a header stands twice"
    assert message.value is not None
    return KafkaMessage(dict(message.headers), message.key, message.value)


def read(golden: Golden) -> CloudEvent:
    event = from_binary(sent(golden), JSONFormat())
    assert isinstance(event, CloudEvent)
    return event


@ALL
def test_the_sdk_reads_it(golden: Golden) -> None:
    event, envelope = read(golden), golden.envelope
    assert event.get_specversion() == "1.0"
    assert event.get_id() == str(envelope.id)
    assert event.get_source() == f"/{golden.topic}"
    assert event.get_type() == golden.type
    assert event.get_time() == envelope.at
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == golden.value
    assert event.get_extension("partitionkey") == golden.key


@ALL
def test_extensions_are_those_of_the_contract(golden: Golden) -> None:
    event, envelope = read(golden), golden.envelope
    core = {
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "dataschema",
        "datacontenttype",
    }
    extensions = event.get_attributes().keys() - core - {"partitionkey"}
    assert EXTENSIONS - OPTIONAL <= extensions <= EXTENSIONS
    assert event.get_extension("stream") == envelope.stream
    assert event.get_extension("version") == str(envelope.version)
    assert datetime.fromisoformat(event.get_extension("occurredat")) == envelope.occurred_at
    assert event.get_extension("correlationid") == str(envelope.correlation)


@ALL
def test_subject_is_the_case_and_nothing_else(golden: Golden) -> None:
    case = golden.value.get("case")
    assert read(golden).get_subject() == case
    assert golden.key == (case or golden.envelope.stream.partition("/")[2])


@ALL
def test_the_schema_is_named_by_its_type(golden: Golden) -> None:
    named = urlsplit(read(golden).get_dataschema() or "")
    assert re.search(rf"(^|[/:]){re.escape(golden.type)}(\.json)?$", named.path)


@ALL
def test_it_comes_back_from_the_sdk(golden: Golden) -> None:
    """What another producer writes with the SDK, we read as the same event."""
    back = to_binary(read(golden), JSONFormat())
    assert envelope_in(back.headers.items(), golden.key.encode()) == golden.envelope
