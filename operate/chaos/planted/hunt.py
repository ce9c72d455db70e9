"""The hunt: each defect in turn is planted in a copy, and the tests that claim to catch it run there."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from operate.install import Refused
from operate.stack import Stack
from operate.training import free_base

from .defects import Defect, defects
from .tree import copy, planted

PATIENCE = "30"
"""Seconds that a test waits for what a defect may keep from ever coming."""
TEST_SECONDS = 120
RUN_SECONDS = 1800
FAILED = 1
"""pytest's exit status when tests ran and some failed; collection errors have another."""


@dataclass(frozen=True)
class Catch:
    """`by`: the test that failed; None if the defect escaped."""

    name: str
    breaks: str
    by: str | None
    seconds: float


def run(only: str | None = None, as_json: bool = False) -> bool:
    """Plants all defects, or one by name, and prints what caught each; True if none escaped."""
    chosen = [one for one in defects() if only in (None, one.name)]
    if not chosen:
        raise Refused(f"there is no planted defect '{only}'; run without --only for the list")
    caught: list[Catch] = []
    for catch in hunt(chosen):
        caught.append(catch)
        if not as_json:
            word = f"by {catch.by}" if catch.by else "ESCAPED"
            print(f"{catch.name}: {catch.breaks}\n    {word} ({catch.seconds:.1f} s)", flush=True)
    found = sum(catch.by is not None for catch in caught)
    if as_json:
        rows = [asdict(catch) for catch in caught]
        print(json.dumps({"planted": len(caught), "caught": found, "defects": rows}))
    else:
        print(f"planted {len(caught)}, caught {found}")
    return found == len(caught)


def hunt(chosen: Sequence[Defect]) -> Iterator[Catch]:
    """Raises Refused if the tests do not pass where nothing is planted."""
    with tempfile.TemporaryDirectory(prefix="tsunagu-planted-") as place:
        tree = copy(Path(place) / "tree")
        with servers(Path(place) / "servers", chosen) as shared:
            code, failed = pytest(
                tree, shared, [test for defect in chosen for test in defect.tests]
            )
            if code != 0:
                found = failed or "what the list names"
                raise Refused(f"{found} does not pass where nothing is planted; repair it first")
            for defect in chosen:
                began = time.monotonic()
                with planted(tree, defect):
                    _, by = pytest(tree, shared, defect.tests)
                yield Catch(defect.name, defect.breaks, by, time.monotonic() - began)


@contextmanager
def servers(state: Path, chosen: Iterable[Defect]) -> Iterator[dict[str, str]]:
    """Servers that all tests share, as environment; none are started where none is needed."""
    if not any(defect.needs_servers for defect in chosen):
        yield {}
        return
    stack = Stack(state, free_base())
    stack.up(services=False, bound=True)
    client = stack.kafka_client()
    try:
        yield {
            "DATABASE_URL": stack.admin_database_url(),
            "KAFKA_BOOTSTRAP": stack.bootstrap,
            "KAFKA_AGENCY_BOOTSTRAP": stack.agency_bootstrap,
            "KAFKA_USERNAME": str(client["sasl.username"]),
            "KAFKA_PASSWORD": str(client["sasl.password"]),
        }
    finally:
        stack.remove()


def pytest(
    tree: Path, shared: dict[str, str], tests: Iterable[str]
) -> tuple[int | None, str | None]:
    """pytest's exit status, None if it did not end, and the first test that fails in the tree."""
    wanted = dict.fromkeys(tests)
    report = tree.parent / "report.xml"
    report.unlink(missing_ok=True)
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}"]
    command = [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *wanted]
    environment = {**os.environ, **shared, "PYTHONPATH": str(tree), "PATIENCE": PATIENCE}
    process = subprocess.Popen(
        command, cwd=tree, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = process.wait(RUN_SECONDS)
        return code, _first(report) if code == FAILED else None
    except subprocess.TimeoutExpired:
        return None, None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _first(report: Path) -> str:
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        if case.find("failure") is not None or case.find("error") is not None:
            return f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
    raise AssertionError("pytest failed without a failing test")
