"""`./tsunagu test`: every check, each shown by name, pytest and its summary line last."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from operate import install
from operate.install import ROOT, Refused

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
PARTS = ("unit", "integration", "e2e", "chaos", "contracts")


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


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
