"""`tsunagu-agency`, or `python -m agency`: follow, show, certify."""

import asyncio
import inspect
import json
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from agency.certify import OTHERS
from agency.certify import certify as run_certification
from agency.copy import Copy
from agency.credentials import Credentials
from agency.feed import PLACE, Feed
from agency.port import Kit, serve
from agency.receipts import Receipts
from agency.samples.broken import Broken
from agency.samples.screens import answer, certified, keep, read
from agency.sealed import Change
from agency.store import Unavailable
from agency.subscriber import Subscriber
from agency.trial import Trial, Unreachable
from agency.year import Year

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The tsunagu agency kit.")
screen = Console()
CredentialsFile = Annotated[Path, typer.Option("--credentials", help="what the city gave you")]
CopyPlace = Annotated[
    str, typer.Option("--copy", help="the agency's own copy: an SQLite file, or postgresql://…")
]
TOKEN = "TSUNAGU_TOKEN"  # noqa: S105 (where it is looked for)


@app.command()
def follow(
    copy: CopyPlace,
    credentials: Annotated[
        Path | None, typer.Option(help="what the city gave you: follow your topic")
    ] = None,
    feed: Annotated[str, typer.Option(help="base URL of views: follow its HTTP feed")] = "",
    views: Annotated[str, typer.Option(help="base URL of views: send receipts there")] = "",
    token: Annotated[str, typer.Option(envvar=TOKEN, help="for feed and receipts")] = "",
    confirm: Annotated[bool, typer.Option(help="confirm deletion when content ends")] = False,
    once: Annotated[bool, typer.Option(help="end when everything there is now is read")] = False,
    name: Annotated[str, typer.Option(help="tells several copies of an agency apart")] = "copy",
) -> None:
    """Keep the copy in sync until Ctrl-C: from the topic (--credentials) or over HTTP (--feed)."""
    if bool(credentials) == bool(feed):
        raise _refuse("say --credentials FILE or --feed URL")
    if feed and not token:
        raise _refuse(f"the feed needs a token: --token, or {TOKEN}")
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    receipts = Receipts(views, token, confirm=confirm) if views and token else None
    kept = _open(copy)
    if credentials:
        with_login = _load(credentials)
        follower = Subscriber(with_login, kept, name=name, receipts=receipts, on_change=_say)
        asyncio.run(_until_stopped(follower, once))
        _summary(kept, with_login.topic)
    else:
        asyncio.run(_fed(feed, token, kept, receipts, once))
        _summary(kept, PLACE)
    kept.close()


async def _fed(feed: str, token: str, kept: Copy, receipts: Receipts | None, once: bool) -> None:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=feed, headers=headers) as client:
        await _until_stopped(Feed(client, kept, receipts=receipts, on_change=_say), once)


@app.command()
def show(
    copy: CopyPlace, handle: Annotated[str, typer.Argument(help="one document, as JSON")] = ""
) -> None:
    """What the copy holds: all handles, or one document."""
    if "://" not in copy and not Path(copy).exists():
        raise _refuse(f"there is no copy at {copy}; make one with `python -m agency follow`")
    kept = _open(copy)
    if handle:
        held = kept.document(handle)
        if held is None or held.body is None:
            raise _refuse(f"the copy holds no content of {handle}")
        screen.print_json(json.dumps(held.body, ensure_ascii=False))
        return
    table = Table("handle", "version", "items", "placed at")
    table.columns[0].no_wrap, table.columns[0].min_width = True, 36  # it is typed again, whole
    for held in kept.documents():
        items = len(held.body["items"]) if held.body else "ended"
        cells = f"{held.document}.{held.edition}", items, held.at[:16]
        table.add_row(escape(held.handle), *(str(cell) for cell in cells))
    screen.print(table)
    for topic in kept.topics():
        _summary(kept, topic)


@app.command()
def certify(
    credentials: Annotated[
        Path | None, typer.Option(help="what the city gave you: check connection and records")
    ] = None,
    other: Annotated[
        list[str] | None, typer.Option(help="a topic that must be refused (several times)")
    ] = None,
    against: Annotated[
        str, typer.Option(help="URL of your subscriber's test port: replay a year to it")
    ] = "",
    start: Annotated[
        str, typer.Option(help="command that starts it: then it is also killed in mid-batch")
    ] = "",
    seed: Annotated[int, typer.Option(help="another year")] = 1,
) -> None:
    """Check the connection (--credentials), or your own subscriber (--against); fails when one check does."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if not credentials and not against:
        raise _refuse("say --credentials FILE, or --against URL, or both")
    passed = [
        *([_connection(credentials, other)] if credentials else []),
        *([_year(seed, against, start)] if against else []),
    ]
    if not all(passed):
        raise typer.Exit(1)


@app.command()
def stand(
    copy: CopyPlace, port: Annotated[int, typer.Option(help="on this machine")] = 9410
) -> None:
    """Put the kit's own subscriber behind a test port, for `certify --against`."""
    logging.basicConfig(level=logging.CRITICAL)
    kept = _open(copy)
    with serve(Kit(kept), port) as server, suppress(KeyboardInterrupt):
        server.serve_forever()
    kept.close()


@app.command()
def demo(
    copy: Annotated[
        str, typer.Option(help="an empty one: an SQLite file, or postgresql://…")
    ] = ":memory:",
) -> None:
    """Three screens of example code; what the third one shows is run: on a subscriber with two
    mistakes, and on the kit's own with this copy.
    """
    for screens in ((keep,), (answer, read), (certified,)):
        code = "\n\n".join(inspect.getsource(function) for function in screens)
        screen.print(Syntax(code, "python", background_color="default"))
        screen.rule()
    for sentence in certified(Broken("last_wins", "poison_is_end"), Year(monthly=10)):
        screen.print(escape(sentence), soft_wrap=True)
    kept = _open(copy)
    wrong = certified(Kit(kept), Year(monthly=10))
    kept.close()
    screen.print(f"The kit's own subscriber, with its copy in {_kind(copy)}: {len(wrong)} wrong")
    if wrong:
        raise typer.Exit(1)


def _connection(credentials: Path, other: list[str] | None) -> bool:
    checks = asyncio.run(run_certification(_load(credentials), other or OTHERS))
    table = Table("check", "result", "detail")
    for check in checks:
        result = "[green]passed[/]" if check.passed else "[red]FAILED[/]"
        table.add_row(escape(check.name), result, escape(check.detail))
    screen.print(table)
    return all(check.passed for check in checks)


def _year(seed: int, against: str, start: str) -> bool:
    year = Year(seed)
    try:
        wrong = Trial(year, against, start).run()
    except Unreachable as error:
        raise _refuse(f"the subscriber cannot be tested: {error}") from None
    for sentence in wrong:
        screen.print(escape(sentence), soft_wrap=True)
    records = sum(len(step.records) for step in year.steps)
    killed = "killed" if start else "cut off, not killed (see --start),"
    result = f"[red]{len(wrong)} WRONG[/]" if wrong else "[green]passed[/]"
    screen.print(
        f"{result}: {len(year.steps)} steps with {records} records, {killed} in mid-batch",
        soft_wrap=True,
    )
    return not wrong


async def _until_stopped(follower: Subscriber | Feed, once: bool) -> None:
    running = asyncio.create_task(follower.run())
    ending = asyncio.create_task(follower.caught_up() if once else asyncio.Event().wait())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.cancel)
    await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    ending.cancel()
    for done in await asyncio.gather(running, ending, return_exceptions=True):
        if isinstance(done, Exception):
            raise done


def _say(changes: Sequence[Change]) -> None:
    for change in changes:
        what = change.document.cause if change.document else "ended"
        told = (
            [one.told.what for one in change.document.items if one.told] if change.document else []
        )
        more = "".join(f", {told.count(one)} {one}" for one in dict.fromkeys(told))
        screen.print(
            f"{escape(change.handle)} {change.version}.{change.edition} {what}{escape(more)}"
        )


def _summary(copy: Copy, topic: str) -> None:
    held = [one for one in copy.documents() if one.body and one.body["items"]]
    position = copy.position(topic)
    up_to = position.up_to_date_at if position else None
    screen.print(
        f"{topic}: {len(held)} documents with content; up to date at {up_to or 'unknown'}",
        soft_wrap=True,
    )
    for refusal in copy.refused(topic):
        where = f"record {refusal.record.offset} ({refusal.handle or 'no handle'})"
        screen.print(
            f"[red]kept aside[/] {escape(where)}: {escape(refusal.reason)}", soft_wrap=True
        )


def _open(place: str) -> Copy:
    try:
        return Copy(place)
    except ImportError:
        raise _refuse("for PostgreSQL: pip install 'tsunagu-agency[postgresql]'") from None
    except (OSError, Unavailable) as error:
        raise _refuse(f"the copy cannot be opened: {error}") from None


def _kind(place: str) -> str:
    return "PostgreSQL" if "://" in place else "SQLite"


def _load(path: Path) -> Credentials:
    try:
        found = Credentials.load(path)
        found.keys()
    except ValidationError as error:
        missing = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        raise _refuse(f"{path} is no credentials file: {missing or 'not JSON'}") from None
    except (OSError, ValueError) as error:
        raise _refuse(f"the credentials or the key cannot be read: {error}") from None
    return found


def _refuse(sentence: str) -> typer.Exit:
    print(sentence, file=sys.stderr)
    return typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="python -m agency")
