"""What the page is made of: parts that are rendered, compared and sent one by one."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from operate.console import chart, words
from operate.console.answers import Agency, Sharing
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
    "way": words.way,
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
    """One agency; `sharing` None: nothing was ever shared with it, or views cannot be asked just now."""

    code: str
    name: str
    sharing: Sharing | None
    asked: bool

    @property
    def state(self) -> str:
        if self.sharing is None:
            return "none" if self.asked else "unknown"
        return self.sharing.state

    @property
    def place(self) -> int:
        """What needs a person, what is behind, what is well, what is not shared with at all."""
        if self.sharing is None:
            return 3 if self.asked else 1
        if self.sharing.needs:
            return 0
        return 1 if self.sharing.freshness.undelivered else 2


def lines(snapshot: Snapshot) -> list[Line]:
    """All agencies of the directory and of views; those that need a look first."""
    named = {agency.code: agency for agency in snapshot.agencies or ()}
    shared = {one.agency: one for one in snapshot.sharing or ()}
    asked = snapshot.sharing is not None
    found: list[Line] = []
    for code in named.keys() | shared.keys():
        agency = named.get(code) or Agency(code=code, name=code)
        found.append(Line(code, agency.name, shared.get(code), asked))
    return sorted(found, key=lambda line: (line.place, line.code))


def parts(snapshot: Snapshot) -> dict[str, str]:
    """Each part's HTML by its name: the same for the page and for what is sent after it."""
    found = lines(snapshot)
    shared = [line.sharing for line in found if line.sharing]
    concerns = {need: sum(need in one.needs for one in shared) for need in words.NEEDS}
    given: dict[str, Any] = {
        "snapshot": snapshot,
        "lines": found,
        "concerns": {need: count for need, count in concerns.items() if count},
        "subscribed": [one for one in shared if one.freshness.subscribed],
    }
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
