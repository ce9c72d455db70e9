"""A certification says of each mistake what it is, and nothing of a subscriber that makes none."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from agency import Copy
from agency.__main__ import app
from agency.port import Candidate, Kit, serve
from agency.samples.broken import FAULTS, Broken
from agency.trial import Trial, Unreachable
from agency.year import Year

YEAR = Year(monthly=10)
RESTARTED = {"place_first"}
"""Seen only when the process itself is killed: tests/integration/test_agency_trial.py."""


@contextmanager
def served(candidate: Candidate) -> Iterator[str]:
    server = serve(candidate)
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        running.join()


def wrong(candidate: Candidate) -> Sequence[str]:
    with served(candidate) as endpoint:
        return Trial(YEAR, endpoint).run()


def test_the_kits_own_subscriber_passes() -> None:
    copy = Copy(":memory:")
    assert wrong(Kit(copy)) == []
    assert len(copy.documents()) > 100
    copy.close()


def test_a_subscriber_of_few_lines_passes() -> None:
    assert wrong(Broken()) == []


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - RESTARTED))
def test_each_mistake_is_named(fault: str) -> None:
    found = wrong(Broken(fault))
    assert any(sentence.startswith(FAULTS[fault]) for sentence in found), found
    assert len(found) <= 4, found


def test_a_port_that_says_too_little_is_told_what_is_missing() -> None:
    class Terse(Broken):
        def shown(self) -> dict[str, object]:
            return {name: value for name, value in super().shown().items() if name != "next"}

    with pytest.raises(Unreachable, match="GET /copy answers without next"):
        wrong(Terse())


def test_the_demo_shows_three_screens_and_what_a_certification_says() -> None:
    shown = CliRunner().invoke(app, ["demo"], env={"COLUMNS": "200"}).output
    for code in ("subscriber.caught_up()", "commands.accept(", "Trial(year"):
        assert code in shown
    assert FAULTS["last_wins"] in shown
    assert FAULTS["poison_is_end"] in shown
