"""Errors as problem documents (RFC 9457), in Japanese or English by Accept-Language."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.auth import NoToken
from shared.db import PASSING
from shared.decider import Refused
from shared.faults import said
from shared.journal import Behind, Damaged, KeyReused, Stale, TooLarge
from shared.sealing import ErasedKey

TITLES: dict[str, tuple[int, str, str]] = {
    "no-valid-token": (
        401,
        "有効なアクセストークンを付けてください。",
        "Send a valid access token.",
    ),
    "not-found": (
        404,
        "見つからないか、閲覧できません。",
        "There is nothing here, or nothing you may see.",
    ),
    "wrong-role": (403, "この操作ができる役割ではありません。", "Your role does not allow this."),
    "quarantined": (
        403,
        "貴機関への提供は停止されています。運用担当に連絡してください。",
        "Nothing is disclosed to your agency for now; ask the operators.",
    ),
    "method-not-allowed": (405, "この操作はできません。", "This method is not offered here."),
    "too-large": (413, "本文が大きすぎます。", "The body is too large."),
    "bad-input": (422, "入力に誤りがあります。", "The input is not valid."),
    "key-reused": (
        422,
        "同じ Idempotency-Key が別の内容で使われました。",
        "This Idempotency-Key came before with another body; use a new key.",
    ),
    "stale": (
        412,
        "他の人が先に更新しました。読み直してください。",
        "Somebody changed this first; read it again.",
    ),
    "refused": (409, "今の状態ではできません。", "Not possible in the present state."),
    "not-yet-visible": (
        503,
        "更新がまだ反映されていません。少し待って再試行してください。",
        "What you ask for is not applied here yet; try again.",
    ),
    "parked": (
        503,
        "このデータは修復待ちです。運用担当に連絡してください。",
        "This stream waits for a repair; tell the operators.",
    ),
    "recovering": (
        503,
        "復旧中です。少し待って再試行してください。",
        "The service takes back missing events; try again soon.",
    ),
    "unavailable": (
        503,
        "一時的に利用できません。少し待って再試行してください。",
        "Not available for the moment; try again.",
    ),
    "internal": (
        500,
        "内部エラーです。運用担当に連絡してください。",
        "Internal error; tell the operators.",
    ),
}


OURS = re.compile(r"[A-Za-z0-9_\[\]-]{1,60}")


class ProblemDocument(BaseModel):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str | None = None
    reason: str | None = None
    state: str | None = None
    allowed: list[str] | None = None
    version: int | None = None
    errors: list[dict[str, str]] | None = None


class Problem(Exception):
    """Raise anywhere below an endpoint; `slug` is a key of TITLES."""

    def __init__(self, slug: str, **extra: Any) -> None:
        super().__init__(slug)
        self.slug, self.extra = slug, extra


def not_found() -> Problem:
    return Problem("not-found")


def bad_input(field: str, message: str) -> Problem:
    """422 for what only the service can know: a field and what to do."""
    return Problem("bad-input", errors=[{"field": field, "message": message}])


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": title,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
        },
    }
    for status, title in {
        401: "No valid token",
        403: "Not this role",
        404: "Not there, or not yours to see",
        409: "Illegal now",
        412: "Stale If-Match",
        413: "Too large",
        422: "Bad input",
        503: "Not now",
    }.items()
}


def answer(request: Request, slug: str, **extra: Any) -> JSONResponse:
    status, japanese, english = TITLES[slug]
    wants_english = _wants_english(request.headers.get("accept-language", ""))
    body = {
        "type": f"urn:tsunagu:problem:{slug}",
        "title": english if wants_english else japanese,
        "status": status,
        **{name: value for name, value in extra.items() if value is not None},
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    headers["Content-Language"] = "en" if wants_english else "ja"
    if status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _wants_english(accept: str) -> bool:
    """Japanese, unless English is liked better (RFC 9110: `ja;q=0.5, en-GB`)."""
    liked = {"ja": 0.0, "en": 0.0}
    for part in accept.lower().replace(" ", "").split(","):
        tag, _, weight = part.partition(";q=")
        if (name := tag.split("-")[0]) in liked:
            with suppress(ValueError):
                liked[name] = max(liked[name], float(weight or 1))
    return liked["en"] > liked["ja"]


def install(app: FastAPI) -> None:
    """Every way to fail has its answer; nothing that was sent is echoed."""
    simple: Sequence[tuple[type[Exception], str]] = (
        (KeyReused, "key-reused"),
        (TooLarge, "too-large"),
        (Damaged, "parked"),
        (Behind, "recovering"),
        *((passing, "unavailable") for passing in PASSING),
    )
    for kind, slug in simple:
        app.add_exception_handler(kind, _always(slug))
    app.add_exception_handler(
        NoToken, lambda r, e: answer(r, "no-valid-token", detail=str(e) or None)
    )
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Stale, lambda r, e: answer(r, "stale", version=e.version))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(
        ErasedKey, lambda r, _: answer(r, "refused", reason="person-erased", allowed=[])
    )
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, failed)


def _problem(request: Request, error: Exception) -> JSONResponse:
    """After a start, what is missing may only not be there yet."""
    assert isinstance(error, Problem)
    if error.slug == "not-found" and request.app.state.runtime.recovering:
        return answer(request, "recovering")
    return answer(request, error.slug, **error.extra)


def _always(slug: str) -> Any:
    return lambda request, _: answer(request, slug)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return answer(
        request, "refused", reason=error.reason, state=error.state, allowed=list(error.allowed)
    )


def invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "field": _place(one["loc"], one["type"]),
            "message": said(one["type"], one.get("ctx", {}), one["msg"]),
        }
        for one in error.errors()
    ]
    return answer(request, "bad-input", errors=errors)


def _place(parts: Sequence[str | int], kind: str) -> str:
    """Where it is wrong. A name that the caller made up may be anything, and is not repeated."""
    known = parts[:-1] if kind == "extra_forbidden" else parts
    names = [str(part) if OURS.fullmatch(str(part)) else "…" for part in known]
    return ".".join(names + ["…"] * (len(parts) - len(known)))


def failed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    known = {401: "no-valid-token", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    return answer(request, known.get(error.status_code, "bad-input"))
