"""`./tsunagu chaos`: its options, what it prints, its exit status."""

from __future__ import annotations

import json
from random import SystemRandom
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from operate import install
from operate.demo.command import Json
from operate.stack import Stack

if TYPE_CHECKING:
    from operate.chaos.plans import Plan
    from operate.chaos.run import Report

KILLS, TIMES, CHANGES = 600, 5, 50_000
EACH = 5_000
"""Changes in one city: what is reordered or read again from the start is all that it has on its topics."""
CASES = 4000
"""A year that is long enough for every run; it ends with the last fault."""

app = typer.Typer(help="Faults on purpose, and what came of them.")
Kills = Annotated[
    int | None, typer.Option(help="Kills in all with --tier, faults with --only.", min=1)
]
Seed = Annotated[int | None, typer.Option(help="Repeats a run. [default: drawn]")]
Only = Annotated[str | None, typer.Option(help="One run of the tier, or one kind of fault.")]
Tier = Annotated[int | None, typer.Option(help="1: everything, at full size.", min=1, max=1)]
Changes = Annotated[
    int, typer.Option(help="Of consents and memberships, in the run `sharing`.", min=100)
]
Planted = Annotated[
    bool, typer.Option("--planted", help="Defects in a copy of the source; --only names one.")
]


@app.callback(invoke_without_command=True)
def chaos(
    context: typer.Context,
    kills: Kills = None,
    seed: Seed = None,
    only: Only = None,
    tier: Tier = None,
    changes: Changes = CHANGES,
    planted: Planted = False,
    as_json: Json = False,
) -> None:
    """Ends, cuts, fills and sets back what there is, under load; then proves that nothing is lost."""
    if planted:
        from operate.chaos.planted import run

        install.make("test")
        raise typer.Exit(0 if run(only, as_json) else 1)
    from operate.chaos.run import execute

    given: Stack = context.obj
    stack = Stack(given.state / "chaos", given.base_port)
    seed = _drawn() if seed is None else seed
    console = Console(stderr=as_json, highlight=False)
    reports: list[Report] = []
    for plan in _chosen(kills, only, tier):
        for number, more in enumerate(_cities(plan, changes)):
            with console.status(plan.name) as line:
                reports.append(execute(plan, stack, seed + number, CASES, line.update, more))
            console.print(shown(reports[-1]))
    right = all(report.right for report in reports)
    if as_json:
        document = {"seed": seed, "right": right, "runs": [one.document() for one in reports]}
        print(json.dumps(document, ensure_ascii=False))
    raise typer.Exit(0 if right else 1)


def _chosen(kills: int | None, only: str | None, tier: int | None) -> list[Plan]:
    from operate.chaos import plans

    whole = {plan.name: plan for plan in (*plans.tier(max(kills or 0, KILLS)), plans.SHARING)}
    if only in whole:
        return [whole[only]]
    if only:
        return [plans.only(only, kills or TIMES)]
    return list(whole.values()) if tier else [plans.SAMPLE]


def _cities(plan: Plan, changes: int) -> list[int]:
    """Changes in each city that a plan is carried out in; the next one has the next seed."""
    if plan.name != "sharing":
        return [0]
    return [len(range(start, changes, -(-changes // EACH))) for start in range(-(-changes // EACH))]


def _drawn() -> int:
    return SystemRandom().randrange(1_000_000)


def shown(report: Report) -> Table:
    mark = "[green]✓[/]" if report.right else "[red]✗[/]"
    table = Table(title=f"{mark} {report.plan} (seed {report.seed})", title_justify="left")
    table.add_column("")
    table.add_column("", overflow="fold")
    result = report.result
    rows = {
        "操作 commands": report.commands,
        "同意と名簿の変更 changes of consents and memberships": report.changes or "",
        "障害 faults": ", ".join(f"{kind} {n}" for kind, n in sorted(report.faults.items())),
        "障害点 kill points and modes": report.points,
        "結果 outcomes": ", ".join(f"{how} {n}" for how, n in sorted(report.outcomes.items())),
        "失われた応答 lost answers": report.lost_answers,
        **result.counts,
        "events, documents checked": f"{result.events}, {result.documents}",
        "回復 seconds to heal": result.seconds_to_heal,
        "秒 seconds": report.seconds,
        **report.notes,
    }
    for name, value in rows.items():
        if value not in ("", None):
            table.add_row(str(name), str(value))
    if not report.right:
        table.add_row("繰り返す repeat", f"--seed {report.seed}")
    for sentence in [*(f"not done: {what}" for what in report.missed), *result.sentences]:
        table.add_row("[red]✗[/]", sentence)
    return table
