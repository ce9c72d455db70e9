"""Where things are: the state folder, its secrets and settings, and the ports."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from operate.install import ROOT, Refused, locked

SERVICES = ("intake", "referral", "meetings", "views", "metrics")
REPLICAS = 4  # of each service; the block of ports holds no more
HTTP = {"console": 0, "intake": 1, "referral": 2, "meetings": 3, "metrics": 4, "views": 5}
# Further replicas lie in the decades of Kafka's listeners, beyond the brokers: 13 … 17, 23 …, 33 ….
HTTP |= {
    f"{name}-{number}": 10 * number - 8 + HTTP[name]
    for number in range(2, REPLICAS + 1)
    for name in SERVICES
}
LISTENERS = {"SERVICES": 10, "AGENCIES": 20, "CONTROLLERS": 30}
LAYOUT = 1  # of the state folder; a newer one is refused
ROOM = 300_000_000  # bytes that databases and broker need to start
SOCKET_ROOM = 80  # the kernel takes 107 bytes for a socket's path, its name included


@dataclass(frozen=True)
class Places:
    """The state folder of one copy. Secrets are made once, in files that only their owner reads."""

    state: Path

    @property
    def default(self) -> bool:
        return self.state == ROOT / ".tsunagu"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def issuer(self) -> Path:
        return self.state / "issuer"

    def log(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def make(self) -> None:
        """Makes the folder, or refuses one that a newer version has written."""
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            for name in ("run", "log", "issuer", "agencies"):
                (self.state / name).mkdir(mode=0o700, exist_ok=True)
            self.state.chmod(0o711)  # PostgreSQL may run as another user, and passes through
            self.check()
            (self.state / "layout").write_text(f"{LAYOUT}\n")
        except OSError as error:
            raise Refused(f"{self.state} cannot be written to; choose another --state") from error
        if shutil.disk_usage(self.state).free < ROOM:
            raise Refused(
                f"there is no room; free {ROOM // 1_000_000} MB on the disk of {self.state}"
            )

    def check(self) -> None:
        layout = self.state / "layout"
        if layout.exists() and int(layout.read_text() or 0) > LAYOUT:
            raise Refused(
                f"{self.state} was written by a newer tsunagu; update this copy or choose "
                "another --state"
            )

    @cached_property
    def secrets(self) -> dict[str, Any]:
        """Passwords and keys of this copy."""
        path = self.state / "secrets.json"
        with locked(self.state, "waiting for the state folder"):
            if not path.exists():
                write_private(path, json.dumps(invented(), indent=1))
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """What this copy was last started with."""
        path = self.state / "settings.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def remember(self, **settings: Any) -> None:
        write_private(
            self.state / "settings.json", json.dumps({**self.settings, **settings}, indent=1)
        )

    @property
    def stray(self) -> Path | None:
        """A folder for sockets that is not in the state folder."""
        pointer = self.run / "sockets"
        return Path(pointer.read_text()) if pointer.exists() else None

    @cached_property
    def sockets(self) -> Path:
        """A folder for sockets: in the state folder, or a short one where its path is too long."""
        if plain(self.run):
            return self.run
        if self.stray is None or not owned(self.stray):
            write_private(self.run / "sockets", tempfile.mkdtemp(prefix="tsunagu-", dir="/tmp"))
        assert self.stray
        return self.stray


def plain(folder: Path) -> bool:
    """Whether a socket in this folder has a path that the kernel and every client take."""
    return (
        len(str(folder)) <= SOCKET_ROOM
        and re.fullmatch(r"[A-Za-z0-9/._-]+", str(folder)) is not None
    )


def owned(folder: Path) -> bool:
    """Whether a folder in a place open to all is still ours, and no link laid by another."""
    return folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()


def invented() -> dict[str, Any]:
    """Fresh random secrets."""

    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    def uuid() -> str:  # Kafka's form: 22 characters, none of them a dash in front
        while (text := secrets.token_urlsafe(16)).startswith("-"):
            pass
        return text

    return {
        "kafka": {name: secrets.token_urlsafe(24) for name in ("admin", "broker", *SERVICES)},
        "postgres": {
            name: secrets.token_urlsafe(24) for name in ("admin", "keyring_owner", *SERVICES)
        },
        "keyring_master": key(),
        "keyring_codes": key(),
        "index": {name: key() for name in SERVICES},
        "cluster": uuid(),
        "directories": [uuid() for _ in range(3)],
    }


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(path)


def replicas(service: str, count: int = REPLICAS) -> list[str]:
    """The processes of a service by name: `intake`, `intake-2`, `intake-3`, …"""
    return [service, *(f"{service}-{number}" for number in range(2, count + 1))]


def http_port(base_port: int, name: str) -> int:
    return base_port + HTTP[name]


def kafka_ports(base_port: int, brokers: int) -> list[dict[str, int]]:
    """Ports of each broker by listener."""
    return [
        {name: base_port + offset + index for name, offset in LISTENERS.items()}
        for index in range(brokers)
    ]


def wheel(package: str) -> Path:
    """The folder of an installed package; importing it may take long, and is not needed."""
    spec = importlib.util.find_spec(package)
    assert spec, package
    assert spec.origin, package
    return Path(spec.origin).parent
