"""HTTP of the console: the page, its stream of changes, its assets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from operate.console import page
from operate.console.collect import Collector
from operate.console.settings import Settings
from operate.console.words import this_fiscal_year

FIRST_YEAR, LAST_YEAR = 2019, 2099
LOOK_SECONDS = 2.0
SILENT_LOOKS = 5
"""After so many looks without a change a comment is sent, so that a dead connection is noticed."""
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FiscalYear = Annotated[int | None, Query(ge=FIRST_YEAR, le=LAST_YEAR)]


def app(settings: Settings) -> FastAPI:
    collector = Collector(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await collector.close()

    made = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    made.state.collector, made.state.settings = collector, settings
    made.state.closing = asyncio.Event()
    made.mount("/static", StaticFiles(directory=page.HERE / "static"), name="static")
    made.get("/")(show)
    made.get("/events")(events)
    made.get("/mark.svg")(mark)
    made.get("/healthz")(alive)
    made.get("/readyz")(alive)
    made.add_middleware(_Headers)
    made.add_exception_handler(HTTPException, _not_there)
    made.add_exception_handler(RequestValidationError, _not_there)
    return made


async def show(request: Request, fiscal_year: FiscalYear = None, live: bool = True) -> HTMLResponse:
    """The whole page, complete without any script."""
    collector: Collector = request.app.state.collector
    settings: Settings = request.app.state.settings
    snapshot = await collector.snapshot(fiscal_year)
    made = page.parts(snapshot)
    year = snapshot.year.fiscal_year if snapshot.year else fiscal_year or this_fiscal_year()
    html = page.templates.get_template("page.html").render(
        parts=made,
        digests=page.digests(made),
        year=year,
        asked=fiscal_year,
        live=live,
        before=year - 1 if year > FIRST_YEAR else None,
        after=year + 1 if year < LAST_YEAR else None,
        development=settings.development,
    )
    return HTMLResponse(html)


async def events(
    request: Request,
    fiscal_year: FiscalYear = None,
    seen: Annotated[str, Query(max_length=200)] = "",
) -> StreamingResponse:
    """What has changed since the page was `seen`, or since the last event that arrived."""
    state = request.app.state
    last = request.headers.get("last-event-id") or seen
    changes = _changes(state.collector, state.closing, fiscal_year, last)
    return StreamingResponse(changes, media_type="text/event-stream")


async def _changes(
    collector: Collector, closing: asyncio.Event, fiscal_year: int | None, seen: str
) -> AsyncIterator[str]:
    silent = 0
    yield ": \n\n"
    while not closing.is_set():
        made = page.parts(await collector.snapshot(fiscal_year))
        if new := page.changed(made, seen):
            seen, silent = page.digests(made), 0
            yield page.event(made, new)
        elif (silent := silent + 1) >= SILENT_LOOKS:
            silent = 0
            yield ": \n\n"
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await closing.wait()


async def mark() -> Response:
    svg = page.templates.get_template("mark.html").render()
    return Response(svg, media_type="image/svg+xml")


async def alive() -> dict[str, str]:
    """The console needs nobody: a service that is down is what it shows."""
    return {"status": "alive"}


class _Headers:
    """Security headers on every answer; pure ASGI, as an answer may be without end."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY)
                kept = scope["path"].startswith("/static/") and message["status"] == 200
                headers["Cache-Control"] = "max-age=3600" if kept else "no-store"
            await send(message)

        await self._inner(scope, receive, sending)


def _not_there(_: Request, error: Exception) -> HTMLResponse:
    status = error.status_code if isinstance(error, HTTPException) else 422
    html = page.templates.get_template("error.html").render(status=status)
    return HTMLResponse(html, status)
