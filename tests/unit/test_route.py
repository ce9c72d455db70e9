"""A route is solved once: it answers as FastAPI would, and none of ours falls back to its way."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match

from operate.places import SERVICES
from shared import host
from shared.lookup import Lookup
from shared.route import Direct, together


class Wanted(BaseModel):
    n: int


class Said(BaseModel):
    id: str
    who: str | None
    n: int


async def who(response: Response, x_who: Annotated[str | None, Header()] = None) -> str | None:
    response.headers["x-seen"] = "yes"
    return x_who


async def member(id: str, by: Annotated[str | None, Depends(who)]) -> tuple[str, str | None]:
    return id, by


def routes(kind: type[APIRoute]) -> APIRouter:
    router = APIRouter(route_class=kind)

    @router.post("/things/{id}", status_code=201)
    async def make(on: Annotated[tuple[str, str | None], Depends(member)], body: Wanted) -> Said:
        return Said(id=on[0], who=on[1], n=body.n)

    @router.get("/things/{id}")
    async def show(
        id: str,
        response: Response,
        by: Annotated[str | None, Depends(who)],
        n: Annotated[int, Query(ge=1)] = 1,
    ) -> Any:
        response.status_code = 203
        return {"id": id, "who": by, "n": n}

    @router.put("/things")
    async def change(body: Wanted | None = None) -> int:
        return body.n if body else 0

    @router.get("/things/numbered/{n}")
    async def numbered(n: Annotated[int, Path(le=5)], x_n: Annotated[int, Header()] = 7) -> int:
        return n * x_n

    @router.get("/things")
    async def everything() -> list[Said]:
        return [Said(id="𠮷", who=None, n=1)]

    return router


JSON = {"content-type": "application/json"}
CALLS: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("POST", "/things/a", {"json": {"n": 1}, "headers": {"x-who": "葛󠄀城".encode()}}),
    ("POST", "/things/a", {"json": {"n": 1}, "headers": [("X-Who", "a"), ("x-who", "b")]}),
    ("POST", "/things/a", {"json": {"n": "x"}}),
    ("POST", "/things/a", {"json": [1]}),
    ("POST", "/things/a", {}),
    ("POST", "/things/a", {"content": b'{"n": 1}', "headers": {"content-type": "text/plain"}}),
    ("POST", "/things/a", {"content": b'{"n": 1}', "headers": {"content-type": "a/b; c"}}),
    ("POST", "/things/a", {"content": b'\xef\xbb\xbf{"n": 1}', "headers": JSON}),
    ("POST", "/things/a", {"content": b'{"n": 1, "n": 2}', "headers": JSON}),
    (
        "POST",
        "/things/a",
        {"content": b'{"n": 2}', "headers": {"content-type": "application/x+json"}},
    ),
    ("GET", "/things/b", {"params": {"n": 3}}),
    ("GET", "/things/b", {"params": {"n": 0}}),
    ("GET", "/things", {}),
    ("PUT", "/things", {}),
    ("PUT", "/things", {"json": {"n": 2}}),
    ("PUT", "/things", {"content": b"{"}),
    ("GET", "/things/numbered/5", {}),
    ("GET", "/things/numbered/5", {"headers": {"x-n": "3"}}),
    ("GET", "/things/numbered/6", {"headers": {"x-n": "x"}}),
    ("GET", "/things/b/c", {}),
    ("PUT", "/things/b", {}),
    ("GET", "/things/numbered", {}),
    ("GET", "/things/", {}),
    ("HEAD", "/things", {}),
    ("GET", "/nothing", {}),
)


@pytest.mark.parametrize(("verb", "path", "more"), CALLS)
async def test_it_answers_as_fastapi_does(verb: str, path: str, more: dict[str, Any]) -> None:
    ours, theirs = FastAPI(), FastAPI()
    ours.router.routes.extend(together("things", routes(Direct)).routes)
    ours.router.middleware_stack = Lookup(ours.router.routes, ours.router.middleware_stack)
    theirs.include_router(routes(APIRoute))
    answers = []
    for app in (ours, theirs):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
            answer = await client.request(verb, path, **more)
        headers = {name: answer.headers.get(name) for name in ("content-type", "x-seen", "allow")}
        answers.append((answer.status_code, answer.content, headers))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", SERVICES)
def test_no_endpoint_of_ours_is_solved_anew_for_each_request(name: str) -> None:
    found = [route for route in host.load(name).router.routes if isinstance(route, Direct)]
    assert found
    assert [route.path for route in found if not route.direct] == []


@pytest.mark.parametrize("name", SERVICES)
async def test_the_route_that_is_looked_up_is_the_first_that_fits(name: str) -> None:
    router = host.load(name).router
    lookup = Lookup(router.routes, router.middleware_stack)
    for route in router.routes:
        assert isinstance(route, Direct)
        for word in ("a", "records"):  # a parameter may look like a word of another path
            path = re.sub("{[^}]*}", word, route.path)
            for verb in route.methods or ():
                scope = {"type": "http", "method": verb, "path": path, "root_path": ""}
                fits = [r for r in router.routes if r.matches(scope)[0] is Match.FULL]
                found = [r for r in lookup._some(scope) if r.matches(scope)[0] is Match.FULL]
                assert found[0] is fits[0]
