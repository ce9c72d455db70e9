"""What the page is made of: parts that are rendered, compared and sent one by one."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from operate.console import chart, words
from operate.console.answers import Agency, Freshness
from operate.console.collect import Snapshot

PARTS = ("status", "indicators", "figures", "agencies", "streams")
HERE = Path(__file__).parent

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {
    "number": words.number,
    "signed": words.signed,
    "service": words.service,
    "duration": words.duration,
    "moment": words.moment,
    "body": words.body,
    "fiscal_year": words.fiscal_year,
}
templates.globals |= {
    "words": words,
    "chart": chart.chart,
    "told": chart.told,
    "missing": chart.missing,
}


@dataclass(frozen=True)
class Line:
    """One agency's sync state; `sync` None: its documents cannot be asked for just now."""

    code: str
    name: str
    sync: Freshness | None

    @property
    def state(self) -> str:
        if self.sync is None:
            return "unknown"
        if not self.sync.subscribed:
            return "unsubscribed"
        if self.sync.refused:
            return "refused"
        return "behind" if self.sync.undelivered else "fresh"


ORDER = ("refused", "behind", "unknown", "fresh", "unsubscribed")


def lines(snapshot: Snapshot) -> list[Line]:
    """All agencies of the directory and of views; those that need a look first."""
    named = {agency.code: agency for agency in snapshot.agencies or ()}
    synced = {one.agency: one for one in snapshot.freshness or ()}
    found: list[Line] = []
    for code in named.keys() | synced.keys():
        agency = named.get(code) or Agency(code=code, name=code)
        sync = synced.get(code)
        if sync is None and snapshot.freshness is not None:
            sync = Freshness(agency=code, subscribed=False)
        found.append(Line(code, agency.name, sync))
    return sorted(found, key=lambda line: (ORDER.index(line.state), line.code))


def parts(snapshot: Snapshot) -> dict[str, str]:
    """Each part's HTML by its name: the same for the page and for what is sent after it."""
    given: dict[str, Any] = {"snapshot": snapshot, "lines": lines(snapshot)}
    return {name: templates.get_template(f"{name}.html").render(given) for name in PARTS}


def digests(made: dict[str, str]) -> str:
    """Tells one state of the page from another, part by part."""
    return ".".join(sha256(made[name].encode()).hexdigest()[:12] for name in PARTS)


def changed(made: dict[str, str], seen: str) -> dict[str, str]:
    """The parts that are not as they were when `seen` was the page's digests."""
    before = dict(zip(PARTS, seen.split("."), strict=False))
    now = dict(zip(PARTS, digests(made).split("."), strict=True))
    return {name: made[name] for name in PARTS if before.get(name) != now[name]}


def event(made: dict[str, str], new: dict[str, str]) -> str:
    """One server-sent event that replaces the new parts; its id is the state that it brings about."""
    text = "".join(
        f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{html}</hx-partial>'
        for name, html in new.items()
    )
    data = "\n".join(f"data: {line}" for line in text.splitlines())
    return f"id: {digests(made)}\n{data}\n\n"
