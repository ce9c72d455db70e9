"""How a request reaches its endpoint: what FastAPI would work out for each is worked out once a route."""

from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from email.message import Message
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import (
    get_parameterless_sub_dependant,
    request_body_to_args,
    request_params_to_args,
)
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic_core import PydanticUndefined, from_json
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.problems import RESPONSES

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
MISSING: Any = object()


class _Sent(Headers):
    """Headers of a request, asked for several times: looked up, and not searched each time."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = dict(reversed(self.raw))

    def get(self, key: str, default: Any = None) -> Any:
        found = self._first.get(key.lower().encode("latin-1"))
        return default if found is None else found.decode("latin-1")


class Lenient(Request):
    """A body that is no JSON fails as any wrong value does: after 401, 404 and 403, with 422."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._headers = _Sent(scope)

    async def json(self) -> Any:
        try:
            return from_json((await self.body()).removeprefix(BOM_UTF8))
        except ValueError:  # also what is too deep, and numbers that are too long to be read
            return "not JSON"


class _Said(Response):
    """What is said of an answer before it is there: its status, its headers."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
        self.raw_headers = []


class Direct(APIRoute):
    """Answers as FastAPI does, in the same order: dependencies, then what is wrong with the rest."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        responses = RESPONSES | (given.get("responses") or {})
        super().__init__(path, endpoint, **{**given, "responses": responses})
        self.after()

    def after(self, *dependencies: Dependant) -> None:
        """These are solved before all others of it."""
        self.dependant.dependencies[:0] = dependencies
        handler = self.get_route_handler()
        if self.direct:
            self.app = _answering(handler)

    def get_route_handler(self) -> Handler:
        general = super().get_route_handler()
        step = None if self.status_code in (204, 205, 304) else _step(self.dependant)
        self.direct = step is not None
        if step is None:

            async def lenient(request: Request) -> Response:
                return await general(Lenient(request.scope, request.receive))

            return lenient
        endpoint = step

        async def handle(request: Request) -> Response:
            body = await _body(request) if endpoint.of.body_params else None
            said, errors = _Said(self.status_code or 200), list[Any]()
            values = await _solved(endpoint, request, said, body, {}, errors)
            if errors:
                raise RequestValidationError(errors, body=body)
            return self._answer(await endpoint.call(**values), said)

        return handle

    def _answer(self, result: Any, said: Response) -> Response:
        if isinstance(result, Response):
            return result
        field = self.response_field
        if field is None:
            raise TypeError(f"{self.path} does not say what it answers with")
        if type(result) is not self.response_model:
            result, wrong = field.validate(result, {}, loc=("response",))
            if wrong:
                raise TypeError(f"{self.path} does not answer as it says")
        made = Response(field.serialize_json(result), said.status_code, None, "application/json")
        made.raw_headers.extend(said.raw_headers)
        return made


def _answering(handler: Handler) -> ASGIApp:
    """Nothing is left to be closed after the answer, so no stacks are kept for it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handler(Lenient(scope, receive))
        await response(scope, receive, send)

    return app


def together(tag: str, *parts: APIRouter, dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Their endpoints on one level: each further level would be searched anew at each request."""
    made = APIRouter()
    first = [get_parameterless_sub_dependant(depends=one, path="") for one in dependencies]
    for part in parts:
        for route in part.routes:
            assert isinstance(route, Direct)
            route.tags = [tag]
            route.after(*first)
            made.routes.append(route)
    return made


class _Step(NamedTuple):
    """The endpoint, or something that it depends on. `texts`: parameter, its name in the path or the
    headers, whether in the path. `paths` and `headers` are to be validated.
    """

    call: Callable[..., Awaitable[Any]]
    of: Dependant
    texts: tuple[tuple[str, str, bool], ...]
    paths: list[Any]
    headers: list[Any]
    before: "tuple[_Step, ...]"


def _step(of: Dependant) -> _Step | None:
    """None where there is something in it that only FastAPI knows how to do."""
    unknown = (
        of.cookie_params, of.background_tasks_param_name, of.security_scopes_param_name,
        of.websocket_param_name, of.http_connection_param_name, of.concurrency, not of.use_cache,
    )  # fmt: skip
    if any(unknown) or not of.call or not iscoroutinefunction(of.call):
        return None
    before = [_step(one) for one in of.dependencies]
    if any(one is None for one in before) or len(of.body_params) > 1:
        return None
    texts = [(field.name, field.alias, True) for field in of.path_params if _plain(field)]
    texts += [
        (field.name, field.alias.replace("_", "-"), False)
        for field in of.header_params
        if _plain(field)
    ]
    paths = [field for field in of.path_params if not _plain(field)]
    headers = [field for field in of.header_params if not _plain(field)]
    steps = tuple(one for one in before if one)
    return _Step(of.call, of, tuple(texts), paths, headers, steps)


def _plain(field: Any) -> bool:
    info = field.field_info
    return info.annotation in (str, str | None) and not info.metadata


async def _solved(
    step: _Step,
    request: Request,
    said: Response,
    body: Any,
    known: dict[Any, Any],
    errors: list[Any],
) -> dict[str, Any]:
    """The arguments of `step`; `errors` tells what is wrong with the request."""
    values: dict[str, Any] = {}
    for before in step.before:
        value = known.get(before.call, MISSING)
        if value is MISSING:
            wrong: list[Any] = []
            given = await _solved(before, request, said, body, known, wrong)
            if wrong:
                errors += wrong
                continue
            value = known[before.call] = await before.call(**given)
        if before.of.name is not None:
            values[before.of.name] = value
    for name, called, in_path in step.texts:
        values[name] = request.path_params[called] if in_path else request.headers.get(called)
    of = step.of
    for fields, where in (
        (step.paths, request.path_params),
        (of.query_params, request.query_params if of.query_params else {}),
        (step.headers, request.headers),
    ):
        if fields:
            found, wrong = request_params_to_args(fields, where)
            values |= found
            errors += wrong
    if of.body_params:
        found, wrong = await request_body_to_args(of.body_params, body, False)
        values |= found
        errors += wrong
    if of.request_param_name:
        values[of.request_param_name] = request
    if of.response_param_name:
        values[of.response_param_name] = said
    return values


async def _body(request: Request) -> Any:
    body = await request.body()
    if not body:
        return PydanticUndefined
    return await request.json() if _is_json(request.headers.get("content-type")) else body


@lru_cache(100)
def _is_json(content_type: str | None) -> bool:
    if not content_type:
        return False
    message = Message()
    message["content-type"] = content_type
    kind = message.get_content_subtype()
    is_application = message.get_content_maintype() == "application"
    return is_application and (kind == "json" or kind.endswith("+json"))
