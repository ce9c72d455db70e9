"""Servers that somebody else runs, named by KAFKA_* and DATABASE_URL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from operate.install import Refused


@dataclass(frozen=True)
class External:
    """Where the servers are, and an administrator's credentials for each."""

    bootstrap: str
    agency_bootstrap: str
    username: str
    password: str
    mechanism: str
    protocol: str
    database_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> External:
        needed = ("KAFKA_BOOTSTRAP", "KAFKA_USERNAME", "KAFKA_PASSWORD", "DATABASE_URL")
        if missing := [name for name in needed if not environment.get(name)]:
            raise Refused(f"--external needs {', '.join(missing)} in the environment; set it")
        bootstrap = environment["KAFKA_BOOTSTRAP"]
        return cls(
            bootstrap=bootstrap,
            agency_bootstrap=environment.get("KAFKA_AGENCY_BOOTSTRAP", bootstrap),
            username=environment["KAFKA_USERNAME"],
            password=environment["KAFKA_PASSWORD"],
            mechanism=environment.get("KAFKA_MECHANISM", "SCRAM-SHA-512"),
            protocol=environment.get("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            database_url=environment["DATABASE_URL"],
        )

    def client(self) -> dict[str, str | int | float | bool]:
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.protocol,
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
            "log_level": 0,
        }

    def url(self, database: str, role: str = "", password: str = "") -> str:
        """The server's URL for another database, and another role where one is named."""
        parts = urlsplit(self.database_url)
        host = parts.netloc.rpartition("@")[2]
        login = (
            f"{quote(role, '')}:{quote(password, '')}" if role else parts.netloc.rpartition("@")[0]
        )
        return urlunsplit(parts._replace(netloc=f"{login}@{host}", path=f"/{database}"))
