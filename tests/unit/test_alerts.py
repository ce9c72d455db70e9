"""Alerts, the operator's page and the console speak of figures that services have."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from operate.console.answers import WAITING
from shared import telemetry

ROOT = Path(__file__).parents[2]
assert telemetry  # it makes the figures


@pytest.mark.parametrize("where", ["deploy/alerts.yml", "docs/how-to/operate.md"])
def test_every_figure_that_is_named_exists(where: str) -> None:
    named = set(re.findall(r"\btsunagu_[a-z_]+", (ROOT / where).read_text("utf-8")))
    assert named
    assert not {name.removesuffix("_bucket").removesuffix("_count") for name in named} - figures()


def test_the_console_adds_up_figures_that_exist() -> None:
    assert set(WAITING) <= figures()


def test_only_what_counts_up_is_called_a_total() -> None:
    assert {
        family.name for family in REGISTRY.collect()
        if family.type != "counter" and family.name.endswith("_total")
    } == set()  # fmt: skip


def figures() -> set[str]:
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in REGISTRY.collect()
    }
