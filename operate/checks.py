"""`./tsunagu test`: every check, each shown by name, pytest and its summary line last."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from operate import install, jars
from operate.install import ROOT, Refused
from operate.kafka import Kafka
from operate.places import Places

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
PARTS = ("unit", "integration", "e2e", "chaos", "contracts")
SERVERS = {"integration", "e2e", "chaos"}  # parts that start brokers


def lint() -> dict[str, list[str]]:
    """The checks that start nothing, by name."""
    python = sys.executable
    found = {
        "ruff check": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "import rules": [python, "-c", LINT_IMPORTS],
    }
    if importlib.util.find_spec("operate.documents"):
        found["documents"] = [python, "-m", "operate.documents", "--check"]
    return found


def run(parts: Sequence[str]) -> int:
    """Runs the named parts, or all; 0 only if nothing failed."""
    known = ["lint", *PARTS]
    if unknown := [part for part in parts if part not in known]:
        raise Refused(f"there is no part '{unknown[0]}'; there are {', '.join(known)}")
    install.make("test")
    checks = lint() if not parts or "lint" in parts else {}
    failed = [name for name, command in checks.items() if check(name, command)]
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    if set(parts or PARTS) & SERVERS:
        make_brokers_quick()
    named = [ROOT / "tests" / part for part in (parts or PARTS) if part != "lint"]
    folders = [folder for folder in named if folder.exists()]
    code = pytest([str(folder) for folder in folders]) if folders else 0
    return code or (1 if failed else 0)


def check(name: str, command: list[str]) -> int:
    """Runs one check, its output shown only if it fails."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    word = "failed" if done.returncode else "ok"
    print(f"{word:7} {name} ({time.monotonic() - began:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode


def pytest(folders: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", *folders]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def make_brokers_quick() -> None:
    """Tests start many brokers: what makes them start in half the time is made beforehand."""
    jars.ensure()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tsunagu-") as place:
        if Kafka(Places(Path(place)), 0).archive.exists():
            return
        command = [sys.executable, "-m", "operate.training", place]
        subprocess.run(command, cwd=ROOT, env=environment(), check=False)
    print(f"ok      broker's AOT cache ({time.monotonic() - began:.1f} s)", flush=True)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
