"""The benchmark's own arithmetic, and what it refuses before it starts."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from operate.bench.alike import alike
from operate.bench.measured import Figure, beside, percentile
from operate.bench.place import own_folder, place
from operate.install import ROOT, Refused
from operate.stack import Stack


def test_a_figure_is_the_ratio_of_the_medians() -> None:
    figure = Figure("append", "", "events/s", [50, 80, 70], [100, 90, 300], at_least=0.7)
    assert figure.value == 0.7
    assert figure.kept
    assert figure.promise == "≥ 0.7"


def test_without_a_limit_the_median_itself_is_the_figure() -> None:
    figure = Figure("up_warm_s", "", "s", [4.0, 9.0, 6.0], at_most=5)
    assert figure.value == 6
    assert not figure.kept


def test_ours_and_the_limit_are_measured_in_turns() -> None:
    order: list[str] = []

    async def one(name: str) -> float:
        order.append(name)
        return len(order)

    ours, limit = asyncio.run(beside(lambda: one("ours"), lambda: one("limit"), 2))
    assert order == ["limit", "ours", "limit", "ours"]
    assert (ours, limit) == ([2, 4], [1, 3])


def test_percentiles_lie_between_the_values() -> None:
    assert percentile([1.0, 2.0, 3.0], 50) == 2
    assert percentile(range(101), 99) == 99


def test_two_kinds_of_answers_are_told_apart_by_their_time_or_are_alike() -> None:
    random = Random(0)
    one, other = ([random.expovariate(1) for _ in range(500)] for _ in range(2))
    assert abs(alike(one, other).later - 0.5) < 0.05
    assert alike(one, other).by_chance > 0.05
    later = [value + 0.2 for value in one]
    assert alike(later, other).later > 0.55
    assert alike(later, other).by_chance < 0.001
    assert alike([1, 1], [1, 1]) == (0.5, 1.0)


def test_too_little_room_is_said_before_anything_starts(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(Refused, match="the benchmark needs"), place(Stack(state), disk=2**60):
        pass
    assert not [*tmp_path.iterdir()]


def test_a_benchmark_works_beside_the_state_folder_and_leaves_nothing(tmp_path: Path) -> None:
    """Not at SIGTERM, and not for long at SIGKILL; what lives is left alone."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    code = f"""
import time
from pathlib import Path
from operate.bench.place import own_folder
with own_folder(Path({str(tmp_path)!r})):
    print(flush=True)
    time.sleep(600)
"""

    @contextmanager
    def another() -> Iterator[subprocess.Popen[bytes]]:
        words = [sys.executable, "-c", code]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline()
            try:
                yield process
            finally:
                process.kill()

    def folders() -> set[Path]:
        return {*tmp_path.iterdir()} - {state}

    with another() as first:
        first.terminate()
        assert first.wait() == 128 + signal.SIGTERM
    assert not folders()
    with another() as killed:
        (left,) = folders()
        killed.kill()
        killed.wait()
    with another() as lives:
        (beside,) = folders() - {left}
        assert left not in folders()
        with own_folder(tmp_path) as mine:
            assert folders() == {beside, mine}
        lives.terminate()
        assert lives.wait() == 128 + signal.SIGTERM
    assert not folders()
    assert state.stat().st_mode & 0o777 == 0o700
