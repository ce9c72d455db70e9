"""A body that is refused before anybody reads it: its service hears of it before the answer is given."""

from contextlib import suppress

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared import problems
from shared.auth import NoToken
from shared.db import PASSING
from shared.http import principal
from shared.runtime import Runtime, Unfit


def install(app: FastAPI) -> None:
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _failed)


async def too_large(request: Request) -> Response:
    return await _told(request, "size") or problems.answer(request, "too-large")


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    of_body = any(one["loc"][0] == "body" for one in error.errors())
    heard = await _told(request, "form") if of_body else None
    return heard or problems.invalid(request, error)


async def _failed(request: Request, error: Exception) -> Response:
    """Also of a body that came in pieces, without a length."""
    assert isinstance(error, HTTPException)
    heard = await _told(request, "size") if error.status_code == 413 else None
    return heard or problems.failed(request, error)


async def _told(request: Request, what: Unfit) -> Response | None:
    """An answer if it cannot be put on record now. Who does not say who he is, is not told of."""
    rt: Runtime | None = request.app.state.runtime
    if rt is None or rt.service.unfit is None:
        return None
    if rt.recovering:
        return problems.answer(request, "recovering")
    try:
        with suppress(NoToken):
            await rt.service.unfit(rt, await principal(request), what)
    except PASSING:
        return problems.answer(request, "unavailable")
    return None
