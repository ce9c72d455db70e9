"""Processes of one copy: written down by pid and start time, so that only these are ever ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from operate.install import Refused
from operate.places import write_private

GRACE = 15.0  # seconds between asking a process to end and ending it


def write(run: Path, name: str, pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(pid).create_time()
        write_private(run / f"{name}.pid", json.dumps({"pid": pid, "started": started}))


def find(run: Path, name: str) -> psutil.Process | None:
    """The recorded process if it still lives; another one that took its number is not it."""
    try:
        record = json.loads((run / f"{name}.pid").read_text())
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["started"]) < 2
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None


def recorded(run: Path) -> list[str]:
    return sorted(path.stem for path in run.glob("*.pid"))


def polite(name: str) -> int:
    """The signal that asks to end; PostgreSQL reads SIGTERM as "when the last client has gone"."""
    return signal.SIGINT if name == "postgres" else signal.SIGTERM


def send(pid: int, number: int) -> None:
    """Signals a process, and its group where it leads one."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def end(run: Path, names: Iterable[str], grace: float = GRACE) -> list[str]:
    """Ends recorded processes, first asking, then not; returns the names of those that lived."""
    living = {name: found for name in names if (found := find(run, name))}
    for name, process in living.items():
        send(process.pid, polite(name))
        send(process.pid, signal.SIGCONT)  # one that stands still hears nothing else
    _, left = psutil.wait_procs(living.values(), timeout=grace)
    for process in left:
        send(process.pid, signal.SIGKILL)
    psutil.wait_procs(left, timeout=grace)
    for name in names:
        (run / f"{name}.pid").unlink(missing_ok=True)
    return list(living)


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def check_free(ports: Iterable[int]) -> None:
    for port in ports:
        if not free(port):
            raise Refused(f"port {port} is in use; stop what uses it or choose another --base-port")
