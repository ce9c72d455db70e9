"""`./tsunagu bench`: its options, what it prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from operate.demo.command import Json
from operate.stack import Stack

if TYPE_CHECKING:
    from operate.bench.measured import Figure

NAMES = (
    *("append", "command", "relay_p50", "relay_p99", "relay_drain", "follower", "rebuild"),
    *("document_p50", "document_p99", "live_fold", "replay_fold", "command_1m", "up_warm_s"),
    "services_mb",
)
"""What `figures` holds, whatever else is measured and stands in `measured`."""

app = typer.Typer(
    help="Speed beside its limit, both measured in the same run.", no_args_is_help=True
)


@app.callback()
def bench() -> None:
    """Speed beside its limit, both measured in the same run."""


@app.command()
def spine(
    context: typer.Context,
    quick: bool = typer.Option(False, "--quick", help="Smaller sizes, at most 10 minutes."),
    as_json: Json = False,
) -> None:
    """Journal, relay, follower, views and the whole stack, each as a ratio to a bare limit."""
    from operate.bench.spine import run

    given: Stack = context.obj
    console = Console(stderr=as_json, highlight=False)
    with console.status("servers") as line:
        figures = run(given, quick, line.update)
    console.print(shown(figures))
    if as_json:
        found = {figure.name: figure.value for figure in figures}
        values = {name: found.get(name) for name in NAMES}
        print(json.dumps({"figures": values, "measured": [one.document() for one in figures]}))


def shown(figures: list[Figure]) -> Table:
    table = Table("指標 figure", "ours", "limit", "値 value", "約束 promise", "")
    for one in figures:
        ours, limit = (
            f"{min(values):,.4g} … {max(values):,.4g} {one.unit}" if values else ""
            for values in (one.ours, one.limit)
        )
        mark = ("[green]✓[/]" if one.kept else "[red]✗[/]") if one.promise else ""
        table.add_row(
            f"{one.name}\n[dim]{one.what}[/]", ours, limit, f"{one.value:g}",
            one.promise, mark,
        )  # fmt: skip
    return table
