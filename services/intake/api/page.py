"""Pages for paper: one template each, filled on the server, never stored by a browser."""

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.calendar import TOKYO
from shared.contracts.codes import labels

PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("pages")),
    autoescape=True,
    undefined=StrictUndefined,
)


def page(template: str, **values: Any) -> HTMLResponse:
    """`label(list, code, time)`, in the words of that day, and `local(time)` are there for every template."""
    text = PAGES.get_template(template).render(label=_label, local=_local, **values)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def _label(name: str, code: str | None, at: datetime | None = None) -> str:
    day = at and at.astimezone(TOKYO).date()
    return labels(name, day).get(code or "", code or "")


def _local(at: datetime) -> str:
    return at.astimezone(TOKYO).strftime("%Y-%m-%d %H:%M")
