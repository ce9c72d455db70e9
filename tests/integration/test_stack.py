"""The embedded stack on real PostgreSQL and real Kafka: what it holds, who may do what, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from operate import compare, topics
from operate.agencies import Credentials
from operate.external import External
from operate.install import ROOT, Refused
from operate.places import SERVICES
from operate.stack import Stack
from operate.training import free_base

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("stack"), free_base())
    found.up(services=False, bound=True)
    yield found
    found.remove()


@pytest.fixture(scope="module")
def agency(stack: Stack) -> Credentials:
    return stack.agencies(["shakyo", "clinic"])["shakyo"]


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def client(stack: Stack, service: str) -> dict[str, str | int | float | bool]:
    environment = stack.env(service)
    return {
        "bootstrap.servers": environment["KAFKA_BOOTSTRAP"],
        "security.protocol": environment["KAFKA_SECURITY_PROTOCOL"],
        "sasl.mechanism": environment["KAFKA_MECHANISM"],
        "sasl.username": environment["KAFKA_USERNAME"],
        "sasl.password": environment["KAFKA_PASSWORD"],
        "log_level": 0,
    }


def written(settings: dict[str, str | int | float | bool], topic: str) -> KafkaError | None:
    """What the broker says to one record."""
    said: list[KafkaError | None] = []
    producer = Producer({**settings, "message.timeout.ms": 10_000})
    producer.produce(topic, b"value", b"key", on_delivery=lambda error, record: said.append(error))
    producer.flush(15)
    return said[0]


def read(settings: dict[str, str | int | float | bool], topic: str, group: str) -> bytes | int:
    """The first value of a topic, or the code of the refusal."""
    consumer = Consumer({**settings, "group.id": group, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if message := consumer.poll(1):
                error = message.error()
                return error.code() if error else message.value() or b""
        raise AssertionError("neither a record nor a refusal came")
    finally:
        consumer.close()


def as_agency(credentials: Credentials) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": credentials.bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": credentials.mechanism,
        "sasl.username": credentials.username,
        "sasl.password": credentials.password,
        "log_level": 0,
    }


async def test_postgres_keeps_what_it_has_said(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.admin_database_url())
    assert await connection.fetchval("show fsync") == "on"
    assert await connection.fetchval("show listen_addresses") == ""
    assert (await connection.fetchval("show server_version")).startswith("18")
    await connection.close()


async def test_postgres_does_not_run_as_root(stack: Stack) -> None:
    pid = stack.pid("postgres")
    assert pid
    assert psutil.Process(pid).uids().effective != 0


async def test_a_service_reaches_its_own_database_and_the_keyring_only(stack: Stack) -> None:
    for database in (*SERVICES, "keyring", "postgres"):
        url = stack.database_url("referral", database)
        if database in ("referral", "keyring"):
            await (await asyncpg.connect(url)).close()
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(url)


async def test_a_wrong_password_does_not_open_a_database(stack: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.database_url("referral", "referral"), password="wrong")


def test_topics_are_as_declared(stack: Stack, agency: Credentials) -> None:
    admin = stack.kafka_admin()
    found = admin.list_topics(timeout=10).topics
    assert {len(found[name].partitions) for name in SERVICES} == {12}
    assert len(found["heartbeats"].partitions) == 1
    resource = ConfigResource(ResourceType.TOPIC, agency.topic)
    config = next(iter(admin.describe_configs([resource]).values())).result()
    assert config["cleanup.policy"].value == "compact"
    assert config["max.compaction.lag.ms"].value == "3600000"


def test_applying_topics_again_changes_nothing(stack: Stack) -> None:
    assert stack.provide_topics() == []


def test_a_right_that_is_not_declared_is_taken_away(stack: Stack) -> None:
    admin = stack.kafka_admin()
    entry = {"resource": "topic", "names": ["views"], "allow": ["write"]}
    surplus = set(topics.rights("referral", [entry]))
    for future in admin.create_acls(list(surplus)).values():
        future.result()
    eventually(lambda: surplus <= topics.known_rights(admin, {"referral"}))
    assert stack.provide_topics() == ["right taken: referral write topic views"]


def test_a_changed_setting_of_a_topic_is_put_right(stack: Stack) -> None:
    wanted = topics.Wanted({"heartbeats": topics.Topic(1, {"segment.ms": "700000"})})
    assert topics.apply(stack.kafka_admin(), wanted) == [
        "topic heartbeats: segment.ms 600000 → 700000"
    ]
    assert stack.provide_topics() == ["topic heartbeats: segment.ms 700000 → 600000"]


def test_another_number_of_partitions_is_refused(stack: Stack) -> None:
    wanted = topics.Wanted({"intake": topics.Topic(24)})
    with pytest.raises(Refused, match="has 12 partitions and shall have 24"):
        topics.apply(stack.kafka_admin(), wanted)


def test_a_service_writes_to_its_own_topic_only(stack: Stack) -> None:
    settings = client(stack, "referral")
    assert written(settings, "referral") is None
    refused = written(settings, "intake")
    assert refused
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert read(client(stack, "meetings"), "referral", "meetings-test") == b"value"


def test_an_agency_reads_its_own_view_in_its_own_groups_only(
    stack: Stack, agency: Credentials
) -> None:
    assert written(client(stack, "views"), "view.shakyo") is None
    own = as_agency(agency)
    assert read(own, "view.shakyo", "shakyo.system") == b"value"
    assert read(own, "view.clinic", "shakyo.system") == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert read(own, "intake", "shakyo.system") == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert read(own, "view.shakyo", "clinic.system") == KafkaError.GROUP_AUTHORIZATION_FAILED
    refused = written(own, "view.shakyo")
    assert refused
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert set(AdminClient(own).list_topics(timeout=10).topics) == {"view.shakyo"}


def test_a_stranger_does_not_log_in(agency: Credentials) -> None:
    settings = {**as_agency(agency), "sasl.password": "wrong"}
    with pytest.raises(KafkaException):
        AdminClient(settings).list_topics(timeout=2)


def test_credentials_of_an_agency_stay(stack: Stack, agency: Credentials) -> None:
    assert stack.agency("shakyo") == agency
    key = json.loads(Path(agency.private_key_file).read_text())
    assert (key["kty"], key["crv"]) == ("OKP", "X25519")
    assert "d" not in agency.public_key
    assert (agency.topic, agency.group_prefix) == ("view.shakyo", "shakyo.")


@pytest.mark.parametrize("code", ["Shakyo", "a.b", "", "a/b"])
def test_what_is_no_agency_code_is_refused(stack: Stack, code: str) -> None:
    with pytest.raises(Refused, match="is no agency code"):
        stack.agency(code)


def test_up_again_says_that_it_runs(stack: Stack) -> None:
    assert stack.up(services=False) is False


def test_the_command_line_shows_it(stack: Stack, agency: Credentials) -> None:
    def said(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "operate", "--state", str(stack.state), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    status = said("status", "--json")
    assert status.returncode == 0
    assert [part["name"] for part in json.loads(status.stdout)["parts"]] == ["postgres", "kafka-1"]
    assert said("topics", "apply").stdout == "nothing to change\n"
    shown = json.loads(said("agency", "credentials", "shakyo", "--json").stdout)
    assert shown == agency.document()
    assert said("up", "--base-port", "9999").stderr.startswith("tsunagu: this copy runs with")


@pytest.mark.parametrize("name", ["kafka-1", "postgres"])
def test_a_killed_server_comes_back(stack: Stack, name: str) -> None:
    before = stack.pid(name)
    stack.kill(name, signal.SIGKILL)
    eventually(lambda: stack.pid(name) not in (None, before))
    eventually(lambda: stack.status()["healthy"])
    stack.kafka.wait(30)


def test_a_second_copy_runs_beside_and_takes_nothing_of_the_first(
    stack: Stack, tmp_path: Path
) -> None:
    same = Stack(tmp_path / "same ports", stack.base_port)
    with pytest.raises(Refused, match=f"port {stack.base_port + 10} is in use"):
        same.up(services=False)
    assert same.down() is False
    same.remove()
    other = Stack(tmp_path / "a second copy", free_base())
    other.up(services=False)
    try:
        pids = [other.pid(name) for name in ("supervisor", "postgres", "kafka-1")]
        assert all(pids)
    finally:
        assert other.down() is True
        other.remove()
    assert not any(pid and psutil.pid_exists(pid) and alive(pid) for pid in pids)
    assert stack.status()["healthy"]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


STARTER = """
import sys, time
from pathlib import Path
from operate.stack import Stack
Stack(Path(sys.argv[1]), int(sys.argv[2])).up(services=False, bound=True)
print("ready", flush=True)
time.sleep(600)
"""


async def test_a_bound_copy_ends_with_its_starter_and_keeps_its_data(tmp_path: Path) -> None:
    found = Stack(tmp_path, free_base())
    words = [sys.executable, "-c", STARTER, str(tmp_path), str(found.base_port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as starter:
        assert starter.stdout
        assert starter.stdout.readline() == "ready\n"
        connection = await asyncpg.connect(found.database_url("intake", "intake"))
        await connection.execute("create table kept (it int); insert into kept values (1)")
        await connection.close()
        assert written(client(found, "intake"), "intake") is None
        pids = [found.pid(name) for name in ("supervisor", "postgres", "kafka-1")]
        starter.kill()
    eventually(lambda: not any(alive(pid) for pid in pids if pid))

    found.up(services=False)
    supervisor, broker = found.pid("supervisor"), found.pid("kafka-1")
    assert supervisor
    assert broker
    connection = await asyncpg.connect(found.database_url("intake", "intake"))
    assert await connection.fetchval("select it from kept") == 1
    await connection.close()
    assert read(client(found, "views"), "intake", "views-test") == b"value"

    # What a killed supervisor leaves behind is ended by the next `down`.
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not alive(supervisor))
    assert alive(broker)
    assert found.down() is True
    assert not alive(broker)
    found.remove()
    assert not tmp_path.exists()


# Agencies by their subscriptions.


def refused(login: Credentials) -> bool:
    try:
        AdminClient(as_agency(login)).list_topics(timeout=2)
    except KafkaException:
        return True
    return False


async def subscribes(stack: Stack, code: str, **columns: object) -> None:
    """As views writes it down: with a key, unless `columns` say otherwise."""
    values = {"public_key": "{}", "closed": False, "login_renewed": 0, **columns}
    connection = await asyncpg.connect(stack.database_url("views", "views"))
    await connection.execute(
        """insert into subscription (agency, public_key, closed, login_renewed) values ($1, $2::jsonb, $3, $4)
           on conflict (agency) do update set public_key = $2::jsonb, closed = $3, login_renewed = $4""",
        code, values["public_key"], values["closed"], values["login_renewed"],
    )  # fmt: skip
    await connection.close()


def differences(stack: Stack) -> set[str]:
    return {f"{one.kind} {one.name}: {one.what}" for one in compare.verify(stack)}


async def test_every_difference_between_broker_and_subscriptions_is_told_and_put_right(
    stack: Stack, agency: Credentials
) -> None:
    admin = stack.kafka_admin()
    own = topics.for_agencies({"shakyo": (agency.username, "")})
    group = {right for right in own.rights if topics.said(right).endswith("shakyo.*")}
    topics.take_rights(admin, group)
    for code in ("clinic", "shakyo"):
        await subscribes(stack, code)  # and what is missing is made
    await asyncio.to_thread(
        eventually, lambda: group <= topics.known_rights(admin, {agency.username})
    )
    unlisted = {f"agency {code}: not in the directory" for code in ("shakyo", "clinic")}
    assert await asyncio.to_thread(differences, stack) == unlisted
    topics.take_rights(admin, group)
    topics.apply(admin, topics.for_agencies({"ghost": ("agency-ghost", "secret")}))
    topics.apply(admin, topics.Wanted({"heartbeats": topics.Topic(1, {"segment.ms": "700000"})}))
    topics.take_users(admin, {"metrics"})
    run = await asyncio.to_thread(cli, stack, "topics", "verify", "--json")
    shown = {f"{d['kind']} {d['name']}: {d['what']}" for d in json.loads(run.stdout)["differences"]}
    services = topics.for_services(stack.places.secrets["kafka"])
    assert run.returncode == 1
    assert await told(stack) == shown  # as it was compared, operators are told it
    assert shown == unlisted | {
        "right agency-shakyo read group shakyo.*: missing",
        "topic view.ghost: surplus",
        "user agency-ghost: surplus",
        "right agency-ghost read topic view.ghost: surplus",
        "right agency-ghost describe topic view.ghost: surplus",
        "right agency-ghost read group ghost.*: surplus",
        "topic heartbeats: segment.ms is 700000, not 600000",
        "user metrics: missing",
        *(f"right {topics.said(right)}: missing"
          for right in services.rights if right.principal == "User:metrics"),
    }  # fmt: skip
    assert (await asyncio.to_thread(cli, stack, "topics", "apply")).returncode == 0
    assert await asyncio.to_thread(differences, stack) == unlisted | {"topic view.ghost: surplus"}
    topics.remove(admin, ["view.ghost"])


async def told(stack: Stack) -> set[str]:
    connection = await asyncpg.connect(stack.database_url("views", "views"))
    found = json.loads(await connection.fetchval("select differences from broker_compared"))
    await connection.close()
    return {f"{one['kind']} {one['name']}: {one['what']}" for one in found}


def cli(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "operate", "--state", str(stack.state), *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


async def test_a_revoked_login_is_refused_within_a_minute_and_its_live_session_reads_no_more(
    stack: Stack,
) -> None:
    await subscribes(stack, "npo")
    users = partial(topics.known_users, stack.kafka_admin())
    await asyncio.to_thread(eventually, lambda: "agency-npo" in users())
    first = stack.agency("npo")
    key = first.public_key
    live = Consumer({**as_agency(first), "group.id": "npo.live", "auto.offset.reset": "earliest"})
    live.subscribe(["view.npo"])
    assert written(client(stack, "views"), "view.npo") is None
    await asyncio.to_thread(eventually, lambda: live.poll(0.1))

    await subscribes(stack, "npo", public_key=None)
    began = time.monotonic()
    await asyncio.to_thread(eventually, lambda: "agency-npo" not in users())
    assert time.monotonic() - began < 60
    assert written(client(stack, "views"), "view.npo") is None
    # A fetch that waited at the broker when the right went may still be answered; no later one is.
    await asyncio.to_thread(eventually, lambda: (m := live.poll(1)) is not None and m.error())
    assert written(client(stack, "views"), "view.npo") is None
    assert all(one.error() for one in live.consume(3, timeout=3))
    live.close()
    with pytest.raises(KafkaException):
        AdminClient(as_agency(first)).list_topics(timeout=2)

    await subscribes(stack, "npo")
    await asyncio.to_thread(eventually, lambda: "agency-npo" in users())
    second = stack.agency("npo")
    assert second.password != first.password
    assert second.public_key != key
    assert read(as_agency(second), "view.npo", "npo.system") == b"value"

    await subscribes(stack, "npo", login_renewed=7)
    began = time.monotonic()
    await asyncio.to_thread(eventually, lambda: refused(second))
    assert time.monotonic() - began < 60
    third = stack.agency("npo")
    assert third.public_key == second.public_key
    assert read(as_agency(third), "view.npo", "npo.system") == b"value"

    await subscribes(stack, "npo", public_key=None, closed=True)
    there = stack.kafka_admin()
    await asyncio.to_thread(
        eventually, lambda: "view.npo" not in there.list_topics(timeout=10).topics
    )
    assert "agency-npo" not in users()


def test_external_servers_are_made_the_same(stack: Stack, tmp_path: Path) -> None:
    secrets = stack.places.secrets
    external = External(
        stack.bootstrap, stack.agency_bootstrap, "admin", secrets["kafka"]["admin"],
        "SCRAM-SHA-512", "SASL_PLAINTEXT", stack.admin_database_url(),
    )  # fmt: skip
    guest = Stack(tmp_path, free_base(), external=external)
    guest.up(services=False)
    try:
        assert guest.status()["parts"] == []
        assert written(client(guest, "referral"), "referral") is None
        shown = guest.recall().agency("guest")
        assert shown.bootstrap == stack.agency_bootstrap
        assert written(client(guest, "views"), "view.guest") is None
        assert read(as_agency(shown), "view.guest", "guest.system") == b"value"
    finally:
        guest.remove()
    assert stack.status()["healthy"]
