"""Outside tools against the running city: kcat, the CloudEvents SDK, Schemathesis, a search for leaks."""

import asyncio
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from shutil import which
from typing import Any

import confluent_kafka
import pytest
from aiokafka import AIOKafkaConsumer
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from operate.demo.records import ends
from operate.places import SERVICES
from tests.conftest import City
from tests.e2e.test_story import NAME, SON, Told, told
from tests.integration.test_replicas import back

__all__ = ["told"]

TOPICS = ("intake", "referral", "meetings", "views", "metrics")
SAID = (NAME, SON, "膝の痛み", "借金三百万円", "二十年家にいる", "母と息子", "近所の人")
TELLING_CODES = ("hikikomori", "family_visit", "undecided", "linked_elsewhere", "cannot_consent")


def administrator(city: City) -> dict[str, Any]:
    env = city.stack.env("views")
    return {
        "bootstrap_servers": env["KAFKA_BOOTSTRAP"],
        "security_protocol": env["KAFKA_SECURITY_PROTOCOL"],
        "sasl_mechanism": env["KAFKA_MECHANISM"],
        "sasl_plain_username": env["KAFKA_USERNAME"],
        "sasl_plain_password": env["KAFKA_PASSWORD"],
    }


async def records(city: City, *topics: str) -> list[Any]:
    reader = AIOKafkaConsumer(*topics, **administrator(city), auto_offset_reset="earliest")
    await reader.start()
    try:
        while not reader.assignment():
            await reader.getmany(timeout_ms=50)
        ends = await reader.end_offsets(reader.assignment())
        found: list[Any] = []
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for batch in (await reader.getmany(timeout_ms=200)).values():
                found += batch
        return found
    finally:
        await reader.stop()


async def test_the_cloudevents_sdk_reads_every_event(told: Told) -> None:
    await told.consent(told.hana, "care", classes=["contact"])
    found = await records(told.city, *TOPICS)
    assert found
    for record in found:
        message = KafkaMessage(dict(record.headers), record.key, record.value)
        event = from_binary(message, JSONFormat(), CloudEvent)
        assert event.get_type().startswith("jp.tsunagu.")
        assert event.get_extension("stream")
        assert isinstance(event.get_data(), dict)


async def test_the_agencys_own_topic_opens_with_its_key_and_nothing_else_with_its_login(
    told: Told, tmp_path: Path
) -> None:
    await told.consent(told.hana, "care", classes=["contact"])
    code = told.agencies["care"]
    given = await asyncio.to_thread(told.city.stack.agency, code)
    await asyncio.to_thread(told.city.stack.register, given)
    await told.city.settle()
    credentials = tmp_path / "care.json"
    credentials.write_text(json.dumps(given.document()))
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "agency", "certify", "--credentials", str(credentials)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


async def test_views_sends_on_after_it_was_killed(told: Told) -> None:
    """Its relay looks at what it has sent, with the rights that topics.yaml gives it."""
    consent = await told.consent(told.hana, "care", classes=["contact"])
    given = await asyncio.to_thread(told.city.stack.agency, told.agencies["care"])
    await asyncio.to_thread(told.city.stack.register, given)
    await told.city.settle()

    async def end() -> int:
        found = await asyncio.to_thread(ends, told.city.stack, [given.topic])
        return found[given.topic, 0][1]

    sent, before = await end(), told.city.stack.pid("views")
    told.city.stack.kill("views")
    await back(told.city, "views", before)
    window = told.at("intake", "window")
    await told.write(window, f"/v1/consents/{consent['id']}/withdrawal", {})
    assert sent < await end()


@pytest.mark.skipif(which("kcat") is None, reason="kcat is not on this machine")
async def test_kcat_reads_its_own_topic_and_is_refused_every_other(told: Told) -> None:
    await told.consent(told.hana, "care", classes=["contact"])
    given = await asyncio.to_thread(told.city.stack.agency, told.agencies["care"])
    await asyncio.to_thread(told.city.stack.register, given)
    await told.city.settle()
    newer = next(Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*"))
    # Kafka 4 refuses the SCRAM of librdkafka before 2.6.1 (kcat issue 462); Debian's kcat has 2.0.2.
    login = [
        "env", f"LD_PRELOAD={newer}", "kcat", "-b", given.bootstrap, "-X", "security.protocol=SASL_PLAINTEXT",
        "-X", f"sasl.mechanism={given.mechanism}", "-X", f"sasl.username={given.username}",
        "-X", f"sasl.password={given.password}",
    ]  # fmt: skip

    async def kcat(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run, [*login, *arguments], capture_output=True, text=True, timeout=60
        )

    own = await kcat("-C", "-t", given.topic, "-e", "-o", "beginning", "-f", "%k %h\\n")
    assert "ce_type=jp.tsunagu.view.changed.v1" in own.stdout, own.stderr
    for topic in (*TOPICS, "heartbeats", "view.somebody-else"):
        refused = await kcat("-C", "-t", topic, "-e", "-o", "beginning")
        assert not refused.stdout
        assert "authorization" in refused.stderr.lower(), refused.stderr
    group = await kcat("-G", "somebody-else.reader", given.topic, "-e")
    assert "authorization" in group.stderr.lower(), group.stderr


@pytest.mark.parametrize("service", SERVICES)
async def test_openapi_is_honest_and_nothing_breaks_a_service(city: City, service: str) -> None:
    """Schemathesis: no 5xx, no answer that the document does not describe."""
    roles = ("intake_worker", "coordinator", "supervisor", "operator", "planner", "agency_worker")
    token = city.stack.token("ikoma-kasaneru", roles, "outside")
    run = await asyncio.to_thread(
        subprocess.run,
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{city.stack.http(service)}/openapi.json",
            "--header",
            f"Authorization: Bearer {token}",
            "--phases",
            "fuzzing",
            "--max-examples",
            "8",
            "--seed",
            "1",
            "--no-color",
            "--checks",
            "not_a_server_error,response_schema_conformance,status_code_conformance,"
            "content_type_conformance,response_headers_conformance",
        ],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.e2e._schemathesis"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]


def written_ways(text: str) -> list[bytes]:
    """A text as it may lie in a file: UTF-8, UTF-16, base64 at each of three offsets, JSON escapes."""
    plain = text.encode()
    ways = [plain, text.encode("utf-16-le"), text.encode("utf-16-be")]
    ways += [json.dumps(text)[1:-1].encode()]
    for offset in range(3):
        coded = b64encode(b"x" * offset + plain)
        ways.append(coded[-(-offset * 8 // 6) : len(coded) - 4])
    return [way for way in ways if len(way) >= 6]


async def test_nothing_said_lies_readable_in_any_file_or_figure(told: Told) -> None:
    """Kafka's segments, PostgreSQL's data, logs and metrics."""
    await told.consent(told.hana, "care", classes=["contact"], status="undecided")
    stack = told.city.stack
    needles = [way for text in SAID for way in written_ways(text)]
    codes = [code.encode() for code in TELLING_CODES]
    searched = 0
    places = [stack.state / "kafka", stack.postgres.folder, stack.state / "log"]
    for place in places:
        for file in Path(place).rglob("*"):
            if not file.is_file() or file.suffix in (".index", ".timeindex"):
                continue  # Kafka's indexes are offsets and times, and 20 MB of zeros each
            try:
                content = file.read_bytes()
            except FileNotFoundError:
                continue
            searched += len(content)
            for needle in needles:
                assert needle not in content, f"{needle!r} in {file.name}"
            if "kafka" in file.parts:
                for code in codes:
                    assert code not in content, f"{code!r} in {file.name}"
    assert searched > 1_000_000
    for service in SERVICES:
        client = told.city.client(service, "ikoma-city", "operator")
        figures = (await client.get("/metrics")).content
        assert b"tsunagu_" in figures
        assert not [needle for needle in needles if needle in figures]
