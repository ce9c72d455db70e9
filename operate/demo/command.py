"""`./tsunagu demo`: its options. What it does is in `session`, loaded only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Cases = Annotated[
    int | None,
    typer.Option(
        help="Consultations in the year, all else in proportion. [default: volumes.toml, 2000]",
        min=1, max=20_000,
    ),
]  # fmt: skip
Seed = Annotated[
    int | None, typer.Option(help="The same seed gives the same year. [default: 292095]")
]
Once = Annotated[bool, typer.Option("--once", help="Stop everything at the end.")]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document as the last line; the rest to stderr.")
]
People = Annotated[
    Path | None, typer.Option(help="Write every invented personal value to this file, one a line.")
]
Kill = Annotated[str, typer.Option(hidden=True, help="A service, none, or random.")]


def demo(
    context: typer.Context,
    cases: Cases = None,
    seed: Seed = None,
    once: Once = False,
    as_json: Json = False,
    people: People = None,
    kill: Kill = "random",
) -> None:
    """Replays a synthetic fiscal year of Ikoma through the public APIs, and proves it."""
    from operate.demo.session import Options, session

    right = session(context.obj, Options(cases, seed, once, as_json, people, kill))
    raise typer.Exit(0 if right else 1)
