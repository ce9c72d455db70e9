"""Subscribers that are killed in mid-batch and started again: the kit's, one in Node, and a broken one."""

import socket
import sys
from pathlib import Path
from shutil import which

import pytest
from typer.testing import CliRunner, Result

from agency.__main__ import app

NODE = which("node")
AGENCY = Path(__file__).parents[2] / "agency"


def certified(start: str) -> Result:
    """`start` with PORT for the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    against = f"http://127.0.0.1:{port}"
    command = ["certify", "--against", against, "--start", start.replace("PORT", port)]
    return CliRunner().invoke(app, command)


def test_the_kit_passes_though_it_is_killed(tmp_path: Path) -> None:
    done = certified(f"{sys.executable} -m agency stand --copy {tmp_path / 'copy.db'} --port PORT")
    assert done.exit_code == 0, done.output
    assert "killed in mid-batch" in done.output


@pytest.mark.skipif(NODE is None, reason="node is not on this machine")
def test_the_sample_in_node_passes_though_it_is_killed(tmp_path: Path) -> None:
    sample = AGENCY / "samples" / "node" / "subscriber.mjs"
    done = certified(f"{NODE} {sample} --state {tmp_path / 'state.json'} --port PORT")
    assert done.exit_code == 0, done.output


def test_a_place_that_is_kept_before_its_content_is_found_out(tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    done = certified(
        f"{sys.executable} -m agency.samples.broken place_first --copy {copy} --port PORT"
    )
    assert done.exit_code == 1, done.output
    assert "its place was kept without it" in done.output


def test_an_endpoint_without_a_subscriber_is_told_as_such() -> None:
    done = CliRunner().invoke(app, ["certify", "--against", "http://127.0.0.1:1"])
    assert done.exit_code == 2
    assert "cannot be tested" in done.output
