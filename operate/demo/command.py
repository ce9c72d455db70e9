"""`./tsunagu demo`: the main job, from an empty state to the verdict."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from operate.demo import show, state
from operate.demo.ikoma import Ikoma
from operate.demo.mishap import Killing
from operate.demo.plan import Year
from operate.demo.plan import year as plan_year
from operate.demo.replay import Replay
from operate.demo.verdict import Verdict
from operate.install import Refused
from operate.places import write_private
from operate.stack import Stack

DEFAULT = Ikoma().defaults


def demo(
    context: typer.Context,
    cases: Annotated[
        int, typer.Option(help="Consultations in the year; all else in proportion.", min=1, max=20_000)
    ] = DEFAULT["volume"]["new_consultations_year"],
    seed: Annotated[int, typer.Option(help="The same seed gives the same year.")] = DEFAULT["random_seed"],
    once: Annotated[bool, typer.Option("--once", help="Stop everything at the end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document as the last line; the rest goes to stderr.")
    ] = False,
    people: Annotated[
        Path | None, typer.Option(help="Write every invented personal value to this file, one a line.")
    ] = None,
    kill: Annotated[str, typer.Option(hidden=True, help="A service, none, or random.")] = "random",
) -> None:
    """Replays a synthetic fiscal year of Ikoma through the public APIs, and proves it."""
    began = time.monotonic()
    console = Console(stderr=as_json, highlight=False)
    ikoma = Ikoma.sized(cases)
    year = plan_year(cases, seed, ikoma)
    if people:
        write_people(people, year)
    killing = Killing.chosen(kill, seed, len(year.intents))
    given: Stack = context.obj
    stack = state.empty(given)
    try:
        with show.Screen(console) as screen:
            stack.up(bound=True, progress=screen.stage)
            ready = round(time.monotonic() - began, 1)
            verdict = replayed(Replay(stack, ikoma, year, killing, screen))
        verdict = verdict.after(ready, round(time.monotonic() - began, 1))
        show.summary(console, verdict)
        if not once:
            show.where_next(console, stack, verdict)
            if as_json:
                tell(verdict)
            wait(stack)
    finally:
        stack.down()
    if once and as_json:
        tell(verdict)
    raise typer.Exit(1 if verdict.wrong else 0)


def replayed(replay: Replay) -> Verdict:
    """The run itself; the first refusal in a group of failures is the one to tell."""
    try:
        return asyncio.run(replay.run())
    except BaseExceptionGroup as group:
        refused, rest = group.split(Refused)
        if refused is None:
            raise
        raise first(refused) from rest


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def tell(verdict: Verdict) -> None:
    print(json.dumps(verdict.document(), ensure_ascii=False), flush=True)


def wait(stack: Stack) -> None:
    """Until Ctrl-C."""
    try:
        while stack.pid("supervisor"):
            time.sleep(1)
        raise Refused(f"the stack has ended; the reason is in {stack.places.log('supervisor')}")
    except KeyboardInterrupt:
        return


def write_people(path: Path, year: Year) -> None:
    """One value a line, for looking for leaks; readable by its owner only."""
    try:
        write_private(path.absolute(), "".join(f"{value}\n" for value in year.invented))
    except OSError as error:
        raise Refused(f"{path} cannot be written to: {error.strerror}") from error
