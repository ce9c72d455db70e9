"""The agency kit against a real broker: in sync, on its own place, certified, and nothing else open."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from joserfc import jwe
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from agency import Copy, Credentials, Subscriber
from agency.__main__ import app
from agency.broker import consumer, record_of
from agency.certify import certify
from agency.copy import Position
from agency.samples.screens import keep
from agency.sealed import Change, Record
from agency.taking import take
from operate.stack import Stack

pytestmark = pytest.mark.slow


class Topic:
    """One agency's topic from the city's side: seals and sends as views does."""

    def __init__(self, stack: Stack, code: str) -> None:
        self.stack = stack
        self.given = stack.agency(code)
        self.credentials = Credentials.model_validate(self.given.document())

    async def send(self, *records: tuple[str, int, int, Any]) -> None:
        """Each: handle, version, edition, and the body; None is a tombstone, bytes are sent as such."""
        kafka = self.stack.env("views")
        sender = AIOKafkaProducer(
            bootstrap_servers=kafka["KAFKA_BOOTSTRAP"],
            security_protocol=kafka["KAFKA_SECURITY_PROTOCOL"],
            sasl_mechanism=kafka["KAFKA_MECHANISM"],
            sasl_plain_username=kafka["KAFKA_USERNAME"],
            sasl_plain_password=kafka["KAFKA_PASSWORD"],
            enable_idempotence=True,
        )
        await sender.start()
        try:
            for handle, version, edition, body in records:
                await sender.send_and_wait(
                    self.given.topic, self._value(body), handle.encode(),
                    headers=_headers(handle, version, edition),
                )  # fmt: skip
        finally:
            await sender.stop()

    def _value(self, body: Any) -> bytes | None:
        if body is None or isinstance(body, bytes):
            return body
        plain = json.dumps(body, ensure_ascii=False).encode()
        padded = plain.ljust(-(-len(plain) // 4096) * 4096)
        public = OKPKey.import_key(self.given.public_key)
        header = {"alg": "ECDH-ES", "enc": "A256GCM"}
        return jwe.encrypt_compact(
            header, padded, public, algorithms=list(header.values())
        ).encode()

    @asynccontextmanager
    async def followed(self, copy: Copy, **more: Any) -> AsyncIterator[Subscriber]:
        """A subscriber that is caught up on entry."""
        follower = Subscriber(self.credentials, copy, **more)
        running = asyncio.create_task(follower.run())
        try:
            async with asyncio.timeout(30):
                await follower.caught_up()
            yield follower
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _headers(handle: str, version: int, edition: int) -> list[tuple[str, bytes]]:
    kind = "heartbeat" if handle == "_heartbeat" else "changed"
    fields = {
        "ce_specversion": "1.0", "ce_id": str(uuid4()), "ce_source": "/views",
        "ce_type": f"jp.tsunagu.view.{kind}.v1", "ce_version": str(version),
        "ce_edition": str(edition), "content-type": "application/jose",
    }  # fmt: skip
    return [(name, value.encode()) for name, value in fields.items()]


def document(handle: str, version: int, items: int = 1) -> dict[str, Any]:
    item: dict[str, Any] = {
        "item": "i", "type": "case.person_described", "field": "name", "class": "contact",
        "person": "p", "value": "生駒", "occurred_at": "2026-04-01T09:00:00+09:00",
        "recorded_by": None, "bases": [],
    }  # fmt: skip
    cause = "content_changed" if items else "content_ended"
    return {
        "handle": handle, "document": version, "cause": cause, "at": "2026-04-01T00:00:00Z",
        "persons": [], "items": [item] * items,
    }  # fmt: skip


@pytest.fixture
def topic(servers: Stack) -> Topic:
    return Topic(servers, f"kit-{uuid4().hex[:8]}")


async def test_the_copy_follows_and_goes_on_where_it_was(topic: Topic, tmp_path: Path) -> None:
    a, b = str(uuid4()), str(uuid4())
    await topic.send((a, 1, 1, document(a, 1)), (b, 1, 1, document(b, 1, 2000)))
    copy = Copy(tmp_path / "copy.db")
    async with topic.followed(copy) as follower:
        assert {held.handle: held.document for held in copy.documents()} == {a: 1, b: 1}
        await topic.send(
            (a, 2, 1, document(a, 2, 0)), (a, 2, 1, None), (b, 1, 2, document(b, 1)),
            ("_heartbeat", 1, 1, b'{"at": "2026-04-02T00:00:00Z"}'),
        )  # fmt: skip
        async with asyncio.timeout(30):
            await follower.caught_up()
    assert copy.content()[a] == (2, 1, None)
    assert copy.content()[b][:2] == (1, 2)
    position = copy.position(topic.given.topic)
    assert position
    assert position.up_to_date_at == "2026-04-02T00:00:00Z"

    await topic.send((a, 3, 1, document(a, 3)))
    seen: list[Change] = []
    async with topic.followed(copy, on_change=seen.extend):
        assert [(change.handle, change.version) for change in seen] == [(a, 3)]
    copy.close()


async def test_the_first_screen_of_the_demo_keeps_a_copy(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = str(uuid4()), str(uuid4())
    await topic.send((a, 1, 1, document(a, 1)), (b, 1, 1, document(b, 1, 2)), (b, 1, 1, None))
    copy = Copy(":memory:")
    async with asyncio.timeout(30):
        running = await keep(topic.credentials, copy)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    shown = capsys.readouterr().out
    assert f"{a}: name was recorded on 2026-04-01" in shown
    assert f"{b}: it is over" in shown
    copy.close()


async def test_a_place_that_the_topic_does_not_know_starts_it_anew(
    topic: Topic, tmp_path: Path
) -> None:
    handles = [str(uuid4()) for _ in range(3)]
    await topic.send(*((handle, 1, 1, document(handle, 1)) for handle in handles))
    for next_, last_id in ((99, "beyond the end"), (2, "of a topic that was")):
        copy = Copy(tmp_path / f"{next_}.db")
        copy.apply(topic=topic.given.topic, position=Position(next_, last_id))
        async with topic.followed(copy):
            assert sorted(copy.content()) == sorted(handles)
        copy.close()


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_was_told_badly_holds_after_catching_up_what_a_new_subscriber_holds(
    topic: Topic, seed: int
) -> None:
    """Of the deliveries a tenth was dropped, a fifth came twice, all out of order. To catch up is to read
    the topic from its start, as who is new does.
    """
    chance = Random(seed)
    handles = [str(uuid4()) for _ in range(8)]
    versions: Counter[str] = Counter()
    sent: list[tuple[str, int, int, Any]] = []
    for handle in chance.choices(handles, k=60):
        versions[handle] += 1
        version, ends = versions[handle], chance.random() < 0.2
        sent.append((handle, version, 1, document(handle, version, 0 if ends else version)))
        if ends:
            sent.append((handle, version, 1, None))
        elif chance.random() < 0.3:
            sent.append((handle, version, 2, document(handle, version, version + 1)))
    await topic.send(*sent)
    new, told_badly = Copy(":memory:"), Copy(":memory:")
    async with topic.followed(new):
        pass
    records = await delivered(topic)
    badly = [record for record in records if chance.random() >= 0.1]
    badly += chance.sample(badly, len(badly) // 5)
    chance.shuffle(badly)
    while badly:
        batch, badly = badly[:7], badly[7:]
        take(told_badly, batch, topic.credentials.keys(), topic.given.topic, move=False)
    missed = told_badly.content() != new.content()
    async with topic.followed(told_badly):
        pass
    assert told_badly.content() == new.content()
    assert missed, "the deliveries were so good that nothing had to be caught up"
    for copy in (new, told_badly):
        assert copy.refused(topic.given.topic) == []
        copy.close()


async def delivered(topic: Topic) -> list[Record]:
    """All that the topic holds."""
    reader, place = consumer(topic.credentials, None), TopicPartition(topic.given.topic, 0)
    reader.assign([place])
    await reader.start()
    try:
        await reader.seek_to_beginning(place)
        (end,) = (await reader.end_offsets([place])).values()
        found: list[Record] = []
        while await reader.position(place) < end:
            for messages in (await reader.getmany(place, timeout_ms=100)).values():
                found += map(record_of, messages)
        return found
    finally:
        await reader.stop()


async def test_poison_is_kept_aside_and_others_go_on(topic: Topic, tmp_path: Path) -> None:
    a, b = str(uuid4()), str(uuid4())
    await topic.send((a, 1, 1, b"no jwe"), (b, 1, 1, document(b, 1)))
    copy = Copy(tmp_path / "copy.db")
    async with topic.followed(copy) as follower:
        assert list(copy.content()) == [b]
        assert [refusal.handle for refusal in copy.refused(topic.given.topic)] == [a]
        await topic.send((a, 2, 1, document(a, 2)))
        async with asyncio.timeout(30):
            await follower.caught_up()
    assert copy.refused(topic.given.topic) == []
    copy.close()


async def test_certification_passes_and_finds_what_is_wrong(topic: Topic) -> None:
    a = str(uuid4())
    await topic.send((a, 1, 1, document(a, 1)), (a, 2, 1, document(a, 2)))
    others = ["intake", "heartbeats", topic.stack.agency("kit-other").topic, "view.nobody"]
    checks = await certify(topic.credentials, others)
    assert [check for check in checks if not check.passed] == []
    assert len(checks) == 4 + len(others) + 2

    await topic.send((a, 1, 1, document(a, 1)), ("x", 1, 1, b"no jwe"))
    found = _failed(await certify(topic.credentials, [topic.given.topic]))
    assert found == [
        "every record opens with our key",
        "versions of each handle only rise",
        f"topic {topic.given.topic} is refused",
    ]


async def test_certification_says_that_a_login_is_wrong(topic: Topic) -> None:
    wrong = topic.credentials.model_copy(update={"password": "wrong"})
    assert _failed(await certify(wrong)) == ["we can log in and read our topic"]


async def test_the_command_line(topic: Topic, tmp_path: Path) -> None:
    a = str(uuid4())
    await topic.send((a, 1, 1, document(a, 1)))
    (tmp_path / "c.json").write_text(json.dumps(topic.given.document()))
    arguments = ["--credentials", str(tmp_path / "c.json"), "--copy", str(tmp_path / "copy.db")]
    command = [sys.executable, "-m", "agency", "follow", *arguments, "--once"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert "1 documents with content" in output.decode()
    assert a in CliRunner().invoke(app, ["show", "--copy", arguments[3], a]).output


def _failed(checks: Sequence[Any]) -> list[str]:
    return [check.name for check in checks if not check.passed]
