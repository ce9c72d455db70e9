"""`./tsunagu prove`: its options, what it prints."""

import json
import time
from multiprocessing import Pool

import typer
from rich.console import Console

from operate.demo.command import Json

PART = 100
"""Histories that a process goes through at a time."""

app = typer.Typer(help="Rules judged over random histories.", no_args_is_help=True)


@app.callback()
def prove() -> None:
    """Rules judged over random histories."""


@app.command()
def sharing(
    histories: int = typer.Option(50_000, min=1, help="How many."),
    seed: int = typer.Option(1, help="The same seed gives the same histories."),
    as_json: Json = False,
) -> None:
    """What each agency is shown, step by step, beside an oracle written from L1 to L24."""
    from operate.prove.life import Tally
    from operate.prove.run import proven

    tally, began = Tally(), time.monotonic()
    parts = [(seed, first, min(first + PART, histories)) for first in range(0, histories, PART)]
    with Console(stderr=True).status("") as line, Pool() as pool:
        for part in pool.imap_unordered(proven, parts):
            tally.add(part)
            line.update(f"{tally.histories} of {histories}, wrong {len(tally.wrong)}")
    seconds = time.monotonic() - began
    told = {"seed": seed, "seconds": round(seconds, 1), **vars(tally)}
    told["per_second"] = round(tally.histories / seconds)
    if as_json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{name}: {value}" for name, value in told.items()))
    raise typer.Exit(bool(tally.wrong))
