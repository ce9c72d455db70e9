"""Makes .venv from the locked requirements; the standard library is all there is as yet."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOM = {"base": 900_000_000, "test": 500_000_000}  # bytes an install needs while it runs
FULL = "the disk is full; free about 1 GB and run this again"
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Refused(Exception):
    """One sentence for the user: what is wrong and what to do."""


def stamp(part: str) -> Path:
    return ROOT / ".venv" / f"installed-{part}"


def wanted(part: str) -> str:
    """What a finished install of `part` is known by: its locks, this Python, this platform."""
    names = ["base.txt"] if part == "base" else ["base.txt", f"{part}.txt"]
    digest = hashlib.sha256()
    for name in names:
        digest.update((ROOT / "requirements" / name).read_bytes())
    version = ".".join(map(str, sys.version_info[:2]))
    return f"{digest.hexdigest()} {version} {sysconfig.get_platform()}"


def ready(part: str = "base") -> bool:
    with contextlib.suppress(OSError):
        return stamp(part).read_text() == wanted(part)
    return False


@contextlib.contextmanager
def locked(folder: Path, waiting: str) -> Iterator[None]:
    """Holds `folder` against other processes; the lock goes with the process that holds it,

    and with those children of it that were started with `close_fds=False`.
    """
    handle = os.open(folder, os.O_RDONLY)
    os.set_inheritable(handle, True)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"tsunagu: {waiting}", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def trusting(environment: dict[str, str]) -> dict[str, str]:
    """The environment in which pip trusts what this machine trusts, or whom the user says.

    pip before 24.2 trusts its own list only, and fails behind a proxy with its own certificate.
    """
    said = next(
        (
            environment[name]
            for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
            if environment.get(name)
        ),
        None,
    )
    known = ssl.get_default_verify_paths().cafile
    found = next((path for path in (said, known, *BUNDLES) if path and Path(path).is_file()), None)
    return {**environment, "PIP_CERT": found} if found else environment


def explained(output: str) -> str:
    """The sentence for a failed pip run."""
    log = ROOT / ".venv" / "install.log"
    reasons = {
        "No space left": FULL,
        "CERTIFICATE_VERIFY_FAILED": "the package registry's certificate is not trusted; "
        "set PIP_CERT to your organisation's certificate file and run this again",
        "DO NOT MATCH THE HASHES": "a downloaded package differs from its locked hash and was "
        "refused; check the mirror or proxy in between",
        "ProxyError": "the proxy did not answer; check HTTPS_PROXY and run this again",
        "No matching distribution": "a locked package was not found; check the network "
        f"(HTTPS_PROXY, PIP_INDEX_URL) and run this again, details are in {log}",
    }
    for sign, sentence in reasons.items():
        if sign in output:
            return sentence
    return f"the packages could not be installed; the reason is in {log}"


def show(text: str) -> None:
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{text[:width]}", end="", file=sys.stderr, flush=True)
    elif not text.startswith("  "):
        print(text, file=sys.stderr, flush=True)


def pip(part: str, python: Path) -> None:
    """Installs the locked requirements of `part`, showing how far it is."""
    lock = ROOT / "requirements" / f"{part}.txt"
    total = len(re.findall(r"^[a-z0-9]\S*==", lock.read_text(), re.MULTILINE))
    command = [str(python), "-m", "pip", "install", "--require-hashes", "--only-binary=:all:"]
    command += ["--progress-bar=off", "--no-input", "--disable-pip-version-check", "-r", str(lock)]
    environment = trusting({**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"})
    lines: list[str] = []
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        close_fds=False,
    )  # fmt: skip
    assert process.stdout
    try:
        for line in process.stdout:
            lines.append(line)
            if match := re.match(r"(?:Collecting|Requirement already satisfied:) ([^=\s]+)", line):
                done = sum(item.startswith(("Collecting", "Requirement")) for item in lines)
                show(f"  {done:3} of {total}  {match[1]}")
            elif line.startswith("Installing"):
                show(f"  unpacking {total} packages, about half a minute")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    show("  ")
    if process.wait():
        (ROOT / ".venv" / "install.log").write_text("".join(lines))
        raise Refused(explained("".join(lines)))


def make(part: str = "base") -> Path:
    """Brings .venv to what the locks say and returns its Python; a half-made one is made anew."""
    folder = ROOT / ".venv"
    python = folder / "bin" / "python"
    if not os.access(ROOT, os.W_OK) and not ready(part):
        raise Refused(f"{ROOT} cannot be written to; copy the checkout to a folder of your own")
    with locked(ROOT, "another run is installing here; waiting for it"):
        if ready(part):
            return python
        if shutil.disk_usage(ROOT).free < ROOM[part]:
            raise Refused(
                f"there is no room; free {ROOM[part] // 1_000_000} MB on the disk of {ROOT}"
            )
        began = time.monotonic()
        show(f"tsunagu: installing what {part} needs into {folder} (once)")
        if part == "base":
            whole = same_python(stamp("base"), wanted("base")) and os.access(python, os.X_OK)
            stamp("base").unlink(missing_ok=True)
            if not whole:
                create(folder)
        pip(part, python)
        stamp(part).write_text(wanted(part))
        show(f"tsunagu: installed in {time.monotonic() - began:.0f} s")
        if sys.stderr.isatty():
            print(file=sys.stderr)
    return python


def same_python(stamp: Path, wanted: str) -> bool:
    with contextlib.suppress(OSError):
        return stamp.read_text().split(" ", 1)[-1] == wanted.split(" ", 1)[-1]
    return False


def create(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True, check=False,
        close_fds=False,
    )  # fmt: skip
    if made.returncode:
        if "No space left" in made.stdout + made.stderr:
            raise Refused(FULL)
        raise Refused(
            f"{sys.executable} cannot make a virtual environment; install its venv and ensurepip "
            "modules (on Debian and Ubuntu: the package python3-venv)"
        )


def main() -> int:
    if "--ready" in sys.argv:
        return 0 if ready() else 1
    try:
        make("test" if "--test" in sys.argv else "base")
    except Refused as refusal:
        print(f"tsunagu: {refusal}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tsunagu: stopped; the next run goes on.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            print(f"tsunagu: {FULL}.", file=sys.stderr)
            return 1
        print(f"tsunagu: {error.strerror or error}: {error.filename or ROOT}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
