"""The commands of repair. What they do is in the modules that they load when they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from operate.cli import Json, running
from operate.cli import topics as topics_app
from operate.install import Refused
from operate.places import SERVICES

app = typer.Typer(no_args_is_help=True)
parked_app = typer.Typer(help="What waits for a repair.", no_args_is_help=True)
views_app = typer.Typer(
    help="Numbered views: rebuild, promote, drop, verify.", no_args_is_help=True
)
indicators_app = typer.Typer(help="Proof of the figures.", no_args_is_help=True)
erasures_app = typer.Typer(help="Keys that are destroyed for ever.", no_args_is_help=True)
app.add_typer(erasures_app, name="erasures")
app.add_typer(parked_app, name="parked")
app.add_typer(views_app, name="views")
app.add_typer(indicators_app, name="indicators")

Service = Annotated[str, typer.Argument(help=", ".join(SERVICES))]
Number = Annotated[int, typer.Argument(help="As ./tsunagu views status shows it.")]
Only = Annotated[str | None, typer.Option("--service", help="Of one service only.")]
Done = TypeVar("Done")


def carried_out(work: Coroutine[Any, Any, Done]) -> Done:
    """Trouble that passes becomes one sentence; whatever was begun can be run again."""
    from shared.broker import KafkaError
    from shared.db import PASSING

    async def at_once() -> Done:
        try:
            return await work
        except (KafkaError, *PASSING) as error:
            raise Refused(
                f"a server did not answer ({type(error).__name__}); look at ./tsunagu status and run "
                "this again"
            ) from error

    return asyncio.run(at_once())


def end(wrong: str | None) -> None:
    from operate.repair import screen

    if wrong:
        screen.err.print(f"tsunagu: {wrong}.", markup=False, soft_wrap=True)
        raise typer.Exit(1)


@parked_app.command("list")
def parked_list(context: typer.Context, service: Only = None, as_json: Json = False) -> None:
    """Shows what is parked or held back, by cause and by stream, the oldest of each; never content."""
    from operate.repair import parked, screen

    groups = carried_out(parked.waiting(running(context.obj), service))
    causes = parked.causes(groups)
    if as_json:
        streams = [group.document() for group in groups]
        total = sum(group.records for group in groups)
        return screen.document({"records": total, "causes": causes, "streams": streams})
    if not groups:
        return print("nothing is parked")
    screen.table(causes)
    print()
    return screen.table([group.document() for group in groups])


@parked_app.command("show")
def parked_show(
    context: typer.Context,
    stream: Annotated[str, typer.Argument(help="As in parked list; - for records that tell none.")],
    as_json: Json = False,
) -> None:
    """Shows where each parked record of a stream is and why, with its structural headers."""
    from operate.repair import parked, screen

    name = None if stream == "-" else stream
    rows = carried_out(parked.records(running(context.obj), name))
    if as_json:
        return screen.document({"stream": stream, "records": rows})
    return screen.table([{**row, "headers": row["headers"].get("ce_type", "")} for row in rows])


@parked_app.command("replay")
def parked_replay(
    context: typer.Context,
    stream: Annotated[
        str | None, typer.Option(help="One stream; - for those that tell none.")
    ] = None,
    cause: Annotated[str | None, typer.Option(help="All whose cause begins so.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is parked or held.")] = False,
    service: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Tries parked streams again in version order, and proves the order afterwards."""
    from operate.repair import parked, screen

    if sum((stream is not None, cause is not None, everything)) != 1:
        raise Refused("say what to replay: --stream STREAM, --cause CAUSE or --all")
    stack = running(context.obj)
    groups = [
        group
        for group in carried_out(parked.waiting(stack, service))
        if everything
        or (stream is not None and stream == (group.stream or "-"))
        or (cause is not None and group.cause.startswith(cause))
    ]
    if not groups and not everything:
        asked = screen.plain(stream or cause)
        raise Refused(f"nothing that waits matches '{asked}'; see ./tsunagu parked list")
    done = carried_out(parked.replay(stack, groups, dry=dry_run))
    applied = sum(one.applied for one in done)
    stayed = sum(sum(one.stayed.values()) for one in done)
    rows = [one.document() for one in done]
    if as_json:
        screen.document({"dry_run": dry_run, "applied": applied, "stayed": stayed, "streams": rows})
    elif rows:
        screen.table(rows)
        print(f"{'would be applied' if dry_run else 'applied'}: {applied}; stay: {stayed}")
    else:
        print("nothing is parked")
    if not all(one.in_order for one in done):
        end("the order of a stream is not proved; look at it with ./tsunagu parked show")
    if stayed and not dry_run:
        end(f"{stayed} record(s) stay; the table says why")


@views_app.command("status")
def views_status(context: typer.Context, as_json: Json = False) -> None:
    """Shows every number of every view, and how far it is behind the promoted one."""
    from operate.repair import numbers, screen

    rows = carried_out(numbers.status(running(context.obj)))
    screen.document({"views": rows}) if as_json else screen.table(rows)


@views_app.command("rebuild")
def views_rebuild(context: typer.Context, service: Service, as_json: Json = False) -> None:
    """Fills the next number of a view from the journals, beside the promoted one."""
    from operate.repair import numbers, screen

    done = carried_out(numbers.rebuild(running(context.obj), service))
    if as_json:
        return screen.document(done)
    return print(
        f"view {done['number']} of {service} has {done['events']} more events in {done['seconds']} s "
        f"({done['events_per_second']}/s); promote it with "
        f"./tsunagu views promote {service} {done['number']}"
    )


@views_app.command("promote")
def views_promote(
    context: typer.Context, service: Service, number: Number, as_json: Json = False
) -> None:
    """Lets a caught-up number take the promoted one's place; services and readers go on."""
    from operate.repair import numbers, screen

    done = carried_out(numbers.promote(running(context.obj), service, number))
    screen.document(done) if as_json else print(f"view {number} of {service} is promoted")


@views_app.command("drop")
def views_drop(
    context: typer.Context, service: Service, number: Number, as_json: Json = False
) -> None:
    """Deletes a number that is not promoted."""
    from operate.repair import numbers, screen

    done = carried_out(numbers.drop(running(context.obj), service, number))
    screen.document(done) if as_json else print(f"view {number} of {service} is gone")


@views_app.command("verify")
def views_verify(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="One of them; else all.")] = None,
    as_json: Json = False,
) -> None:
    """Folds the journals once more and compares every row with the promoted view's."""
    from operate.repair import screen, verify

    stack = running(context.obj)
    tables = []
    for name in [service] if service else SERVICES:
        tables += carried_out(verify.verify(stack, name))
    rows = [table.document() for table in tables]
    screen.document({"tables": rows}) if as_json else screen.table(rows)
    end(verify.said(tables))


@indicators_app.command("verify")
def indicators_verify(context: typer.Context, as_json: Json = False) -> None:
    """Folds the journals in memory, and compares facts and figures with those of metrics."""
    from operate.repair import indicators, screen, verify

    tables, figures = carried_out(indicators.verify(running(context.obj)))
    rows = [table.document() for table in tables]
    years = [one.document() for one in figures]
    if as_json:
        screen.document({"tables": rows, "years": years})
    else:
        screen.table(rows)
        print(f"figures of {len(years)} fiscal year(s) compared")
    wrong = [str(one.fiscal_year) for one in figures if not one.same]
    end(verify.said(tables) or (f"figures of {', '.join(wrong)} differ" if wrong else None))


@erasures_app.command("list")
def erasures_list(context: typer.Context, as_json: Json = False) -> None:
    """Shows the signed list of destroyed keys; keep it (--json) where the backups are not."""
    from operate.repair import erasures, screen

    rows = [one._asdict() for one in carried_out(erasures.listed(running(context.obj)))]
    if as_json:
        screen.document({"erasures": rows})
    else:
        screen.table([{"case": row["case"], "keys": len(row["keys"])} for row in rows])


@erasures_app.command("apply")
def erasures_apply(
    context: typer.Context,
    kept: Annotated[Path | None, typer.Option("--list", help="A list that was kept.")] = None,
    as_json: Json = False,
) -> None:
    """Destroys again, after a restore, what the list names; intake does so too when it starts."""
    from operate.repair import erasures, screen

    done = carried_out(erasures.apply(running(context.obj), kept))
    screen.document(done) if as_json else print(
        f"{done['destroyed']} keys of {done['cases']} cases could still be opened; now they cannot"
    )


@topics_app.command("rebuild")
def topics_rebuild(context: typer.Context, as_json: Json = False) -> None:
    """Fills topics that were lost: events from the journals, documents from views; then compares."""
    from operate.repair import screen, topics

    done = carried_out(topics.rebuild(running(context.obj)))
    if as_json:
        screen.document(done)
    else:
        screen.table(done["topics"])
        print(f"{done['events']} events in {done['seconds']} s ({done['events_per_second']}/s)")
    end(f"{done['missing']} are missing on their topics; see ./tsunagu parked list"
        if done["missing"] else None)  # fmt: skip
