"""From an empty state to the verdict on the screen, and to the end of everything that was started."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Options:
    """What the command line was given; None: as volumes.toml says."""

    cases: int | None
    seed: int | None
    once: bool
    as_json: bool
    people: Path | None
    kill: str


def session(given: Stack, options: Options) -> bool:
    """Whether everything was right."""
    began = time.monotonic()
    defaults = Ikoma().defaults
    cases = options.cases or defaults["volume"]["new_consultations_year"]
    seed = defaults["random_seed"] if options.seed is None else options.seed
    ikoma = Ikoma.sized(cases)
    console = Console(stderr=options.as_json, highlight=False)
    stack = state.empty(given)
    try:
        with show.Screen(console) as screen, ThreadPoolExecutor(1) as beside:
            starting = beside.submit(stack.up, bound=True, progress=screen.stage)
            year = plan_year(cases, seed, ikoma)
            if options.people:
                write_people(options.people, year)
            killing = Killing.chosen(options.kill, seed, len(year.intents))
            starting.result()
            ready = round(time.monotonic() - began, 1)
            verdict = replayed(Replay(stack, ikoma, year, killing, screen))
        verdict = verdict.after(ready, round(time.monotonic() - began, 1))
        show.summary(console, verdict)
        if not options.once:
            show.where_next(console, stack, verdict)
            wait(stack, verdict if options.as_json else None)
    finally:
        stack.down()
    if options.once and options.as_json:
        tell(verdict)
    return not verdict.wrong


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


def wait(stack: Stack, verdict: Verdict | None) -> None:
    """Until Ctrl-C."""
    if verdict:
        tell(verdict)
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
