"""One copy of the whole system: how each part is reached, started and stopped."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from operate import agencies, control, databases, issuer, jars, places, processes, topics
from operate.agencies import Credentials
from operate.external import External
from operate.install import ROOT, Refused
from operate.kafka import Kafka
from operate.places import HTTP, SERVICES, Places, http_port
from operate.postgres import Postgres

BASE_PORT = 8100
SESSION_TIMEOUT_MS = 3000  # a replica that stands still is replaced within 5 s


@dataclass(eq=False)
class Stack:
    """A state folder and a base port. `clock` is `system` or `simulated`."""

    state: Path = ROOT / ".tsunagu"
    base_port: int = 0  # 0: as last time, else 8100
    clock: str = "system"
    brokers: int = 0  # 0: as last time, else 1
    external: External | None = None

    def __post_init__(self) -> None:
        self.state = Path(self.state).absolute()
        self.places = Places(self.state)
        self.places.check()
        known = self.places.settings
        self.base_port = self.base_port or int(known.get("base_port", BASE_PORT))
        self.brokers = self.brokers or int(known.get("brokers", 1))

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.places)

    @cached_property
    def kafka(self) -> Kafka:
        return Kafka(self.places, self.base_port, self.brokers)

    def remember(self) -> None:
        outside = asdict(self.external) if self.external else None
        self.places.remember(
            base_port=self.base_port, brokers=self.brokers, clock=self.clock, external=outside
        )

    def recall(self) -> Stack:
        """This stack with the servers and the clock it was last started with."""
        known = self.places.settings
        outside = External(**known["external"]) if known.get("external") else None
        return replace(self, clock=known.get("clock", self.clock), external=outside)

    # What it is reached by

    def database_url(self, role: str, database: str) -> str:
        if self.external:
            return self.external.url(database, role, self.places.secrets["postgres"][role])
        return self.postgres.url(role, database)

    def admin_database_url(self, database: str = "postgres") -> str:
        if self.external:
            return self.external.url(database)
        return self.postgres.url("admin", database)

    @property
    def bootstrap(self) -> str:
        return self.external.bootstrap if self.external else self.kafka.bootstrap("SERVICES")

    @property
    def agency_bootstrap(self) -> str:
        return self.external.agency_bootstrap if self.external else self.kafka.bootstrap("AGENCIES")

    def kafka_client(self) -> dict[str, str | int | float | bool]:
        """Settings of a confluent-kafka client that logs in as the administrator."""
        return self.external.client() if self.external else self.kafka.client()

    def kafka_admin(self) -> AdminClient:
        return AdminClient(self.kafka_client())

    def http(self, name: str) -> str:
        return f"http://127.0.0.1:{http_port(self.base_port, name)}"

    def token(self, agency: str, roles: Sequence[str], subject: str = "developer") -> str:
        return issuer.token(self.state, agency, roles, subject)

    # What its processes are given

    def env(self, name: str) -> dict[str, str]:
        """The whole configuration of one service, or of one replica of it (`intake-2`)."""
        service = name.partition("-")[0]
        if service not in SERVICES or name not in HTTP:
            raise Refused(f"there is no service '{name}'; there are {', '.join(SERVICES)}")
        secrets = self.places.secrets
        environment = {
            "SERVICE": service,
            "DATABASE_URL": self.database_url(service, service),
            "KEYRING_DATABASE_URL": self.database_url(service, "keyring"),
            "KEYRING_MASTER_KEY": secrets["keyring_master"],
            "KEYRING_CODES_KEY": secrets["keyring_codes"],
            "INDEX_KEY": secrets["index"][service],
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "KAFKA_USERNAME": service,
            "KAFKA_PASSWORD": secrets["kafka"][service],
            "KAFKA_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SECURITY_PROTOCOL": self.external.protocol
            if self.external
            else "SASL_PLAINTEXT",
            **self.membership(name),
            "CLOCK": self.clock,
            "DEVELOPMENT": "true",
            **self.oidc(),
            **self.listens(name),
        }
        if service == "metrics":  # it may open codes, never a text or a name
            del environment["KEYRING_MASTER_KEY"]
        return environment

    def membership(self, name: str) -> dict[str, str]:
        """Of its consumer groups: a name that stays, and how soon a silent member is replaced."""
        if self.external:  # a container's name is its own; brokers of others set their own limits
            return {"KAFKA_INSTANCE": f"{name}.{socket.gethostname()}"}
        return {"KAFKA_INSTANCE": name, "KAFKA_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS)}

    def console_env(self) -> dict[str, str]:
        private, _ = issuer.keys(self.state)
        return {
            "CONSOLE_PRIVATE_JWKS": str(private),
            "SERVICES_BASE": "http://127.0.0.1",
            "BASE_PORT": str(self.base_port),
            "STATE_DIR": str(self.state),
            "CLOCK": self.clock,
            "DEVELOPMENT": "true",
            **self.oidc(),
            **self.listens("console"),
        }

    def oidc(self) -> dict[str, str]:
        _, public = issuer.keys(self.state)
        return {
            "OIDC_ISSUER": issuer.issuer(self.base_port),
            "OIDC_AUDIENCE": issuer.AUDIENCE,
            "OIDC_JWKS": str(public),
        }

    def listens(self, name: str) -> dict[str, str]:
        return {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(http_port(self.base_port, name))}

    # What the servers hold

    def provide_databases(self) -> list[str]:
        passwords = self.places.secrets["postgres"]
        changes = asyncio.run(
            databases.provide(self.admin_database_url(), passwords, renew=self.external is not None)
        )
        urls = {name: self.database_url(owner, name) for name, owner in databases.OWNERS.items()}
        databases.migrate_all(urls)
        return changes

    def provide_topics(self) -> list[str]:
        wanted = topics.for_services(self.places.secrets["kafka"])
        return topics.apply(self.kafka_admin(), wanted, renew=self.external is not None)

    def agencies(self, codes: Sequence[str]) -> dict[str, Credentials]:
        """Topics, users, rights and keys of these agencies, made where missing; by code."""
        return agencies.provide(
            self.kafka_admin(), self.places, self.agency_bootstrap, codes,
            renew=self.external is not None,
        )  # fmt: skip

    def agency(self, code: str) -> Credentials:
        return self.agencies([code])[code]

    def register(self, found: Credentials) -> None:
        """Gives views this agency's public key."""
        token = self.token(found.code, ["system"], f"system-{found.code}")
        agencies.register(found, self.http("views"), token)

    # Its life

    def prepare(self, progress: Callable[[str], None] = lambda text: None) -> None:
        """What can be done before anything is started: folder, secrets, jars."""
        self.places.make()
        _ = self.places.secrets
        if self.external is None:
            jars.ensure(lambda done, total: progress(f"fetching the broker: {done} of {total}"))

    def names(self, services: bool | Sequence[str], count: int = 1) -> list[str]:
        """The HTTP processes meant by `services`, with `count` replicas of each service."""
        if services is False:
            return []
        if services is True:
            console = importlib.util.find_spec("operate.console") is not None
            services = [*SERVICES, *(["console"] if console else [])]
        if unknown := [name for name in services if name not in HTTP]:
            raise Refused(f"there is no service '{unknown[0]}'; there are {', '.join(SERVICES)}")
        return [
            replica
            for name in services
            for replica in (places.replicas(name, count) if name in SERVICES else [name])
        ]

    def up(
        self,
        services: bool | Sequence[str] = True,
        *,
        replicas: int = 1,
        bound: bool = False,
        progress: Callable[[str], None] = lambda text: None,
    ) -> bool:
        """Starts what is not running and waits until it is ready; False if all of it ran already.

        `replicas` of each service; a `bound` stack ends with the process that started it.
        """
        names = self.names(services, replicas)
        self.prepare(progress)
        if control.running(self.places):
            return control.join(self, names, progress)
        if self.external is None:
            self.kafka.check()
        self.remember()
        control.launch(self, names, bound=bound, progress=progress)
        return True

    def down(self) -> bool:
        """Ends every process of this copy; False if there was none."""
        return control.down(self.places)

    def remove(self) -> None:
        """Ends it, and deletes everything it has written."""
        self.down()
        for folder in (self.places.stray, self.postgres.stray, self.state):
            if folder:
                shutil.rmtree(folder)

    def start(
        self, name: str, environment: dict[str, str] | None = None, *, wait: bool = True
    ) -> None:
        """Starts one part, with more environment if given; with `wait`, until it is ready."""
        more = environment or {}
        control.ask(self.places, do="start", name=name, environment=more, wait=wait)

    def stop(self, name: str) -> None:
        """Ends one part, which stays ended until it is started again."""
        control.ask(self.places, do="stop", name=name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Signals one part; one that dies of it is started again."""
        if process := processes.find(self.places.run, name):
            process.send_signal(number)

    def pid(self, name: str) -> int | None:
        process = processes.find(self.places.run, name)
        return process.pid if process else None

    def status(self) -> dict[str, Any]:
        return control.status(self)
