"""The list of defects: one TOML file a part of the system beside this module."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SERVERS = ("tests/integration/", "tests/e2e/")
"""Tests in these folders run against servers."""


@dataclass(frozen=True)
class Defect:
    """`before` stands exactly once in `file`; `tests` are pytest ids, all of which pass without the
    change and one of which fails with it.
    """

    name: str
    breaks: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    @property
    def needs_servers(self) -> bool:
        return any(test.startswith(SERVERS) for test in self.tests)


def defects() -> list[Defect]:
    """All of them, in the order of files and of rows."""
    return [
        _defect(row)
        for file in sorted(HERE.glob("*.toml"))
        for row in tomllib.loads(file.read_text("utf-8"))["defect"]
    ]


def _defect(row: dict[str, Any]) -> Defect:
    return Defect(**{**row, "tests": tuple(row["tests"])})
