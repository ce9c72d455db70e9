"""Pages for paper: one template each, filled on the server, never stored by a browser."""

from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse

from shared.calendar import TOKYO
from shared.contracts.codes import labels
from shared.pages import pages

PAGES = pages(__file__)


def page(template: str, **values: Any) -> HTMLResponse:
    """`label(list, code, time)`, in the words of that day, and `local(time)` are there for every template."""
    text = PAGES.get_template(template).render(label=_label, local=_local, **values)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def _label(name: str, code: str | None, at: datetime | None = None) -> str:
    day = at and at.astimezone(TOKYO).date()
    return labels(name, day).get(code or "", code or "")


def _local(at: datetime) -> str:
    return at.astimezone(TOKYO).strftime("%Y-%m-%d %H:%M")
