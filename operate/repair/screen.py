"""What repair shows: a bar while it works, a table at the end, or one JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

SHOWN = 50
ODD = re.compile(r"[^A-Za-z0-9 ._:/+,='()@-]")

err = Console(stderr=True, highlight=False)

Advance = Callable[[int], None]


def plain(text: object) -> str:
    """Text that came with a record nobody vouches for, less what may be somebody's name."""
    return ODD.sub("?", str(text))[:200]


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, completed=done)


def document(found: Mapping[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False, default=str))


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the same members, the first of them only if there are many."""
    shown = Table(box=None, pad_edge=False)
    for name in rows[0]:
        shown.add_column(name.replace("_", " "), overflow="fold")
    for row in rows[:SHOWN]:
        shown.add_row(*map(cell, row.values()))
    Console(highlight=False, markup=False).print(shown)
    if len(rows) > SHOWN:
        print(f"and {len(rows) - SHOWN} more; --json shows all")


def cell(value: object) -> str:
    match value:
        case None:
            return ""
        case list():
            return " ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}: {count}" for name, count in value.items())
    return str(value)
