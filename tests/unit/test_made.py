"""What views remembers of what it made itself: for a moment, and only once."""

from uuid import uuid4

import pytest

from services.views.made import MADE_SECONDS, Made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("services.views.made.time.monotonic", lambda: now[0])
    return now


def test_an_event_is_known_as_ones_own_once(clock: list[float]) -> None:
    """It comes again only if the database was set back: then its effects are to be made again."""
    mine, kept = uuid4(), Made()
    kept.wrote([mine])
    assert not kept.seen(str(uuid4()).encode())
    assert not kept.seen(None)
    assert kept.seen(str(mine).encode())
    assert not kept.seen(str(mine).encode())


def test_what_was_made_is_forgotten_after_some_seconds(clock: list[float]) -> None:
    mine, kept = uuid4(), Made()
    name = "care", uuid4(), "digest"
    kept.wrote([mine])
    kept.keep([(name, b"{}")])
    assert kept.of(name) == b"{}"
    clock[0] += MADE_SECONDS
    assert kept.of(name) is None
    assert not kept.seen(str(mine).encode())
