"""What every answer passes: a size limit, its time, one log line for what fails. Pure ASGI."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import structlog
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from shared import problems, telemetry

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = structlog.get_logger()
TooLarge = Callable[[Request], Awaitable[Response]]


class Edge:
    """`too_large` answers a request whose length says so."""

    def __init__(self, inner: Any, largest: int, too_large: TooLarge) -> None:
        self._inner, self._largest, self._too_large = inner, largest, too_large

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        length = dict(scope["headers"]).get(b"content-length", b"0")
        received = 0

        async def receiving() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._largest:  # sent in pieces, without a length
                raise HTTPException(413)
            return message

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if not length.isdigit() or int(length) > self._largest:
                answer = await self._too_large(Request(scope))
                await answer(scope, receive, sending)
            else:
                await self._inner(scope, receiving, sending)
        except asyncio.CancelledError:  # the process ends, and this took longer than it may
            if status != 500:
                raise
            await problems.answer(Request(scope), "unavailable")(scope, receive, sending)
        except Exception as error:
            log.error("request.failed", exc_info=error)
            if status == 500:
                request = Request(scope)
                await problems.answer(request, "internal")(scope, receive, sending)
            else:
                raise
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            _answers(method, route, str(status)).observe(time.perf_counter() - began)


_answers = cache(telemetry.answers.labels)
