"""A municipality's own lists stand in the place of those that are shipped, and say which file is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.contracts import lists

OWN = """
[urgency]
title = "緊急度(本市)"
confirmed = true
codes = { now = "すぐに", later = "後で𠮷" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(lists.FOLDER, str(tmp_path))
    return tmp_path


def test_without_files_of_its_own_all_is_as_shipped(folder: Path) -> None:
    assert "sex" in lists.read("codes.toml")
    assert lists.read("bodies.toml")["body"]


def test_of_the_codes_what_it_has_not_written_stays(folder: Path) -> None:
    shipped = lists.read("codes.toml")
    (folder / "codes.toml").write_text(OWN, "utf-8")
    found = lists.read("codes.toml")
    assert found.pop("urgency")["codes"] == {"now": "すぐに", "later": "後で𠮷"}
    shipped.pop("urgency")
    assert found == shipped


def test_any_other_file_stands_for_the_whole(folder: Path) -> None:
    (folder / "holidays.toml").write_text("days = [2027-01-01]", "utf-8")
    assert [f"{day}" for day in lists.read("holidays.toml")["days"]] == ["2027-01-01"]


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "grounds.toml").write_text("[[ground", "utf-8")
    with pytest.raises(ValueError, match=r"grounds\.toml: "):
        lists.read("grounds.toml")


def test_a_service_offers_them(folder: Path) -> None:
    (folder / "codes.toml").write_text(OWN, "utf-8")
    said = "from shared.contracts.codes import labels, listed; print(labels('urgency'), listed('urgency'))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout == "{'now': 'すぐに', 'later': '後で𠮷'} ('緊急度(本市)', True)\n"
