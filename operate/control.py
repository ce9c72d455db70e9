"""Talking with a copy's supervisor: launching it, asking it, ending it, looking at its parts."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from operate import processes
from operate.install import ROOT, Refused
from operate.kafka import listening
from operate.places import HTTP, Places, http_port, kafka_ports

if TYPE_CHECKING:
    from operate.stack import Stack

START = 180.0  # seconds until everything must be ready
READY = 60.0  # seconds until one part must be
POLL = 0.05


def running(places: Places) -> bool:
    """Whether a supervisor holds this state folder; its lock goes with it, however it dies."""
    try:
        handle = os.open(places.run / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def ask(places: Places, **request: Any) -> dict[str, Any]:
    """One request to the supervisor, and its answer."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2 * READY)
            line.connect(str(places.sockets / "control"))
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile() as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        raise Refused("nothing is running here; start it with ./tsunagu up") from error
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer


def launch(
    stack: Stack, names: Sequence[str], *, bound: bool, progress: Callable[[str], None]
) -> None:
    """Starts a supervisor, and waits until it says that everything is ready."""
    command = [sys.executable, "-m", "operate.supervise", "--state", str(stack.state)]
    command += ["--services", ",".join(names), *(["--bound"] if bound else [])]
    (stack.places.run / "refused").unlink(missing_ok=True)
    with stack.places.log("supervisor").open("ab") as log:
        # A bound one ends when the other end of its standard input closes, however that happens.
        supervisor = subprocess.Popen(
            command, stdin=subprocess.PIPE if bound else subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    KEPT.append(supervisor)
    if bound:
        atexit.register(release, supervisor)
    try:
        follow(stack, lambda: supervisor.poll() is None, progress)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        down(stack.places)
        raise


KEPT: list[subprocess.Popen[bytes]] = []  # one that is let go would end what is bound to us


def release(supervisor: subprocess.Popen[bytes]) -> None:
    """Lets a bound copy end, and waits for it."""
    assert supervisor.stdin
    supervisor.stdin.close()
    supervisor.wait()


def follow(stack: Stack, alive: Callable[[], bool], progress: Callable[[str], None]) -> None:
    """Waits until the supervisor has everything ready; refuses with its reason if it gives up."""
    until = time.monotonic() + START
    while time.monotonic() < until:
        with contextlib.suppress(Refused):
            answer = ask(stack.places, do="status")
            if answer["phase"] == "ready":
                return
            progress(
                "starting " + ", ".join(p["name"] for p in answer["parts"] if p["state"] != "ready")
            )
        if not alive():
            reason = stack.places.run / "refused"
            if reason.exists():
                raise Refused(reason.read_text())
            raise Refused(f"it did not start; the reason is in {stack.places.log('supervisor')}")
        time.sleep(POLL)
    raise Refused(
        f"it did not start in {START:.0f} s; look into {stack.places.log('supervisor').parent}"
    )


def join(stack: Stack, names: Sequence[str], progress: Callable[[str], None]) -> bool:
    """Has a running supervisor start these too; False if they all ran already."""
    known = stack.places.settings
    for option, mine in (("base_port", stack.base_port), ("brokers", stack.brokers)):
        if known.get(option) != mine:
            raise Refused(
                f"this copy runs with --{option.replace('_', '-')} {known.get(option)}; "
                "stop it first with ./tsunagu down"
            )
    follow(stack, lambda: running(stack.places), progress)
    parts = {part["name"]: part for part in ask(stack.places, do="status")["parts"]}
    missing = [name for name in names if not parts.get(name, {}).get("wanted")]
    for name in missing:
        ask(stack.places, do="start", name=name, environment={}, wait=False)
    for name in missing:
        ask(stack.places, do="start", name=name, environment={}, wait=True)
    return bool(missing)


def down(places: Places) -> bool:
    """Ends the supervisor, which ends its parts, and whatever an earlier one has left behind."""
    if not places.run.exists():
        return False
    grace = processes.GRACE
    found = bool(processes.end(places.run, ["supervisor"], grace=3 * grace))
    left = processes.end(places.run, processes.recorded(places.run), grace)
    for supervisor in KEPT:
        supervisor.poll()
    return found or bool(left)


def ready(stack: Stack, name: str) -> bool:
    """Whether a part answers: an HTTP process on /readyz, a server on its socket."""
    if name in HTTP:
        return answers(http_port(stack.base_port, name))
    if name == "postgres":
        return stack.postgres.accepts()
    index = int(name.removeprefix("kafka-")) - 1
    port = kafka_ports(stack.base_port, stack.brokers)[index]["SERVICES"]
    return listening(port)


def answers(port: int) -> bool:
    # No proxy between us and ourselves, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError, urllib.error.URLError):
        with opener.open(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    return False


def status(stack: Stack) -> dict[str, Any]:
    """State of every part; `healthy` only if each answers."""
    parts: list[dict[str, Any]] = []
    if running(stack.places):
        with contextlib.suppress(Refused):
            parts = ask(stack.places, do="status")["parts"]
    for part in parts:
        part["healthy"] = part["state"] == "ready" and ready(stack, part["name"])
    return {
        "state": str(stack.state),
        "base_port": stack.base_port,
        "healthy": bool(parts) and all(part["healthy"] for part in parts),
        "parts": parts,
    }
