"""Who may do what on the broker: every login tries everything, and gets what the contract gives it."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka import KafkaError as E
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
)

from agency.broker import consumer
from agency.credentials import Credentials
from operate import agencies, topics
from operate.kafka import Kafka
from operate.places import SERVICES, Places
from operate.training import free_base
from tests.integration._kit import PATIENCE, until

pytestmark = pytest.mark.timeout(180)

CODES = (
    "ikoma", "ikoma-kaigo", "ikoma-kaigosha", "ikoma-kaigo-2", "kaigo", "clinic", "a", "view",
    "intake", "views", "metrics", "metrics-v1",  # called as services and their topics are
)  # fmt: skip
STREAMS = ("intake", "referral", "meetings", "views", "metrics")
FAUST = ("metrics-v1-timelines-changelog", "metrics-v1-__assignor-__leader")
TOPICS = (*STREAMS, "heartbeats", *FAUST, *(f"view.{code}" for code in CODES))
GROUPS = (
    *(f"{code}.system" for code in CODES), *(f"{name}-views" for name in STREAMS),
    "ikoma", "ikoma-kaigo", "ikoma-kaigo-", "intake",
)  # fmt: skip
DENIED = (
    E.TOPIC_AUTHORIZATION_FAILED,
    E.GROUP_AUTHORIZATION_FAILED,
    E.CLUSTER_AUTHORIZATION_FAILED,
)
HIDDEN = E._NOENT
"""The client's word for: of none of these topics the broker tells a leader."""
FRUITLESS = (E.POLICY_VIOLATION, E.TOPIC_ALREADY_EXISTS, E.GROUP_ID_NOT_FOUND, E.NON_EMPTY_GROUP)
"""The broker looked into it and had nothing to do: the right was there."""
REPROVE_MS = 5000
Cell = tuple[str, str]
"""Operation and name."""


class Login(NamedTuple):
    name: str
    kind: str  # service, agency, administrator or stranger
    settings: dict[str, Any]


def may(who: Login, operation: str, name: str) -> bool:
    """The contract's words (contract.md, "Streams and topics"), not topics.yaml's."""
    on_group = operation.startswith("group")
    if who.kind == "administrator":
        return True
    if who.kind == "agency":
        if on_group:
            return name.startswith(f"{who.name}.") and operation != "group delete"
        return name == f"view.{who.name}" and operation in ("describe", "offsets", "read")
    if who.kind == "stranger":
        return False
    if on_group:
        return name.startswith(f"{who.name}-") and operation != "group delete"
    own = [who.name, "heartbeats"]
    own += [topic for topic in TOPICS if topic.startswith("view.") and who.name == "views"]
    own += [topic for topic in FAUST if who.name == "metrics"]
    if operation == "write":
        return name in own
    return operation in ("describe", "offsets", "read") and name in (*STREAMS, *own)


class Brief(Kafka):
    """A broker at which an agency's session proves itself again after seconds."""

    def properties(self, index: int) -> dict[str, str]:
        name = "listener.name.agencies.scram-sha-512.connections.max.reauth.ms"
        given = super().properties(index)
        assert 0 < int(given[name]) <= 60_000
        return {**given, name: str(REPROVE_MS)}


class Broker(NamedTuple):
    kafka: Kafka
    admin: AdminClient
    agencies: Mapping[str, agencies.Credentials]
    logins: list[Login]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    places = Places(tmp_path_factory.mktemp("rights"))
    places.make()
    kafka = Brief(places, free_base())
    kafka.prepare()
    with places.log("kafka-1").open("wb") as log:
        process = subprocess.Popen(
            kafka.command(), cwd=kafka.folder(0), env={**os.environ, **kafka.environment()},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        kafka.wait(PATIENCE)
        admin = AdminClient(kafka.client())
        passwords = places.secrets["kafka"]
        topics.apply(admin, topics.for_services(passwords))
        at = kafka.bootstrap("AGENCIES")
        given = agencies.provide(admin, places, at, CODES)
        topics.apply(admin, topics.Wanted(users={"stranger": "secret"}))
        yield Broker(kafka, admin, given, [
            Login("admin", "administrator", kafka.client()),
            Login("stranger", "stranger", as_user(kafka, "AGENCIES", "stranger", "secret")),
            *(Login(n, "service", as_user(kafka, "SERVICES", n, passwords[n])) for n in SERVICES),
            *(Login(code, "agency", as_user(kafka, "AGENCIES", one.username, one.password))
              for code, one in given.items()),
        ])  # fmt: skip
    finally:
        process.terminate()
        process.wait()


def as_user(kafka: Kafka, listener: str, name: str, password: str) -> dict[str, Any]:
    at = {"bootstrap.servers": kafka.bootstrap(listener)}
    return {**kafka.client(), **at, "sasl.username": name, "sasl.password": password}


def outcome(code: int | None) -> bool | str:
    """May, may not, or what else the broker said."""
    if code is None or code in FRUITLESS:
        return True
    return False if code in (*DENIED, HIDDEN) else f"error {code}"


def of(call: Callable[[], Any]) -> bool | str:
    try:
        call()
    except KafkaException as error:
        return outcome(error.args[0].code())
    return outcome(None)


def asked(operation: str, futures: Mapping[Any, Any]) -> Iterator[tuple[Cell, bool | str]]:
    for key, future in futures.items():
        name = getattr(key, "topic", None) or getattr(key, "name", None) or key
        yield (operation, str(name)), of(lambda f=future: f.result(PATIENCE))  # type: ignore[misc]


def try_everything(who: Login) -> dict[Cell, bool | str]:
    """Deleting records is not tried: it is the right to delete the topic, and the client's call for it
    has ended the whole test run with a segmentation fault.
    """
    admin = AdminClient(who.settings)
    seen = admin.list_topics(timeout=PATIENCE).topics
    places = [TopicPartition(name, 0) for name in TOPICS]
    setting = ConfigEntry("segment.ms", "600001", incremental_operation=AlterConfigOpType.SET)
    plain = [ConfigResource(ResourceType.TOPIC, name) for name in TOPICS]
    changed = [
        ConfigResource(ResourceType.TOPIC, name, incremental_configs=[setting]) for name in TOPICS
    ]
    scrap = TOPICS if who.kind != "administrator" else ("scrap",)
    found: dict[Cell, bool | str] = {("describe", name): name in seen for name in TOPICS}
    found |= {("write", name): said for name, said in written(who).items()}
    found |= {("read", name): said for name, said in read(who).items()}
    for operation, futures in (
        ("offsets", admin.list_offsets({place: OffsetSpec.latest() for place in places})),
        ("describe configs", admin.describe_configs(plain)),
        ("alter", admin.incremental_alter_configs(changed, validate_only=True)),
        ("create", admin.create_topics([NewTopic(n, 1) for n in TOPICS], validate_only=True)),
        ("grow", admin.create_partitions([NewPartitions(n, 13) for n in TOPICS], validate_only=True)),
        ("group describe", admin.describe_consumer_groups(list(GROUPS))),
        ("delete", admin.delete_topics(list(scrap))),
    ):  # fmt: skip
        found |= dict(asked(operation, futures))
    topic = f"view.{who.name}" if who.kind == "agency" else "intake"
    for group in GROUPS:
        offset = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
        found |= dict(asked("group commit", admin.alter_consumer_group_offsets([offset])))
    found |= dict(asked("group delete", admin.delete_consumer_groups(list(GROUPS))))
    return found


def written(who: Login) -> dict[str, bool | str]:
    """A record to each topic, whatever the client knows of it."""
    said: dict[str, bool | str] = {}
    producer = Producer({**who.settings, "message.timeout.ms": 20_000})
    for name in TOPICS:
        producer.produce(
            name, b"tried", b"key",
            on_delivery=lambda error, record: said.update(
                {record.topic(): outcome(error.code() if error else None)}
            ),
        )  # fmt: skip
    producer.flush(PATIENCE)
    return said


def read(who: Login) -> dict[str, bool | str]:
    """The first record of each topic, or the broker's refusal."""
    group = {"agency": f"{who.name}.rights", "service": f"{who.name}-rights"}.get(who.kind, "any")
    settings = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    reader = Consumer({**who.settings, **settings})
    said: dict[str, bool | str] = {}
    try:
        reader.subscribe(list(TOPICS))
        while len(said) < len(TOPICS) and (message := reader.poll(PATIENCE)):
            error = message.error()
            code = error.code() if error else None
            if code == E.GROUP_AUTHORIZATION_FAILED:  # no group, no topic
                return dict.fromkeys(TOPICS, False)
            said.setdefault(str(message.topic()), outcome(code))
    finally:
        reader.close()
    return said


def joined(who: Login, group: str) -> bool | str:
    """A member of the group for real, on a topic that the login may read."""
    settings = {**who.settings, "group.id": group, "auto.offset.reset": "earliest"}
    member = Consumer(settings)
    try:
        member.subscribe([f"view.{who.name}" if who.kind == "agency" else who.name])
        message = member.poll(PATIENCE)
        assert message is not None, (who.name, group)
        error = message.error()
        return outcome(error.code() if error else None)
    finally:
        member.close()


def test_every_login_gets_what_the_contract_gives_it_and_nothing_else(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Producer(broker.kafka.client())
    for name in TOPICS:
        first.produce(name, b"first", b"key", partition=0)
    first.flush(PATIENCE)
    topics.apply(broker.admin, topics.Wanted({"scrap": topics.Topic(1)}))
    with ThreadPoolExecutor(4) as threads:
        tried = list(threads.map(try_everything, broker.logins))
        joins = [
            (who, group)
            for who in broker.logins
            if who.kind in ("agency", "service")
            for group in GROUPS
            if group.startswith((f"{who.name}.", f"{who.name}-")) or group == who.name
        ]
        members = list(threads.map(lambda join: joined(*join), joins))
    cells = {
        (who.name, who.kind, *cell): (said, may(who, *cell))
        for who, found in zip(broker.logins, tried, strict=True)
        for cell, said in found.items()
    }
    cells |= {
        (who.name, who.kind, "group join", group): (said, may(who, "group join", group))
        for (who, group), said in zip(joins, members, strict=True)
    }
    wrong = {cell: said for cell, (said, right) in cells.items() if said is not right}
    allowed = sum(right for _, right in cells.values())
    with capsys.disabled():
        print(f"\nrights: {len(cells)} cells tried, {allowed} allowed, {len(wrong)} wrong")
    assert not wrong, "\n".join(f"{c}: {s}" for c, s in wrong.items())
    assert len(cells) >= 3000
    assert {len(found) for found in tried[1:]} == {9 * len(TOPICS) + 3 * len(GROUPS)}
    operations = {cell[2] for cell in cells}
    assert {cell[2] for cell, (_, right) in cells.items() if right} == operations


def delete_login(admin: AdminClient, name: str) -> None:
    deletion = UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512)
    for future in admin.alter_user_scram_credentials([deletion]).values():
        future.result(PATIENCE)


async def test_a_login_that_was_deleted_or_replaced_ends_its_live_session_and_others_read_on(
    broker: Broker,
) -> None:
    """`connections.max.reauth.ms`, shortened: the rights are there, the login or its password is not."""
    sender = Producer(broker.kafka.client())
    stays, goes, renewed = (broker.agencies[code] for code in ("clinic", "kaigo", "ikoma"))
    readers = [
        consumer(Credentials.model_validate(one.document()), f"{one.code}.live")
        for one in (stays, goes, renewed)
    ]
    try:
        for reader, one in zip(readers, (stays, goes, renewed), strict=True):
            await reader.start()
            reader.subscribe([one.topic])
        got = {one.topic: 0 for one in (stays, goes, renewed)}

        async def poll() -> None:
            for topic in got:
                sender.produce(topic, b"live", b"key")
            sender.poll(0)
            for reader in readers:
                for records in (await reader.getmany(timeout_ms=50)).values():
                    got[records[0].topic] += sum(one.value == b"live" for one in records)

        async def all_of_them() -> bool:
            await poll()
            return min(got.values()) > 0

        await until(all_of_them)
        # The rights stay, so that it is the login alone that counts.
        await asyncio.to_thread(delete_login, broker.admin, goes.username)
        another = topics.apply_users(broker.admin, {renewed.username: "another"}, renew=True)
        await asyncio.to_thread(list, another)
        clock = asyncio.get_running_loop().time
        ends = clock() + 2 * REPROVE_MS / 1000
        while clock() < ends:
            await poll()
        before = dict(got)

        async def stays_reads_on() -> bool:
            await poll()
            return got[stays.topic] > before[stays.topic] + 10

        await until(stays_reads_on)
        for gone in (goes, renewed):
            assert got[gone.topic] == before[gone.topic]
    finally:
        await asyncio.gather(*(reader.stop() for reader in readers))
