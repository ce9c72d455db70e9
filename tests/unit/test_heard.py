"""Hearing: whose heartbeats are believed, and for how long; and that no record ends the process."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.views import heard
from services.views.heard import BASIS_SERVICES, HEARD_SECONDS, Heard

NAME = BASIS_SERVICES[0]
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def told(ahead: timedelta = timedelta(), **more: Any) -> dict[str, Any]:
    at = (datetime.now(UTC) + ahead).isoformat()
    return {"service": NAME, "time": at, "offsets": {}, **more}


def hearing(*beats: Any) -> bool:
    """All services but one are heard; of that one come these."""
    of = Heard(None)  # type: ignore[arg-type]
    for beat in (*(told(service=name) for name in BASIS_SERVICES[1:]), *beats):
        of.hear(json.dumps(beat).encode())
    return of.all([])


def test_who_is_silent_or_speaks_of_long_ago_is_not_heard() -> None:
    assert not hearing()
    assert hearing(told())
    assert not hearing(told(ahead=timedelta(seconds=-HEARD_SECONDS - 1)))


def test_who_is_ahead_of_our_clock_is_heard_no_longer_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead = [told(ahead=timedelta(minutes=10), service=name) for name in BASIS_SERVICES]
    assert hearing(*ahead)
    monkeypatch.setattr(heard, "HEARD_SECONDS", -1.0)  # as if it were so long after the last came
    assert not hearing(*ahead)


@pytest.mark.parametrize(
    "beat",
    [
        told(time="2026-04-01T09:00:00"),  # of no place
        told(time=0),
        told(offsets=[]),
        told(offsets={"0": None}),
        told(offsets={"0": ["id", float("inf")]}),
        told(service=[NAME]),
        [],
    ],
)
def test_a_heartbeat_of_another_shape_is_none(beat: Any) -> None:
    assert not hearing(beat)


@given(VALUES)
def test_no_record_ends_the_process(value: Any) -> None:
    assert not hearing(value)
    assert not hearing(told(offsets={"0": value}) | {"time": value})


def test_what_is_no_text_or_too_deep_ends_nothing() -> None:
    of = Heard(None)  # type: ignore[arg-type]
    for value in (None, b"", b"\xff", b"[" * 100_000):
        of.hear(value)
