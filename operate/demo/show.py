"""What the demo puts on the screen: progress while it runs, tables at its end."""

from __future__ import annotations

from datetime import date

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from operate.demo.verdict import Verdict
from operate.places import SERVICES
from operate.stack import Stack


class Screen:
    """Human output goes to `console`; `stage` and `day` come while the run goes on."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("起動中 starting", total=None)

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, text: str) -> None:
        self._progress.update(self._task, description=text, completed=0, total=None)

    def day(self, day: date, done: int, every: int) -> None:
        year = day.year - 2018
        shown = f"令和{year}年{day.month}月{day.day}日 {day.isoformat()}"
        self._progress.update(self._task, description=shown, completed=done, total=every)


def summary(console: Console, verdict: Verdict) -> None:
    """Agencies, indicators, events, and whether all is right."""
    console.print(agencies(verdict))
    console.print(indicators(verdict))
    console.print(events(verdict))
    for sentence in verdict.wrong:
        console.print(f"[red]✗ {sentence}[/]")
    if not verdict.wrong:
        console.print("[green]✓ 失われたもの・重複・保留なし、すべての機関が同期[/] "
                      "nothing lost, doubled or parked; every agency in sync")  # fmt: skip


def agencies(verdict: Verdict) -> Table:
    table = Table(title="各機関のビュー  agencies, each with its own copy", title_justify="left")
    table.add_column("機関\nagency")
    for title in ("コード\ncode", "ケース\ncases", "遅れ\nlag", "同期\nin sync"):
        table.add_column(title, justify="left" if "code" in title else "right", no_wrap=True)
    for one in sorted(verdict.agencies, key=lambda one: (-one.cases, one.code)):
        mark = "[green]✓[/]" if one.in_sync else "[red]✗[/]"
        table.add_row(one.name, one.code, str(one.cases), str(one.lag), mark)
    return table


def indicators(verdict: Verdict) -> Table:
    table = Table(title="指標  indicators (要確認)", title_justify="left")
    for title in ("", "指標 indicator", "年度 FY"):
        table.add_column(title)
    for title in ("値 value", "基準 base", "目標 target"):
        table.add_column(title, justify="right")
    for one in verdict.indicators:
        year, goal = int(one["fiscal_year"]), int(one["target_fiscal_year"])
        target = f"{one['target']} (R{goal - 2018})"
        table.add_row(one["id"], one["name"], f"R{year - 2018}", f"{one['value']} {one['unit']}",
                      str(one["base"]), target)  # fmt: skip
    return table


def events(verdict: Verdict) -> Table:
    run, found = verdict.run, verdict.findings
    table = Table(title="一年の記録  the year", title_justify="left", show_header=False)
    written = ", ".join(f"{name} {found.events[name]}" for name in SERVICES)
    memory = ", ".join(f"{name} {mib}" for name, mib in run["memory_mib"].items())
    confirmed = verdict.retractions.get("confirmed", 0)
    open_ = sum(verdict.retractions.values()) - confirmed
    rows = {
        "ケース cases": str(verdict.year.cases),
        "操作 commands": f"{run['commands']} ({run['commands_per_second']}/s)",
        "事実 events": written,
        "再送 sent twice": f"{run['sent_twice']} commands, {found.redelivered} records",
        "拒否 refused as planned": str(run["refused_as_planned"]),
        "強制終了 killed": str(run["killed"] or "-"),
        "撤回 retractions": f"{confirmed} confirmed, {open_} not: by agencies on paper, or that only read",
        "封緘の閲覧 sealed readings": f"{verdict.readings.cases} cases, {verdict.readings.members} members",
        "喪失 lost": str(verdict.lost),
        "重複 duplicated": str(verdict.duplicated),
        "保留 parked": str(verdict.parked),
        "秒 seconds": f"{run['seconds_of_year']} + {run['seconds_of_checks']} for the checks",
        "メモリ MiB": memory,
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def where_next(console: Console, stack: Stack, verdict: Verdict) -> None:
    """What to look at while the demo keeps running."""
    code = max(verdict.agencies, key=lambda one: one.cases).code
    made = stack.agency(code)
    state = "" if stack.places.default else f"--state {stack.state} "
    lines = [
        f"画面 console            {stack.http('console')}/",
        f"API                     {' '.join(stack.http(name) + '/docs' for name in SERVICES)}",
        f"機関の資格情報          ./tsunagu {state}agency credentials {code} --json",
        "機関のトピック topic    "
        f"kcat -b {made.bootstrap} -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism={made.mechanism} "
        f"-X sasl.username={made.username} -X sasl.password=… -t {made.topic} -C -e",
        f"機関のコピー copy       {stack.state / 'copies' / (code + '.sqlite')}",
        "終了 stop               Ctrl-C",
    ]
    console.print("\n次に見るところ  where to look next", style="bold")
    for line in lines:
        console.print("  " + line, soft_wrap=True)
