"""Something of every fault that one broker and an ordinary disk allow, in one city under load."""

from pathlib import Path

import pytest

from operate.chaos.command import CASES
from operate.chaos.plans import SAMPLE
from operate.chaos.run import execute
from operate.stack import Stack
from tests.conftest import free_block

SEED = 4


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_city_to_which_all_of_it_happens_ends_as_if_nothing_had(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "chaos", free_block())
    report = execute(SAMPLE, stack, SEED, CASES, lambda text: None)
    done = (stack.state / "faults.log").read_text()
    assert report.right, "\n".join([done, *report.missed, *report.result.sentences])
    assert report.commands
    assert not any(report.result.counts.values())
