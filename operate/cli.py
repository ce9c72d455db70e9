"""The command line: ./tsunagu."""

from __future__ import annotations

import asyncio
import errno
import importlib
import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from operate import processes
from operate.external import External
from operate.install import ROOT, Refused
from operate.places import HTTP, REPLICAS, SERVICES, http_port
from operate.stack import Stack

app = typer.Typer(
    help="Case coordination between a city and its agencies: sets itself up, runs, proves itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
topics = typer.Typer(help="Topics, users and rights on the broker.", no_args_is_help=True)
agency = typer.Typer(
    help="Agencies: how sharing stands; credentials, for development.", no_args_is_help=True
)
app.add_typer(topics, name="topics")
app.add_typer(agency, name="agency")

# Built apart; each is there once its module is.
PARTS = {
    "operate.demo.command": ("demo", "demo"),
    "operate.repair": ("app", None),
    "operate.chaos": ("app", "chaos"),
    "operate.bench": ("app", "bench"),
    "operate.prove": ("app", "prove"),
}

WIDE = 200
"""Columns where nobody looks: what reads the lines shall not have to put them together again."""
OWN = ("up", "down", "status", "run", "token", "agency", "setup", "test")

err = Console(stderr=True, highlight=False)
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@app.callback()
def options(
    context: typer.Context,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder of this copy's passwords, data and logs. (default: .tsunagu)"),
    ] = None,
    base_port: Annotated[
        int | None,
        typer.Option(help="First port. (default: as last time, else 8100)", min=1024, max=65000),
    ] = None,
) -> None:
    context.obj = Stack(state or ROOT / ".tsunagu", base_port or 0)


@app.command()
def up(
    context: typer.Context,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready.")] = False,
    brokers: Annotated[
        int | None, typer.Option(help="1 to 3. (default: as last time, else 1)", min=1, max=3)
    ] = None,
    replicas: Annotated[
        int, typer.Option(help="Of each service.", min=1, max=REPLICAS, show_default=True)
    ] = 1,
    external: Annotated[
        bool, typer.Option("--external", help="Servers named by KAFKA_* and DATABASE_URL.")
    ] = False,
) -> None:
    """Starts PostgreSQL, Kafka and the services."""
    given: Stack = context.obj
    outside = External.read() if external else None
    stack = Stack(given.state, given.base_port, brokers=brokers or 0, external=outside)
    began = time.monotonic()
    with err.status("starting") as line:
        fresh = stack.up(replicas=replicas, bound=not detach, progress=line.update)
    if not fresh:
        err.print(f"already running; the console is at {stack.http('console')}")
        return
    if outside is None and (moved := stack.postgres.moved):
        err.print(f"PostgreSQL's data is in {moved}: its user cannot enter {stack.state}")
    err.print(f"ready in {time.monotonic() - began:.1f} s: {stack.http('console')}")
    if not detach:
        watch(stack)


def watch(stack: Stack) -> None:
    """Shows the state until Ctrl-C, then ends all."""
    try:
        with Live(table(stack.status()), console=err, auto_refresh=False) as live:
            while stack.pid("supervisor"):
                time.sleep(1)
                live.update(table(stack.status()), refresh=True)
        raise Refused(f"the stack has ended; the reason is in {stack.places.log('supervisor')}")
    except KeyboardInterrupt:
        err.print("stopping")
    finally:
        stack.down()


@app.command()
def down(context: typer.Context) -> None:
    """Ends everything that this copy has started."""
    stack: Stack = context.obj
    err.print("stopped" if stack.down() else "nothing was running")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Shows every part; exit status 0 only if all are healthy."""
    stack: Stack = context.obj
    found = stack.recall().status()
    if as_json:
        print(json.dumps(found))
    elif found["parts"]:
        Console(highlight=False).print(table(found))
    else:
        print("not running")
    raise typer.Exit(0 if found["healthy"] else 1)


def table(found: dict[str, Any]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for column in ("part", "state", "pid", "port", "restarts"):
        shown.add_column(column)
    for part in found["parts"]:
        state = part["state"] if part["healthy"] or part["state"] != "ready" else "not answering"
        port = http_port(found["base_port"], part["name"]) if part["name"] in HTTP else ""
        row = (part["name"], state, part["pid"] or "", port, part["restarts"])
        shown.add_row(*map(str, row), style=None if part["healthy"] else "red")
    return shown


@app.command()
def run(context: typer.Context, service: Annotated[str, typer.Argument()]) -> None:
    """Runs one service in the foreground, as a container would."""
    run_service(context.obj, service)


def run_service(stack: Stack, service: str) -> None:
    """Settings come from the environment; where it has none, from the state folder."""
    if service not in SERVICES:
        raise Refused(f"there is no service '{service}'; there are {', '.join(SERVICES)}")
    if "DATABASE_URL" not in os.environ:
        given = running(stack).env(service)
        os.environ.update({name: os.environ.get(name, value) for name, value in given.items()})
        processes.check_free([int(os.environ["HTTP_PORT"])])
    importlib.import_module("shared.host").run(service)


@app.command()
def token(
    context: typer.Context,
    agency: Annotated[str, typer.Option(help="The agency's code.")],
    role: Annotated[list[str], typer.Option(help="May be given several times.")],
    subject: Annotated[str, typer.Option(help="Who it is for.")] = "developer",
) -> None:
    """Prints a token of the development issuer."""
    if os.environ.get("DEVELOPMENT", "true").lower() not in ("true", "1", "yes"):
        raise Refused("tokens are issued in development only; ask your identity provider")
    stack: Stack = context.obj
    stack.places.make()
    print(stack.token(agency, role, subject))


@agency.command()
def credentials(context: typer.Context, code: str, as_json: Json = False) -> None:
    """Makes an agency's topic, user and key where missing, and prints what its system needs."""
    from operate import reconcile

    stack = running(context.obj)
    parts = {part["name"]: part for part in stack.status()["parts"]}
    if parts.get("views", {}).get("healthy"):
        found = reconcile.join(stack, code)
    else:
        found = stack.agency(code)
    if as_json:
        print(json.dumps(found.document()))
        return
    for name, value in found.document().items():
        print(f"{name}={value}")


@agency.command("status")
def agency_status(context: typer.Context, as_json: Json = False) -> None:
    """Shows how sharing stands with each agency; exit status 0 only if nothing waits for a person.

    Receipts missing: documents not confirmed as delivered/placed/opened in their newest version.
    """
    from operate import sharing

    found = sharing.ask(running(context.obj))
    if as_json:
        print(json.dumps(found))
    else:
        width = None if sys.stdout.isatty() else WIDE
        Console(highlight=False, width=width).print(sharing.table(found))
    raise typer.Exit(1 if sharing.needy(found) else 0)


@topics.command()
def apply(context: typer.Context, as_json: Json = False) -> None:
    """Brings topics, users and rights to what deploy/topics.yaml and the subscriptions say."""
    from operate import reconcile

    changes = reconcile.repair(running(context.obj))
    if as_json:
        print(json.dumps({"changes": changes}))
        return
    print("\n".join(changes) or "nothing to change")


@topics.command()
def verify(context: typer.Context, as_json: Json = False) -> None:
    """Shows where the broker differs from topics.yaml, directory and subscriptions; then exit status 1.

    The console and agency status tell it from then on, too.
    """
    from operate.compare import compare

    found = compare(running(context.obj))
    if as_json:
        print(json.dumps({"differences": [vars(one) for one in found]}))
    else:
        lines = [f"{one.kind} {one.name}: {one.what}" for one in found]
        print("\n".join(sorted(lines)) or "the broker holds what it should")
    raise typer.Exit(1 if found else 0)


@topics.command("watch")
def watch_agencies(context: typer.Context) -> None:
    """Follows the agencies' subscriptions until Ctrl-C, as ./tsunagu up does by itself."""
    from operate import reconcile

    asyncio.run(reconcile.watch(running(context.obj), print))


def running(stack: Stack) -> Stack:
    """The stack as it was last started, if its servers are there."""
    found = stack.recall()
    if found.external is None and not found.pid("supervisor"):
        raise Refused("nothing is running here; start it with ./tsunagu up")
    return found


@app.command()
def setup(context: typer.Context) -> None:
    """Makes databases, topics and users on the servers of KAFKA_* and DATABASE_URL."""
    given: Stack = context.obj
    stack = Stack(given.state, given.base_port, external=External.read())
    stack.prepare()
    stack.remember()
    stack.oidc()
    for change in (*stack.provide_databases(), *stack.provide_topics()):
        print(change)


@app.command("test")
def run_checks(
    parts: Annotated[list[str] | None, typer.Argument(help="lint, unit, integration, …")] = None,
) -> None:
    """Installs what tests need and runs all checks, or these parts of them."""
    from operate import checks

    raise typer.Exit(checks.run(parts or []))


def hoisted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The global options, wherever the user has put them, and the other words."""
    front: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return front, [*rest, word, *left]
        if word in ("--state", "--base-port") and left:
            front += [word, left.pop(0)]
        elif word.startswith(("--state=", "--base-port=")):
            front.append(word)
        else:
            rest.append(word)
    return front, rest


def add_parts(words: Sequence[str]) -> None:
    """Adds what is built apart: of a command only what it is in, so that it starts at once."""
    first = words[0] if words else ""
    if first in OWN:
        return
    known = {first} if first in {name for _, name in PARTS.values()} else {None}
    for module, (attribute, name) in PARTS.items():
        if first[:1] not in ("", "-") and name not in known:
            continue
        package = module.rpartition(".")[0]
        if importlib.util.find_spec(package) and importlib.util.find_spec(module):
            part = getattr(importlib.import_module(module), attribute)
            if isinstance(part, typer.Typer):
                app.add_typer(part, name=name)
            else:
                app.command(name)(part)


def main() -> None:
    try:
        options, words = hoisted(sys.argv[1:])
        add_parts(words)
        app([*options, *words], prog_name="tsunagu")
    except Refused as refusal:
        err.print(f"tsunagu: {str(refusal).rstrip('.')}.", markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno == errno.ENOSPC:
            error.strerror = "the disk is full; free some of it and run this again"
        where = f" ({error.filename})" if error.filename else ""
        err.print(f"tsunagu: {error.strerror or error}{where}.", markup=False, soft_wrap=True)
    except Exception as error:
        if os.environ.get("TSUNAGU_DEBUG"):
            traceback.print_exc()
        err.print(
            f"tsunagu: this should not have happened: {type(error).__name__}: {error}; "
            "set TSUNAGU_DEBUG=1 to see where.", markup=False, soft_wrap=True,
        )  # fmt: skip
    sys.exit(1)
